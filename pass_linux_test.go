package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// taker takes some of the files that it is passed, and notes when they came.
type taker struct {
	most  int // that it takes of those that come together
	got   bytes.Buffer
	at    []int // how many bytes had come before
	files []*os.File
	act   func(c *rondo.Conn) // in FilesReceived; may be nil
	heard chan struct{}       // after each call
	lost  chan error
}

func newTaker(most int) *taker {
	return &taker{most: most, heard: make(chan struct{}, 100), lost: make(chan error, 1)}
}

func (*taker) ConnectionMade(*rondo.Conn) {}

func (p *taker) FilesReceived(c *rondo.Conn, files []*os.File) int {
	n := min(p.most, len(files))
	for range n {
		p.at = append(p.at, p.got.Len())
	}
	p.files = append(p.files, files[:n]...)
	if p.act != nil {
		p.act(c)
	}
	return n
}

func (p *taker) DataReceived(_ *rondo.Conn, data []byte) int {
	p.got.Write(data)
	p.heard <- struct{}{}
	return len(data)
}

func (p *taker) ConnectionLost(_ *rondo.Conn, err error) { p.lost <- err }

// unixPair is a raw peer of a connection with protocol p.
func unixPair(t *testing.T, e *engine, p rondo.Protocol) (*net.UnixConn, rondo.Handle) {
	t.Helper()
	handles := make(chan rondo.Handle, 1)
	ln, err := e.Listen("unix", filepath.Join(t.TempDir(), "s"), func() rondo.Protocol { return announcing{p, handles} })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.UnixConn), rig.Await(t, handles)
}

// announcing hands out the connection and gives way to a protocol.
type announcing struct {
	rondo.Protocol
	handles chan rondo.Handle
}

func (a announcing) ConnectionMade(c *rondo.Conn) {
	c.SetProtocol(a.Protocol)
	a.Protocol.ConnectionMade(c)
	a.handles <- c.Handle()
}

// scratch is a file with that in it.
func scratch(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "passed"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	return f
}

func content(t *testing.T, f *os.File) string {
	t.Helper()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// descriptorsOf counts the descriptors that name that file.
func descriptorsOf(t *testing.T, name string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to == name {
			n++
		}
	}
	return n
}

func pass(t *testing.T, c *net.UnixConn, text string, files ...*os.File) {
	t.Helper()
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if _, _, err := c.WriteMsgUnix([]byte(text), syscall.UnixRights(fds...), nil); err != nil {
		t.Fatal(err)
	}
}

// Files come with their bytes, before them; those that are not taken are closed.
func TestFilesReceived(t *testing.T) {
	p := newTaker(2)
	c, _ := unixPair(t, newTestEngine(t, rondo.Config{}), p)
	f := scratch(t, "hello")
	defer f.Close()
	if _, err := c.Write([]byte("first ")); err != nil {
		t.Fatal(err)
	}
	rig.Await(t, p.heard)
	pass(t, c, "with three ", f, f, f)
	rig.Await(t, p.heard)
	pass(t, c, "with one", f)
	rig.Await(t, p.heard)
	if got := p.got.String(); got != "first with three with one" {
		t.Errorf("%q came", got)
	}
	if len(p.at) != 3 || p.at[0] != 6 || p.at[1] != 6 || p.at[2] != 17 {
		t.Errorf("files came after %v bytes", p.at)
	}
	if n := descriptorsOf(t, f.Name()); n != 4 {
		t.Errorf("%d descriptors of the file are open: one is ours, 3 were taken", n)
	}
	for _, f := range p.files {
		if text := content(t, f); text != "hello" {
			t.Errorf("%q is in the file", text)
		}
		if flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD, 0); errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Error("child processes would inherit the file")
		}
		_ = f.Close()
	}
}

// Whatever the protocol does, nothing stays open that it has not taken.
func TestFilesNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		p      func() rondo.Protocol
		report string
	}{
		"not wanted": {func() rondo.Protocol { return newRecorder(t) }, ""},
		"none taken": {func() rondo.Protocol { return newTaker(0) }, ""},
		"closed meanwhile": {func() rondo.Protocol {
			p := newTaker(0)
			p.act = func(c *rondo.Conn) { _ = c.Close() }
			return p
		}, ""},
		"panic": {func() rondo.Protocol {
			p := newTaker(1)
			p.act = func(*rondo.Conn) { panic("no room") }
			return p
		}, "no room"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			c, h := unixPair(t, e, c.p())
			f := scratch(t, "")
			defer f.Close()
			pass(t, c, "x", f, f, f)
			rig.On(t, e.Loop(), func() {})
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			for h.Alive() {
				rig.On(t, e.Loop(), func() {})
			}
			if n := descriptorsOf(t, f.Name()); n != 1 {
				t.Errorf("%d descriptors of the file are open", n)
			}
			e.Log.Discard("no room")
		})
	}
}

