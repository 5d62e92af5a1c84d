package rondo_test

import (
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func itoa(f *os.File) string { return strconv.Itoa(int(f.Fd())) }

func TestFileTerminal(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		near, far := rig.Terminal(t)
		before := rig.StatusFlags(t, near)
		lines := make(chan string, 1)
		rec := newRecorder(t)
		rec.onData = func(c *rondo.Conn, p []byte) int {
			_, _ = c.Write(append([]byte("you said "), p...))
			lines <- string(p)
			return len(p)
		}
		e.openFile(near, rec)
		rig.Send(t, far, "hello\n")
		if line := rig.Await(t, lines); line != "hello\n" {
			t.Errorf("read %q", line)
		}
		rig.Expect(t, far, "you said hello\n")
		rig.Send(t, far, "\x04")                          // Ctrl-D
		if err := rig.Await(t, rec.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
			t.Errorf("the end of the file: %v, want io.EOF", err)
		}
		if after := rig.StatusFlags(t, near); after != before {
			t.Errorf("the flags are %#o at the end, were %#o", after, before)
		}
	})
}

// TestFileTerminalHungUp closes the window.
func TestFileTerminalHungUp(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		near, far := rig.Terminal(t)
		rec := newRecorder(t)
		e.openFile(near, rec)
		far.Close()
		if err := rig.Await(t, rec.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
			t.Errorf("the end of the terminal: %v, want io.EOF", err)
		}
	})
}

// TestFileTerminalFar is the side that a terminal emulator has. Opened anew, it would be another terminal's. The
// near side's end is EIO there.
func TestFileTerminalFar(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	near, far := rig.Terminal(t)
	before := rig.StatusFlags(t, far)
	got := make(chan string, 1)
	rec := newRecorder(t)
	rec.onData = func(_ *rondo.Conn, p []byte) int {
		got <- string(p)
		return len(p)
	}
	e.openFile(far, rec)
	rig.Send(t, near, "x")
	if s := rig.Await(t, got); s != "x" {
		t.Errorf("read %q", s)
	}
	near.Close()
	if err := rig.Await(t, rec.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
		t.Errorf("the end of the terminal: %v, want io.EOF", err)
	}
	if after := rig.StatusFlags(t, far); after != before {
		t.Errorf("the flags are %#o at the end, were %#o", after, before)
	}
}

// TestFileTerminalWriteOnly writes to a terminal in which somebody types, which is not for it to read.
func TestFileTerminalWriteOnly(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	near, far := rig.Terminal(t)
	w, err := os.OpenFile("/proc/self/fd/"+itoa(near), os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rec := newRecorder(t)
	c := e.openFile(w, rec)
	rig.Send(t, far, "typed\n")
	rig.On(t, c.Loop(), func() {
		_, _ = c.Write([]byte("written"))
		c.SetProtocol(c.Protocol()) // the direction that was never there does not end again
	})
	rig.Expect(t, far, "written")
	rig.On(t, c.Loop(), func() {
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("Write after CloseWrite: %v", err)
		}
	})
	if err := rig.Await(t, rec.lost); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
}
