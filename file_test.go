//go:build unix

package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/internal/sock"
)

// sharing is a poller that never opens a file anew: what the preferred way cannot do, it does for all.
type sharing struct{ poller.Poller }

func (sharing) OpenFile(fd int) (sock.File, error) { return sock.ShareFile(fd) }

// ways are the two of OpenFile.
var ways = []struct {
	name string
	wrap func(poller.Poller) poller.Poller
}{
	{"preferred", func(p poller.Poller) poller.Poller { return p }},
	{"shared", func(p poller.Poller) poller.Poller { return sharing{p} }},
}

func eachWay(t *testing.T, test func(t *testing.T, e *engine)) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) { test(t, newEngineOver(t, rondo.Config{}, way.wrap)) })
	}
}

// openFile makes a connection of f on e's loop.
func (e *engine) openFile(f *os.File, p rondo.Protocol) *rondo.Conn {
	e.t.Helper()
	c, err := e.tryFile(f, p)
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

func (e *engine) tryFile(f *os.File, p rondo.Protocol) (c *rondo.Conn, err error) {
	e.t.Helper()
	l := e.Loop()
	rig.On(e.t, l, func() { c, err = l.OpenFile(f, p) })
	return c, err
}

func TestFileRead(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		r, w := rig.Pipe(t)
		var got bytes.Buffer
		all := make(chan string, 1)
		rec := newRecorder(t)
		rec.onData = func(c *rondo.Conn, p []byte) int {
			if got.Write(p); got.Len() == 9 {
				all <- got.String()
			}
			return len(p)
		}
		c := e.openFile(r, rec)
		rig.On(t, c.Loop(), func() {
			n, err := c.Write([]byte("x"))
			var op *net.OpError
			if n != 0 || !errors.As(err, &op) || !errors.Is(err, syscall.EBADF) || !strings.Contains(err.Error(), "reading only") {
				t.Errorf("Write to what is read only: %d, %v", n, err)
			}
			if err := c.CloseWrite(); err != nil {
				t.Errorf("CloseWrite of what is read only: %v", err)
			}
			for _, a := range []net.Addr{c.LocalAddr(), c.RemoteAddr()} {
				if a.Network() != "file" || a.String() != "r" {
					t.Errorf("address: %v %v", a.Network(), a)
				}
			}
			if err := errors.Join(c.SetNoDelay(true), c.SetKeepAlive(1)); err != nil {
				t.Error(err)
			}
		})
		rig.Send(t, w, "one ")
		rig.Send(t, w, "two")
		rig.Send(t, w, " 3")
		if s := rig.Await(t, all); s != "one two 3" {
			t.Errorf("read %q", s)
		}
		w.Close()
		if err := rig.Await(t, rec.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
			t.Errorf("the end of the pipe: %v, want io.EOF", err)
		}
		rig.On(t, c.Loop(), func() {
			if c.LocalAddr() != nil || c.RemoteAddr().String() != "r" {
				t.Errorf("addresses after the end: %v, %v", c.LocalAddr(), c.RemoteAddr())
			}
		})
	})
}

// TestFileReadPaused has the pipe's end, which cannot be switched off, wait for its reader.
func TestFileReadPaused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r, w := rig.Pipe(t)
	rec := newRecorder(t)
	rec.onMade = (*rondo.Conn).PauseReading
	c := e.openFile(r, rec)
	rig.Send(t, w, "x")
	w.Close()
	for range 3 {
		rig.On(t, c.Loop(), func() {})
	}
	if n := rec.received.Load(); n != 0 {
		t.Errorf("%d bytes were delivered while reading was paused", n)
	}
	rig.On(t, c.Loop(), c.ResumeReading)
	if err := rig.Await(t, rec.lost); err != io.EOF || rec.received.Load() != 1 { //nolint:errorlint // by Protocol's contract
		t.Errorf("%d bytes and %v", rec.received.Load(), err)
	}
}