// Bytes whose files have made the protocol pause wait for it.
func TestFilesReceivedPaused(t *testing.T) {
	p := newTaker(1)
	p.act = (*rondo.Conn).PauseReading
	e := newTestEngine(t, rondo.Config{})
	c, h := unixPair(t, e, p)
	f := scratch(t, "")
	defer f.Close()
	pass(t, c, "wait", f)
	waited := false
	for !waited {
		rig.On(t, e.Loop(), func() { waited = len(p.files) > 0 })
	}
	rig.On(t, e.Loop(), func() {
		if p.got.Len() > 0 {
			t.Error("bytes came while reading was paused")
		}
	})
	h.Do((*rondo.Conn).ResumeReading)
	rig.Await(t, p.heard)
	if p.got.String() != "wait" {
		t.Errorf("%q came", p.got.String())
	}
	_ = p.files[0].Close()
}

// Files go out with their bytes, in order with what is before and after, also when the peer is slow; they may be closed at once.
func TestWriteFiles(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	c, h := unixPair(t, e, newTaker(0))
	big := bytes.Repeat([]byte("0123456789"), 200_000)
	var want bytes.Buffer
	written := make(chan struct{})
	at := map[int]string{} // what the file says that comes with that byte
	h.Do(func(c *rondo.Conn) {
		write := func(p []byte, texts ...string) {
			var files []*os.File
			for _, text := range texts {
				files = append(files, scratch(t, text))
			}
			if len(files) > 0 {
				at[want.Len()] = strings.Join(texts, "+")
			}
			want.Write(p)
			if err := c.WriteFiles(p, files...); err != nil {
				t.Error(err)
			}
			for _, f := range files {
				_ = f.Close()
			}
		}
		write([]byte("a"))
		write([]byte("b"), "one")
		write([]byte("c"), "two", "three")
		write(big)
		write([]byte("d"), "four")
		write(big, "five")
		write([]byte("e"))
		_ = c.Close()
		close(written)
	})
	rig.Await(t, written)
	var got bytes.Buffer
	buf, control := make([]byte, 1000), make([]byte, 1000)
	for {
		n, m, flags, _, err := c.ReadMsgUnix(buf, control)
		if n == 0 || err != nil {
			break
		}
		if flags&syscall.MSG_CTRUNC != 0 {
			t.Error("descriptors were cut off")
		}
		if m > 0 {
			messages, err := syscall.ParseSocketControlMessage(control[:m])
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, msg := range messages {
				fds, err := syscall.ParseUnixRights(&msg)
				if err != nil {
					t.Fatal(err)
				}
				for _, fd := range fds {
					f := os.NewFile(uintptr(fd), "")
					texts = append(texts, content(t, f))
					_ = f.Close()
				}
			}
			found := false
			for i, wanted := range at { // among the bytes of this read
				if i >= got.Len() && i < got.Len()+n && wanted == strings.Join(texts, "+") {
					found = true
					delete(at, i)
				}
			}
			if !found {
				t.Errorf("with bytes %d to %d came %q", got.Len(), got.Len()+n, texts)
			}
		}
		got.Write(buf[:n])
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes came, not %d", got.Len(), want.Len())
	}
	if len(at) > 0 {
		t.Errorf("these did not come: %v", at)
	}
}

// What was not passed by the end is closed.
func TestWriteFilesNotSent(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	c, h := unixPair(t, e, newTaker(0))
	f := scratch(t, "")
	defer f.Close()
	rig.On(t, e.Loop(), func() {
		h.Do(func(c *rondo.Conn) {
			_, _ = c.Write(make([]byte, 4<<20))
			if err := c.WriteFiles([]byte("x"), f, f); err != nil {
				t.Error(err)
			}
		})
	})
	rig.On(t, e.Loop(), func() {})
	if n := descriptorsOf(t, f.Name()); n != 3 {
		t.Errorf("%d descriptors of the file are open", n)
	}
	_ = c.Close()
	for h.Alive() {
		rig.On(t, e.Loop(), func() {})
	}
	if n := descriptorsOf(t, f.Name()); n != 1 {
		t.Errorf("%d descriptors of the file are open", n)
	}
}

