package rondo_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/internal/sock"
	"github.com/rondo-go/rondo/sim"
)

// parcel is a datagram as unwrapping has had it.
type parcel struct {
	data   string
	from   rondo.PacketAddr
	files  []*os.File // those that were taken
	came   int
	lost   bool
	sender *rondo.Credentials
}

// unwrapping takes some of the files that come.
type unwrapping struct {
	*packets
	most int
	act  func(c *rondo.PacketConn) // may be nil
	got  chan parcel
}

func newUnwrapping(most int) *unwrapping {
	return &unwrapping{packets: newPackets(nil), most: most, got: make(chan parcel, 1000)}
}

func (u *unwrapping) UnixPacketReceived(c *rondo.PacketConn, p rondo.UnixPacket) int {
	n := min(u.most, len(p.Files))
	u.got <- parcel{string(p.Data), p.From, p.Files[:n:n], len(p.Files), p.FilesLost, p.Sender}
	if u.act != nil {
		u.act(c)
	}
	return n
}

// packetBox is a Unix socket of the engine's with that protocol, and a raw one to send to it from.
func packetBox(t *testing.T, e *engine, cfg rondo.PacketConfig, p rondo.PacketProtocol) (*rondo.PacketListener, rawPost) {
	t.Helper()
	pl, err := cfg.Listen(e.Engine, "unixgram", filepath.Join(t.TempDir(), "box"), func() rondo.PacketProtocol { return p })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "from"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return pl, rawPost{c, pl.Addr().(*net.UnixAddr)}
}

// rawPost is a socket of package net's, and where it sends to.
type rawPost struct {
	*net.UnixConn
	to *net.UnixAddr
}

func (c rawPost) send(t *testing.T, text string, files ...*os.File) {
	t.Helper()
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = syscall.UnixRights(fds...)
	}
	if _, _, err := c.WriteMsgUnix([]byte(text), rights, c.to); err != nil {
		t.Fatal(err)
	}
}

// expectClosed sees that nobody has w any more but its owner, who gives it up: then its reader is told of the end.
func expectClosed(t *testing.T, r, w *os.File) {
	t.Helper()
	_ = w.Close()
	ended := make(chan error, 1)
	go func() {
		n, err := r.Read(make([]byte, 1))
		ended <- fmt.Errorf("%d, %w", n, err)
	}()
	if err := rig.Await(t, ended); !errors.Is(err, io.EOF) {
		t.Errorf("the pipe's reader is told %v", err)
	}
}

// Files come with their datagram, and so does who has sent it; a datagram of no bytes can have some too.
func TestUnixPacketFiles(t *testing.T) {
	for _, asked := range []bool{false, true} {
		t.Run(fmt.Sprint("credentials ", asked), func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			u := newUnwrapping(9)
			_, c := packetBox(t, e, rondo.PacketConfig{Credentials: asked}, u)
			r, w := rig.Pipe(t)
			f := scratch(t, "hello")
			defer f.Close()
			c.send(t, "plain")
			c.send(t, "FDSTORE=1", w, f)
			c.send(t, "", f)
			for i, want := range []struct {
				data  string
				files int
			}{{"plain", 0}, {"FDSTORE=1", 2}, {"", 1}} {
				p := rig.Await(t, u.got)
				if p.data != want.data || len(p.files) != want.files || p.lost || p.from.Name != c.LocalAddr().String() {
					t.Errorf("%d: %+v came", i, p)
				}
				if me := (rondo.Credentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}); asked && (p.sender == nil || *p.sender != me) || !asked && p.sender != nil {
					t.Errorf("%d: its sender is %v", i, p.sender)
				}
				for k, f := range p.files {
					if flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_GETFD, 0); errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
						t.Error("child processes would inherit the file")
					}
					if i == 1 && k == 0 {
						if _, err := f.WriteString("through the pipe"); err != nil {
							t.Error(err)
						}
					} else if got := content(t, f); got != "hello" {
						t.Errorf("%q is in the file", got)
					}
					_ = f.Close()
				}
			}
			_ = w.Close()
			if text, err := io.ReadAll(r); string(text) != "through the pipe" || err != nil {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// Whatever the protocol does, nothing stays open that it has not taken.
func TestUnixPacketFilesNotTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		u     *unwrapping
		act   func(c *rondo.PacketConn)
		plain bool
		ends  bool
	}{
		"not wanted": {plain: true},
		"none taken": {u: newUnwrapping(0)},
		"closes":     {u: newUnwrapping(0), act: func(c *rondo.PacketConn) { _ = c.Close() }, ends: true},
		"aborts":     {u: newUnwrapping(0), act: (*rondo.PacketConn).Abort, ends: true},
		"panics":     {u: newUnwrapping(1), act: func(*rondo.PacketConn) { panic("no room") }, ends: true},
		"gives way":  {u: newUnwrapping(0), act: func(c *rondo.PacketConn) { c.SetProtocol(newPackets(quiet)) }},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			heard := make(chan struct{}, 9)
			var p rondo.PacketProtocol
			if tt.plain {
				p = newPackets(func(*rondo.PacketConn, rondo.Packet) { heard <- struct{}{} })
			} else {
				tt.u.act = tt.act
				p = tt.u
			}
			_, c := packetBox(t, e, rondo.PacketConfig{}, p)
			r, w := rig.Pipe(t)
			c.send(t, "x", w, w)
			if !tt.ends { // else there may be nobody any more
				c.send(t, "y", w)
			}
			switch {
			case tt.plain:
				rig.Await(t, heard)
			case tt.ends:
				rig.Await(t, tt.u.closed)
			default:
				rig.Await(t, tt.u.got)
			}
			expectClosed(t, r, w)
			e.Log.Discard("no room")
		})
	}
}