func TestFileWrite(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		r, w := rig.Pipe(t)
		const total = 4 << 20
		want := make([]byte, total)
		for i := range want {
			want[i] = byte(i * 7 >> 3)
		}
		sent, pauses, paused := 0, 0, false
		produce := func(c *rondo.Conn) {
			for !paused && sent < total {
				n := min(total-sent, 1+sent%20_000)
				if _, err := c.Write(want[sent:][:n]); err != nil {
					t.Errorf("Write: %v", err)
					return
				}
				sent += n
			}
			if sent == total {
				if err := c.CloseWrite(); err != nil {
					t.Errorf("CloseWrite: %v", err)
				}
			}
		}
		stuck := make(chan struct{})
		rec := newRecorder(t)
		rec.onMade = produce
		rec.onPause = func(*rondo.Conn) {
			if pauses++; pauses == 1 {
				close(stuck)
			}
			paused = true
		}
		rec.onResume = func(c *rondo.Conn) {
			paused = false
			produce(c)
		}
		e.openFile(w, pauser{rec})
		rig.Await(t, stuck) // nobody reads yet
		w.Close()           // or the reader would wait for us
		if got := rig.Rest(t, r); !bytes.Equal(got, want) {
			t.Errorf("%d bytes came, which are not the %d that were written", len(got), len(want))
		}
		if err := rig.Await(t, rec.lost); err != nil || pauses < 2 {
			t.Errorf("%v after %d pauses", err, pauses)
		}
	})
}

// TestFileReaderGone does so while nothing is written, and while much is.
func TestFileReaderGone(t *testing.T) {
	for name, size := range map[string]int{"idle": 0, "writing": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, e *engine) {
				r, w := rig.Pipe(t)
				rec := newRecorder(t)
				c := e.openFile(w, rec)
				write := func(n int) { rig.On(t, c.Loop(), func() { _, _ = c.Write(make([]byte, n)) }) }
				write(size)
				r.Close()
				if e.Poller() == "kqueue" {
					write(1) // which need not watch a pipe that cannot be read
				}
				err := rig.Await(t, rec.lost)
				var op *net.OpError
				if !errors.Is(err, syscall.EPIPE) || !errors.As(err, &op) || op.Op != "write" || op.Net != "file" {
					t.Errorf("%v, want a *net.OpError of writing and EPIPE", err)
				}
			})
		})
	}
	t.Run("before", func(t *testing.T) {
		e := newTestEngine(t, rondo.Config{})
		r, w := rig.Pipe(t)
		r.Close()
		rec := newRecorder(t)
		c := e.openFile(w, rec)
		rig.On(t, c.Loop(), func() { _, _ = c.Write([]byte("x")) })
		if err := rig.Await(t, rec.lost); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("%v, want EPIPE", err)
		}
	})
}

func TestFileFIFO(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		both, err := os.OpenFile(name, os.O_RDWR, 0) // so that opening either end does not wait for the other
		if err != nil {
			t.Fatal(err)
		}
		defer both.Close()
		r, err := os.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		both.Close()
		reader, writer := newRecorder(t), newRecorder(t)
		e.openFile(r, reader)
		c := e.openFile(w, writer)
		w.Close()
		rig.On(t, c.Loop(), func() {
			_, _ = c.Write([]byte("to the end"))
			_ = c.Close()
		})
		if err := rig.Await(t, writer.lost); err != nil {
			t.Errorf("the writer: %v", err)
		}
		if err := rig.Await(t, reader.lost); err != io.EOF || reader.received.Load() != 10 { //nolint:errorlint // by Protocol's contract
			t.Errorf("the reader: %d bytes, %v", reader.received.Load(), err)
		}
	})
}

// TestFileFIFOEnded opens one whose writer has come and gone, as that of "echo x >fifo & program <fifo" may have.
func TestFileFIFOEnded(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	writer := make(chan error, 1)
	go func() { writer <- os.WriteFile(name, []byte("x"), 0) }()
	r, err := os.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := rig.Await(t, writer); err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(t)
	e.openFile(r, rec)
	if err := rig.Await(t, rec.lost); err != io.EOF || rec.received.Load() != 1 { //nolint:errorlint // by Protocol's contract
		t.Errorf("%d bytes, %v", rec.received.Load(), err)
	}
}

