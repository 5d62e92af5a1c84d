//go:build unix

package rondo_test

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// TestFileFlags ends a connection in each way there is, and sees that the open file which others have too is as it
// was; where it was opened anew, at all times.
func TestFileFlags(t *testing.T) {
	ends := map[string]func(t *testing.T, e *engine, c *rondo.Conn, other *os.File){
		"Close": func(t *testing.T, _ *engine, c *rondo.Conn, _ *os.File) {
			rig.On(t, c.Loop(), func() { _ = c.Close() })
		},
		"Abort":      func(t *testing.T, _ *engine, c *rondo.Conn, _ *os.File) { rig.On(t, c.Loop(), c.Abort) },
		"other side": func(_ *testing.T, _ *engine, _ *rondo.Conn, other *os.File) { other.Close() },
		"panic": func(t *testing.T, e *engine, c *rondo.Conn, other *os.File) {
			rig.Send(t, other, "panic")
			e.Log.Await(t, "as told")
		},
		"engine Close": func(t *testing.T, e *engine, _ *rondo.Conn, _ *os.File) {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		},
		"engine Shutdown": func(t *testing.T, e *engine, _ *rondo.Conn, _ *os.File) {
			if err := e.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		},
	}
	for _, way := range ways {
		for name, end := range ends {
			t.Run(way.name+"/"+name, func(t *testing.T) {
				e := newEngineOver(t, rondo.Config{}, way.wrap)
				r, w := rig.Pipe(t)
				before := rig.StatusFlags(t, r)
				rec := newRecorder(t)
				rec.onData = func(*rondo.Conn, []byte) int { panic("as told") }
				c := e.openFile(r, rec)
				during := rig.StatusFlags(t, r)
				if anew := way.name == "preferred" && runtime.GOOS == "linux"; anew != (during == before) {
					t.Errorf("the flags are %#o, were %#o", during, before)
				}
				end(t, e, c, w)
				rig.Await(t, rec.lost)
				if after := rig.StatusFlags(t, r); after != before {
					t.Errorf("the flags are %#o at the end, were %#o", after, before)
				}
			})
		}
	}
}

// TestFileFlagsNonBlocking leaves what did not block before as it was.
func TestFileFlagsNonBlocking(t *testing.T) {
	eachWay(t, func(t *testing.T, e *engine) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		before := rig.StatusFlags(t, r)
		rec := newRecorder(t)
		c := e.openFile(r, rec)
		rig.On(t, c.Loop(), c.Abort)
		rig.Await(t, rec.lost)
		if after := rig.StatusFlags(t, r); after != before {
			t.Errorf("the flags are %#o at the end, were %#o", after, before)
		}
	})
}

// TestFileFlagsTwice has two connections over one open file, as standard input and output often are, and one over
// another open file of the same pipe. The one that ends first must not make the other block.
func TestFileFlagsTwice(t *testing.T) {
	e := newEngineOver(t, rondo.Config{}, ways[1].wrap)
	r, _ := rig.Pipe(t)
	before := rig.StatusFlags(t, r)
	first, second, apart := newRecorder(t), newRecorder(t), newRecorder(t)
	a, b := e.openFile(r, first), e.openFile(r, second)
	during := rig.StatusFlags(t, r)
	if during == before {
		t.Fatal("the shared way shares nothing")
	}
	if runtime.GOOS == "linux" {
		again, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(r.Fd())), os.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		was := rig.StatusFlags(t, again)
		c := e.openFile(again, apart)
		rig.On(t, c.Loop(), c.Abort)
		rig.Await(t, apart.lost)
		if is := rig.StatusFlags(t, again); is != was {
			t.Errorf("the other open file's flags are %#o at the end, were %#o", is, was)
		}
	}
	rig.On(t, a.Loop(), a.Abort)
	rig.Await(t, first.lost)
	if now := rig.StatusFlags(t, r); now != during {
		t.Errorf("with one of two connections left the flags are %#o, were %#o", now, during)
	}
	rig.On(t, b.Loop(), b.Abort)
	rig.Await(t, second.lost)
	if after := rig.StatusFlags(t, r); after != before {
		t.Errorf("the flags are %#o at the end, were %#o", after, before)
	}
}

// TestFileSocket is what inetd does: the connection comes as a descriptor.
func TestFileSocket(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			f, peer := inherited(t, network)
			before := rig.StatusFlags(t, f)
			rec := newRecorder(t)
			rec.onData = func(c *rondo.Conn, p []byte) int {
				_, _ = c.Write(p)
				_ = c.CloseWrite()
				return len(p)
			}
			c := e.openFile(f, halfCloser{rec})
			rig.On(t, c.Loop(), func() {
				if got := c.RemoteAddr(); got.Network() != network || network == "tcp" && got.String() != peer.LocalAddr().String() {
					t.Errorf("the remote address is %v", got)
				}
				if err := c.SetNoDelay(true); err != nil {
					t.Error(err)
				}
			})
			rig.Send(t, peer, "hello")
			if got := rig.Rest(t, peer); string(got) != "hello" {
				t.Errorf("the echo is %q", got)
			}
			rig.On(t, c.Loop(), c.Abort)
			if err := rig.Await(t, rec.lost); !errors.Is(err, rondo.ErrAborted) {
				t.Error(err)
			}
			if after := rig.StatusFlags(t, f); after != before {
				t.Errorf("the flags are %#o at the end, were %#o", after, before)
			}
			f.Close()
			if n, err := peer.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // Read's contract
				t.Errorf("a borrowed socket was reset: %d, %v", n, err)
			}
		})
	}
}

// inherited is one end of a connection as a file that blocks, and the other end.
func inherited(t *testing.T, network string) (*os.File, net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "rondo") //nolint:usetesting // t.TempDir's names are too long for some systems' sockets
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		address = dir + "/s"
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial(network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := syscall.SetNonblock(int(f.Fd()), false); err != nil {
		t.Fatal(err)
	}
	return f, peer
}