// Of several files those at the front are taken.
func TestUnixPacketFilesTakenInPart(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	u := newUnwrapping(1)
	_, c := packetBox(t, e, rondo.PacketConfig{}, u)
	f := scratch(t, "the first")
	defer f.Close()
	r, w := rig.Pipe(t)
	c.send(t, "x", f, w)
	p := rig.Await(t, u.got)
	expectClosed(t, r, w)
	if p.came != 2 || content(t, p.files[0]) != "the first" {
		t.Errorf("%+v came", p)
	}
	_ = p.files[0].Close()
}

// A number of files that cannot be is a panic of the protocol's, and leaks nothing.
func TestUnixPacketFilesMiscounted(t *testing.T) {
	for _, n := range []int{-1, 2} {
		e := newTestEngine(t, rondo.Config{})
		u := &miscounting{newPackets(nil), n}
		_, c := packetBox(t, e, rondo.PacketConfig{}, u)
		r, w := rig.Pipe(t)
		c.send(t, "x", w)
		if err, ok := errors.AsType[*rondo.PanicError](rig.Await(t, u.closed)); !ok || !strings.Contains(err.Error(), "UnixPacketReceived") {
			t.Errorf("it was closed with %v", err)
		}
		expectClosed(t, r, w)
		e.Log.Discard("UnixPacketReceived")
	}
}

type miscounting struct {
	*packets
	n int
}

func (m *miscounting) UnixPacketReceived(*rondo.PacketConn, rondo.UnixPacket) int { return m.n }

// cramped is a poller of a process that has room for one descriptor of those that come.
type cramped struct {
	poller.Poller
	poller.Passer
}

func (c cramped) RecvUnixPacket(fd int, b *sock.PacketBuffer, size int) (sock.UnixPacket, error) {
	u, err := c.Passer.RecvUnixPacket(fd, b, size)
	if len(u.FDs) > 1 {
		for _, fd := range u.FDs[1:] {
			_ = syscall.Close(fd)
		}
		u.FDs, u.Lost = u.FDs[:1], true
	}
	return u, err
}

// Files for which there is no room are not lost in silence; the bytes come, and those of the files that came are closed. (That the kernel's word is heard is tested in internal/sock.)
func TestUnixPacketFilesLost(t *testing.T) {
	u := newUnwrapping(9)
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { return cramped{p, p.(poller.Passer)} })
	_, c := packetBox(t, e, rondo.PacketConfig{}, u)
	r, w := rig.Pipe(t)
	c.send(t, "x", w, w)
	c.send(t, "y")
	if p := rig.Await(t, u.got); p.data != "x" || !p.lost || p.came != 0 {
		t.Errorf("%+v came", p)
	}
	if p := rig.Await(t, u.got); p.data != "y" || p.lost {
		t.Errorf("%+v came", p)
	}
	expectClosed(t, r, w)
}