func TestFileNotPollable(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		regular := filepath.Join(t.TempDir(), "regular")
		if err := os.WriteFile(regular, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{regular, t.TempDir(), os.DevNull, "/dev/zero"} {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c, err := e.tryFile(f, newRecorder(t))
			var path *fs.PathError
			if c != nil || !errors.Is(err, rondo.ErrNotPollable) || !errors.As(err, &path) || path.Path != name {
				t.Errorf("OpenFile of %s: %v, %v, want ErrNotPollable", name, c, err)
			}
		}
		if n := e.Conns(); n != 0 {
			t.Errorf("%d connections are counted", n)
		}
	})
}

func TestFileErrors(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r, _ := rig.Pipe(t)
	r.Close()
	if c, err := e.tryFile(r, newRecorder(t)); c != nil || !errors.Is(err, os.ErrClosed) {
		t.Errorf("of a closed file: %v, %v", c, err)
	}
	if c, err := e.tryFile(nil, newRecorder(t)); c != nil || !errors.Is(err, os.ErrInvalid) {
		t.Errorf("of no file: %v, %v", c, err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "datagrams")
	defer f.Close()
	if c, err := e.tryFile(f, newRecorder(t)); c != nil || !errors.Is(err, syscall.EPROTOTYPE) {
		t.Errorf("of a datagram socket: %v, %v", c, err)
	}
	r, _ = rig.Pipe(t)
	refused := make(chan error, 1)
	rec := newRecorder(t)
	rec.onLost = func(c *rondo.Conn, _ error) {
		_, err := c.Loop().OpenFile(r, newRecorder(t))
		refused <- err
	}
	e.openFile(r, rec)
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := rig.Await(t, refused); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("while the engine shuts down: %v", err)
	}
}

// TestFileOpenedByAnother opens a file within another connection's callback, which goes on though ConnectionMade
// of the new one panics.
func TestFileOpenedByAnother(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	first, w1 := rig.Pipe(t)
	second, w2 := rig.Pipe(t)
	outer, inner := newRecorder(t), newRecorder(t)
	inner.onMade = func(*rondo.Conn) { panic("as told") }
	outer.onData = func(c *rondo.Conn, p []byte) int {
		if _, err := c.Loop().OpenFile(second, inner); err != nil {
			t.Error(err)
		}
		return len(p)
	}
	e.openFile(first, outer)
	rig.Send(t, w1, "x")
	var panicked *rondo.PanicError
	if err := rig.Await(t, inner.lost); !errors.As(err, &panicked) {
		t.Errorf("the new connection: %v, want a *PanicError", err)
	}
	e.Log.Await(t, "as told")
	w1.Close()
	if err := rig.Await(t, outer.lost); err != io.EOF { //nolint:errorlint // by Protocol's contract
		t.Errorf("the other connection: %v, want io.EOF", err)
	}
	w2.Close()
}

// TestFileShutdown reads what is there, writes what was written, and ends.
func TestFileShutdown(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r1, w1 := rig.Pipe(t)
	r2, w2 := rig.Pipe(t)
	in, out := newRecorder(t), newRecorder(t)
	e.openFile(r1, in)
	c := e.openFile(w2, out)
	const size = 1 << 20 // more than the pipe takes
	rig.On(t, c.Loop(), func() { _, _ = c.Write(make([]byte, size)) })
	w2.Close()
	rig.Send(t, w1, "x")
	read := make(chan int, 1)
	go func() {
		got, _ := io.ReadAll(r2)
		read <- len(got)
	}()
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := rig.Await(t, read); n != size {
		t.Errorf("%d bytes were written, want %d", n, size)
	}
	if in, out := rig.Await(t, in.lost), rig.Await(t, out.lost); in != nil || out != nil {
		t.Errorf("they ended with %v and %v", in, out)
	}
	if n := in.received.Load(); n != 1 {
		t.Errorf("%d bytes were read, want 1", n)
	}
}
