package rondo_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"github.com/rondo-go/rondo"
)

// terminal opens a pseudoterminal: what a program has, and what the person before it does.
func terminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudoterminals: ", err)
	}
	t.Cleanup(func() { far.Close() })
	var unlock, number int32
	ioctl(t, far, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock))
	ioctl(t, far, syscall.TIOCGPTN, unsafe.Pointer(&number))
	near, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	// No echo, and line ends as they are, so that what is read is what was written.
	var tio syscall.Termios
	ioctl(t, near, syscall.TCGETS, unsafe.Pointer(&tio))
	tio.Lflag &^= syscall.ECHO
	tio.Oflag &^= syscall.OPOST
	ioctl(t, near, syscall.TCSETS, unsafe.Pointer(&tio))
	return near, far
}

func ioctl(t *testing.T, f *os.File, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(arg)); errno != 0 {
		t.Fatal(errno)
	}
}

func itoa(f *os.File) string { return strconv.Itoa(int(f.Fd())) }

func TestFileTerminal(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		near, far := terminal(t)
		before := statusFlags(t, near)
		lines := make(chan string, 1)
		rec := newRecorder(t)
		rec.onData = func(c *rondo.Conn, p []byte) int {
			_, _ = c.Write(append([]byte("you said "), p...))
			lines <- string(p)
			return len(p)
		}
		e.openFile(near, rec)
		send(t, far, "hello\n")
		if line := await(t, lines); line != "hello\n" {
			t.Errorf("read %q", line)
		}
		expect(t, far, "you said hello\n")
		send(t, far, "\x04")                          // Ctrl-D
		if err := await(t, rec.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
			t.Errorf("the end of the file: %v, want io.EOF", err)
		}
		if after := statusFlags(t, near); after != before {
			t.Errorf("the flags are %#o at the end, were %#o", after, before)
		}
	})
}

// TestFileTerminalHungUp closes the window.
func TestFileTerminalHungUp(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		near, far := terminal(t)
		rec := newRecorder(t)
		e.openFile(near, rec)
		far.Close()
		if err := await(t, rec.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
			t.Errorf("the end of the terminal: %v, want io.EOF", err)
		}
	})
}

// TestFileTerminalFar is the side that a terminal emulator has. Opened anew, it would be another terminal's. The
// near side's end is EIO there.
func TestFileTerminalFar(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	near, far := terminal(t)
	before := statusFlags(t, far)
	got := make(chan string, 1)
	rec := newRecorder(t)
	rec.onData = func(_ *rondo.Conn, p []byte) int {
		got <- string(p)
		return len(p)
	}
	e.openFile(far, rec)
	send(t, near, "x")
	if s := await(t, got); s != "x" {
		t.Errorf("read %q", s)
	}
	near.Close()
	if err := await(t, rec.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
		t.Errorf("the end of the terminal: %v, want io.EOF", err)
	}
	if after := statusFlags(t, far); after != before {
		t.Errorf("the flags are %#o at the end, were %#o", after, before)
	}
}

// TestFileTerminalWriteOnly writes to a terminal in which somebody types, which is not for it to read.
func TestFileTerminalWriteOnly(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	near, far := terminal(t)
	w, err := os.OpenFile("/proc/self/fd/"+itoa(near), os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rec := newRecorder(t)
	c := e.openFile(w, rec)
	send(t, far, "typed\n")
	on(t, c.Loop(), func() {
		_, _ = c.Write([]byte("written"))
		c.SetProtocol(c.Protocol()) // the direction that was never there does not end again
	})
	expect(t, far, "written")
	on(t, c.Loop(), func() {
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("Write after CloseWrite: %v", err)
		}
	})
	if err := await(t, rec.lost); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
}
