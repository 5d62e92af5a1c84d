package stream_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// TestMain runs the tests, or is the program that one of them has started. No test leaves a goroutine behind, and so no loop and no
// coroutine.
func TestMain(m *testing.M) {
	main, ok := programs[os.Getenv("RONDO_TEST_PROGRAM")]
	if !ok {
		goleak.VerifyTestMain(m)
		return
	}
	if err := (task.Program{}).Run(main); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// programs are what the tests start.
var programs = map[string]func(*task.Task) error{
	// much is written, and the program ends at once.
	"write": func(t *task.Task) error {
		out, err := stream.Stdout(t)
		if err != nil {
			return err
		}
		_, err = out.Write(t, pattern(programSize))
		return err
	},
	// shout answers each line, having opened all three files, as programs do.
	"shout": func(t *task.Task) error {
		out, err := stream.Stdout(t)
		if err != nil {
			return err
		}
		if _, err := stream.Stderr(t); err != nil {
			return err
		}
		in, err := stream.Stdin(t)
		if err != nil {
			return err
		}
		for {
			line, err := in.ReadLine(t, 100)
			if err == io.EOF { //nolint:errorlint // documented to be bare
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := out.Write(t, append(line, "!\n"...)); err != nil {
				return err
			}
		}
	},
	"read the output": func(t *task.Task) error {
		out, err := stream.Stdout(t)
		if err != nil {
			return err
		}
		if _, err := out.Next(t, 1); err == nil || !strings.Contains(err.Error(), "writing only") {
			return fmt.Errorf("Next of the output: %w", err)
		}
		return nil
	},
}

// programSize is how much "write" writes: more than a pipe holds.
const programSize = 1 << 20