func TestWriteFilesRefuses(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	f := scratch(t, "")
	_, h := unixPair(t, e, newTaker(0))
	r := newRecorder(t)
	tcp := rig.Result(t, e.Dial(t.Context(), "tcp", e.serve(func() rondo.Protocol { return echo{} }), r))
	rig.On(t, e.Loop(), func() {
		if err := tcp.WriteFiles([]byte("x"), f); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("over TCP: %v", err)
		}
		if _, err := tcp.PeerCredentials(); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("over TCP: %v", err)
		}
	})
	_ = f.Close()
	done := make(chan struct{})
	h.Do(func(c *rondo.Conn) {
		defer close(done)
		if err := c.WriteFiles(nil, f); err == nil || errors.Is(err, rondo.ErrClosed) {
			t.Errorf("without bytes: %v", err)
		}
		if err := c.WriteFiles([]byte("x"), f); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed file: %v", err)
		}
		if err := c.WriteFiles([]byte("x"), make([]*os.File, 254)...); err == nil || !strings.Contains(err.Error(), "253") {
			t.Errorf("too many: %v", err)
		}
		c.Abort()
		if err := c.WriteFiles([]byte("x"), f); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
	rig.Await(t, done)
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("host")
		if _, err := h.Engine().Listen("unix", "/s", func() rondo.Protocol { return echo{} }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		p := newTaker(0)
		c, err := h.Engine().Dial(t.Context(), "unix", "/s", p).Wait(t.Context())
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		c.Handle().Do(func(c *rondo.Conn) {
			if err := c.WriteFiles([]byte("x"), os.Stdin); !errors.Is(err, errors.ErrUnsupported) {
				w.Errorf("simulated: %v", err)
			}
			if _, err := c.PeerCredentials(); !errors.Is(err, errors.ErrUnsupported) {
				w.Errorf("simulated: %v", err)
			}
			c.Abort()
		})
		w.Sleep(time.Second)
		if len(p.lost) == 0 {
			w.Errorf("nothing was tried")
		}
	})
}

// losing is a poller that has no room for what is passed.
type losing struct {
	poller.Poller
	poller.Passer
}

func (l losing) RecvFiles(fd int, p []byte) (int, []int, bool, error) {
	n, fds, _, err := l.Passer.RecvFiles(fd, p)
	return n, fds, len(fds) > 0, err
}

// Files that the process has no room for are not lost in silence.
func TestFilesLost(t *testing.T) {
	p := newTaker(9)
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { return losing{p, p.(poller.Passer)} })
	c, _ := unixPair(t, e, p)
	f := scratch(t, "")
	defer f.Close()
	pass(t, c, "x", f, f)
	if err := rig.Await(t, p.lost); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("the reason is %v", err)
	}
	if n := descriptorsOf(t, f.Name()); n != 1 || len(p.files) > 0 {
		t.Errorf("%d descriptors of the file are open, %d were given", n, len(p.files))
	}
}

func TestPeerCredentials(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	_, h := unixPair(t, e, newTaker(0))
	done := make(chan struct{})
	h.Do(func(c *rondo.Conn) {
		defer close(done)
		who, err := c.PeerCredentials()
		if want := (rondo.Credentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}); err != nil || who != want {
			t.Errorf("the peer is %v, %v", who, err)
		}
		c.Abort()
		if _, err := c.PeerCredentials(); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
	rig.Await(t, done)
}

// Abstract names are in no folder, and free again with their last socket.
func TestAbstractName(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	name := "@rondo/" + filepath.Base(t.TempDir()) + "/" + t.Name()
	for range 2 {
		ln, err := e.Listen("unix", name, func() rondo.Protocol { return echo{} })
		if err != nil {
			t.Fatal(err)
		}
		if got := ln.Addr().String(); got != name {
			t.Errorf("it listens on %q", got)
		}
		r := newTaker(0)
		c := rig.Result(t, e.Dial(t.Context(), "unix", name, r))
		c.Handle().Do(func(c *rondo.Conn) {
			if got := c.RemoteAddr().String(); got != name {
				t.Errorf("the peer is %q", got)
			}
			_, _ = c.Write([]byte("hello"))
		})
		rig.Await(t, r.heard)
		c.Handle().Abort()
		_ = ln.Close()
		rig.On(t, e.Loop(), func() {})
		rig.On(t, e.Loop(), func() {})
	}
}