// Many datagrams with files each, written at once: each has its own, in order, whether the kernel has room or not, and the writer may close them at once.
func TestWriteFilesTo(t *testing.T) {
	for _, connected := range []bool{false, true} {
		t.Run(fmt.Sprint("connected ", connected), func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			u := newUnwrapping(9)
			pl, _ := packetBox(t, e, rondo.PacketConfig{}, u)
			var from rondo.PacketHandle
			if connected {
				from = rig.Result(t, e.DialPacket(t.Context(), "unixgram", pl.Addr().String(), newPackets(quiet))).Handle()
			} else {
				from = mustListenPacket(t, e, "unixgram", "", newPackets(quiet)).Handle()
			}
			const many = 200
			wrote := make(chan struct{})
			from.Do(func(c *rondo.PacketConn) {
				defer close(wrote)
				for i := range many {
					var files []*os.File
					for range i % 3 {
						files = append(files, scratch(t, fmt.Sprint("file ", i)))
					}
					err := error(nil)
					if data := fmt.Append(nil, i); connected {
						err = c.WriteFiles(data, files...)
					} else {
						err = c.WriteFilesTo(data, pl.LocalAddr(), files...)
					}
					if err != nil {
						t.Error(err)
					}
					for _, f := range files {
						_ = f.Close()
					}
				}
				if c.Buffered() == 0 {
					t.Error("the kernel has taken all: the test shows nothing of what waits")
				}
			})
			rig.Await(t, wrote)
			for i := range many {
				p := rig.Await(t, u.got)
				if p.data != fmt.Sprint(i) || len(p.files) != i%3 {
					t.Fatalf("%+v came, not %d", p, i)
				}
				for _, f := range p.files {
					if got := content(t, f); got != fmt.Sprint("file ", i) {
						t.Errorf("%q came with %d", got, i)
					}
					_ = f.Close()
				}
			}
		})
	}
}

// No more files wait than may. Who has been refused is told when there is room, and what never goes is closed.
func TestWriteFilesToWaits(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	u := newUnwrapping(0)
	pl, _ := packetBox(t, e, rondo.PacketConfig{}, u)
	to := pl.LocalAddr()
	onSocket(t, pl.Handle(), (*rondo.PacketConn).PauseReading)
	r, w := rig.Pipe(t)
	p := &pressed{newPackets(quiet), make(chan string, 9)}
	from := mustListenPacket(t, e, "unixgram", "", p).Handle()
	several := slices.Repeat([]*os.File{w}, 100)
	fill := func(c *rondo.PacketConn) {
		n := 0
		err := error(nil)
		for ; err == nil; n++ {
			err = c.WriteFilesTo([]byte("x"), to, several...)
		}
		if n--; !errors.Is(err, rondo.ErrPacketQueueFull) || !strings.Contains(err.Error(), "512") || n < 5 {
			t.Errorf("%d were taken, and then %v", n, err)
		}
		if err := c.WriteTo([]byte("y"), to); err != nil {
			t.Errorf("one without files: %v", err)
		}
	}
	onSocket(t, from, fill)
	if got := rig.Await(t, p.told); got != "pause" {
		t.Errorf("%s was told", got)
	}
	pl.Handle().Do((*rondo.PacketConn).ResumeReading)
	if got := rig.Await(t, p.told); got != "resume" {
		t.Errorf("%s was told", got)
	}
	for x := rig.Await(t, u.got); x.data != "y"; x = rig.Await(t, u.got) {
		if x.came != 100 {
			t.Errorf("%d files came", x.came)
		}
	}

	onSocket(t, pl.Handle(), (*rondo.PacketConn).PauseReading)
	onSocket(t, from, fill)
	from.Abort()
	rig.Await(t, p.closed)
	_ = pl.Close() // with what the kernel has for it
	rig.Await(t, u.closed)
	expectClosed(t, r, w)
}

// While one receiver has no room others get theirs, and a datagram that is refused for its size keeps no files.
func TestWriteFilesToOthers(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	slow := mustListenPacket(t, e, "unixgram", filepath.Join(t.TempDir(), "slow"), newPackets(quiet))
	onSocket(t, slow.Handle(), (*rondo.PacketConn).PauseReading)
	u := newUnwrapping(0)
	pl, _ := packetBox(t, e, rondo.PacketConfig{}, u)
	r, w := rig.Pipe(t)
	p := newPackets(quiet)
	from, err := rondo.PacketConfig{WriteLimit: 10_000}.Listen(e.Engine, "unixgram", "", func() rondo.PacketProtocol { return p })
	if err != nil {
		t.Fatal(err)
	}
	onSocket(t, from.Handle(), func(c *rondo.PacketConn) {
		for range 50 { // more than the kernel takes
			_ = c.WriteTo([]byte("x"), slow.LocalAddr())
		}
		if err := c.WriteFilesTo([]byte("z"), pl.LocalAddr(), w, w); err != nil {
			t.Error(err)
		}
	})
	if x := rig.Await(t, u.got); x.data != "z" || x.came != 2 {
		t.Errorf("%+v came", x)
	}
	onSocket(t, from.Handle(), func(c *rondo.PacketConn) {
		if c.Buffered() == 0 {
			t.Error("the slow one had room: the test shows nothing")
		}
		if err := c.WriteFilesTo(make([]byte, 10_000), pl.LocalAddr(), w); !errors.Is(err, rondo.ErrPacketQueueFull) {
			t.Errorf("beyond the limit: %v", err)
		}
	})
	expectClosed(t, r, w)
}

