package stream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo/internal/rig"
)

func program(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience) // by which a test that waits for it is ended too
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "RONDO_TEST_PROGRAM="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// start starts a program whose standard input and output f is, a socket or a terminal.
func start(t *testing.T, name string, f *os.File) *exec.Cmd {
	t.Helper()
	cmd := program(t, name)
	cmd.Stdin, cmd.Stdout = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return cmd
}

// What a program has written is written when it ends, into a pipe that is full, into a file and into a terminal.
func TestOutputIsNotLost(t *testing.T) {
	want := string(pattern(programSize))
	t.Run("pipe", func(t *testing.T) {
		cmd := program(t, "write")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil || string(got) != want {
			t.Errorf("read %s, %v", rig.Short(got), err)
		}
	})
	t.Run("file", func(t *testing.T) {
		f := create(t, nil)
		cmd := program(t, "write")
		cmd.Stdout = f
		err := cmd.Run()
		if got, _ := os.ReadFile(f.Name()); err != nil || string(got) != want {
			t.Errorf("wrote %s, %v", rig.Short(got), err)
		}
	})
	t.Run("terminal", func(t *testing.T) {
		near, far := rig.Terminal(t)
		before := rig.StatusFlags(t, far)
		cmd := start(t, "write", near)
		got := make([]byte, len(want))
		if n, err := io.ReadFull(far, got); err != nil || string(got) != want {
			t.Errorf("read %s, %v", rig.Short(got[:n]), err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		if after := rig.StatusFlags(t, far); after != before {
			t.Errorf("the flags are %#o, were %#o", after, before)
		}
	})
}

// A terminal is the same file as input and as output: what is typed must not be read by the output.
func TestTerminalIsInputAndOutput(t *testing.T) {
	near, far := rig.Terminal(t)
	cmd := start(t, "shout", near)
	lines := bufio.NewReader(far)
	for i := range 200 {
		rig.Send(t, far, fmt.Sprintf("line %d\n", i))
		if got, err := lines.ReadString('\n'); err != nil || got != fmt.Sprintf("line %d!\n", i) {
			t.Fatalf("line %d: read %q, %v", i, got, err)
		}
	}
	rig.Send(t, far, "\x04") // Ctrl-D
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Input comes from pipes and files likewise.
func TestInput(t *testing.T) {
	t.Run("pipe", func(t *testing.T) {
		cmd := program(t, "shout")
		cmd.Stdin = strings.NewReader("one\ntwo\n")
		if got, err := cmd.Output(); err != nil || string(got) != "one!\ntwo!\n" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("file", func(t *testing.T) {
		cmd := program(t, "shout")
		cmd.Stdin = create(t, []byte("one\ntwo\n"))
		if got, err := cmd.Output(); err != nil || string(got) != "one!\ntwo!\n" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("none", func(t *testing.T) {
		if got, err := program(t, "shout").Output(); err != nil || len(got) > 0 { // /dev/null
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("fifo", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		go func() {
			if err := os.WriteFile(name, []byte("one\n"), 0); err != nil {
				t.Error(err)
			}
		}()
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd := program(t, "shout")
		cmd.Stdin = f
		if got, err := cmd.Output(); err != nil || string(got) != "one!\n" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestOutputIsNotForReading(t *testing.T) {
	if got, err := program(t, "read the output").Output(); err != nil || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
}

// A program whose reader has gone is told.
func TestOutputToNobody(t *testing.T) {
	r, w := rig.Pipe(t)
	r.Close()
	cmd := program(t, "write")
	cmd.Stdout = w
	var said strings.Builder
	cmd.Stderr = &said
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || !strings.Contains(said.String(), "broken pipe") {
		t.Errorf("%v: %s", err, said.String())
	}
}