// onSocket runs fn on the socket's loop, and returns when it has.
func onSocket(t *testing.T, h rondo.PacketHandle, fn func(c *rondo.PacketConn)) {
	t.Helper()
	done := make(chan struct{})
	if !h.Do(func(c *rondo.PacketConn) { defer close(done); fn(c) }) {
		t.Fatal("the socket is closed")
	}
	rig.Await(t, done)
}

// A datagram that cannot be sent takes its files with it, and the others go on.
func TestWriteFilesToNobody(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	p := newPackets(quiet)
	from := mustListenPacket(t, e, "unixgram", "", p).Handle()
	r, w := rig.Pipe(t)
	nobody := rondo.PacketAddr{Name: filepath.Join(t.TempDir(), "nobody")}
	from.Do(func(c *rondo.PacketConn) {
		if err := c.WriteFilesTo([]byte("x"), nobody, w, w); err != nil {
			t.Error(err)
		}
	})
	if err := rig.Await(t, p.errs); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v was told", err)
	}
	expectClosed(t, r, w)
}

func TestWriteFilesToRefuses(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	f := scratch(t, "")
	udp := mustListenPacket(t, e, "udp", "127.0.0.1:0", newPackets(quiet))
	unix := mustListenPacket(t, e, "unixgram", "", newPackets(quiet))
	sink := mustListenPacket(t, e, "unixgram", filepath.Join(t.TempDir(), "s"), newPackets(quiet)).LocalAddr()
	done := make(chan struct{}, 2)
	udp.Handle().Do(func(c *rondo.PacketConn) {
		err := c.WriteFilesTo([]byte("x"), udp.LocalAddr(), f)
		if _, ok := errors.AsType[*net.OpError](err); !ok || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "Unix sockets") {
			t.Errorf("over UDP: %v", err)
		}
		if err := c.WriteFilesTo([]byte("x"), udp.LocalAddr()); err != nil {
			t.Errorf("over UDP, of no files: %v", err)
		}
		done <- struct{}{}
	})
	unix.Handle().Do(func(c *rondo.PacketConn) {
		if err := c.WriteFiles([]byte("x"), f); err == nil || !strings.Contains(err.Error(), "not connected") {
			t.Errorf("to nobody: %v", err)
		}
		if err := c.WriteFilesTo([]byte("x"), sink, make([]*os.File, 254)...); err == nil || !strings.Contains(err.Error(), "253") {
			t.Errorf("too many: %v", err)
		}
		_ = f.Close()
		if err := c.WriteFilesTo([]byte("x"), sink, f); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed file: %v", err)
		}
		_ = c.Close()
		if err := c.WriteFilesTo([]byte("x"), sink, f); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
		done <- struct{}{}
	})
	rig.Await(t, done)
	rig.Await(t, done)
	cfg := rondo.PacketConfig{Credentials: true}
	if _, err := cfg.Listen(e.Engine, "udp", "127.0.0.1:0", func() rondo.PacketProtocol { return newPackets(quiet) }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("credentials over UDP: %v", err)
	}
	if _, err := wait(t, cfg.Dial(t.Context(), e.Engine, "udp", "127.0.0.1:1", newPackets(quiet))); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("credentials over UDP: %v", err)
	}
}

// In a simulation the same protocol is called, and nothing comes beside the bytes; what cannot be is refused.
func TestUnixPacketsInWorld(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("host").Engine()
		u := newUnwrapping(9)
		pl, err := e.ListenPacket("unixgram", "/box", u)
		if err != nil {
			w.Fatalf("%v", err)
		}
		from, err := e.ListenPacket("unixgram", "", newPackets(quiet))
		if err != nil {
			w.Fatalf("%v", err)
		}
		from.Handle().Do(func(c *rondo.PacketConn) {
			if err := c.WriteFilesTo([]byte("x"), pl.LocalAddr(), os.Stdin); !errors.Is(err, errors.ErrUnsupported) {
				w.Errorf("simulated: %v", err)
			}
			for _, s := range numbered(20) {
				_ = c.WriteTo([]byte(s), pl.LocalAddr())
			}
		})
		w.Sleep(time.Second)
		if len(u.got) != 20 {
			w.Fatalf("%d came", len(u.got))
		}
		for _, s := range numbered(20) {
			if p := <-u.got; p.data != s || p.came > 0 || p.lost || p.sender != nil {
				w.Errorf("%+v came", p)
			}
		}
		if _, err := (rondo.PacketConfig{Credentials: true}).Listen(e, "unixgram", "/other", func() rondo.PacketProtocol { return u }); !errors.Is(err, errors.ErrUnsupported) {
			w.Errorf("simulated: %v", err)
		}
	})
}
