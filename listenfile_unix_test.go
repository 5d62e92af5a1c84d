//go:build unix

package rondo_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// fileEcho sends back what it gets.
type fileEcho struct{}

func (fileEcho) ConnectionMade(*rondo.Conn)               {}
func (fileEcho) DataReceived(c *rondo.Conn, p []byte) int { _, _ = c.Write(p); return len(p) }
func (fileEcho) ConnectionLost(*rondo.Conn, error)        {}

func newFileEcho() rondo.Protocol { return fileEcho{} }

// opened are a listening socket of somebody else's, and its file.
func opened(t *testing.T, network, address string) (net.Listener, *os.File) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ln.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(); _ = ln.Close() })
	return ln, f
}

// A socket that somebody else has opened is listened on, by as many as like to; closing it closes ours only, and leaves a Unix socket's file.
func TestListenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": path} {
		t.Run(network, func(t *testing.T) {
			theirs, f := opened(t, network, address)
			raw, err := f.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			if err := raw.Control(func(fd uintptr) { err = syscall.SetNonblock(int(fd), false) }); err != nil {
				t.Fatal(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			before := rig.StatusFlags(t, f)
			e := rig.New(t, rondo.Config{Loops: 2})
			for range 2 {
				ln, err := e.ListenFile(f, newFileEcho)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := ln.Addr().String(), theirs.Addr().String(); got != want {
					t.Errorf("it listens on %s, want %s", got, want)
				}
				c, err := net.Dial(network, ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				rig.Send(t, c, "hello")
				rig.Expect(t, c, "hello")
				_ = c.Close()
				_ = ln.Close()
			}
			if network == "unix" {
				if _, err := os.Stat(path); err != nil {
					t.Error(err)
				}
			}
			rig.Eventually(t, "flags are as they were", func() bool { return rig.StatusFlags(t, f) == before })
		})
	}
}

// A net.Listener is made of it likewise, and MaxConns holds.
func TestServeNet(t *testing.T) {
	_, f := opened(t, "tcp", "127.0.0.1:0")
	e := rig.New(t, rondo.Config{})
	bound, err := rondo.ListenConfig{MaxConns: 1}.BindFile(e.Engine, f)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := bound.ServeNet()
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := bound.ServeNet(); err == nil {
		t.Error("it is served twice")
	}
	first, second := rig.Dial(t, ln.Addr().String()), rig.Dial(t, ln.Addr().String())
	rig.Send(t, second, "second")
	for _, c := range []net.Conn{first, second} {
		got, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("accepted %v, want %v", got.RemoteAddr(), c.LocalAddr())
		}
		_ = got.Close()
	}
}

// What does not listen is refused with a sentence, and so is what is closed.
func TestListenFileRefuses(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	r, w := rig.Pipe(t)
	ln, closed := opened(t, "tcp", "127.0.0.1:0")
	c, err := rig.Dial(t, ln.Addr().String()).File()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = closed.Close()
	for _, test := range []struct {
		f    *os.File
		want error
	}{{r, syscall.EPROTOTYPE}, {w, syscall.EPROTOTYPE}, {c, syscall.EPROTOTYPE}, {closed, os.ErrClosed}, {nil, os.ErrInvalid}} {
		_, err := e.ListenFile(test.f, newFileEcho)
		if _, ok := errors.AsType[*fs.PathError](err); !ok || !errors.Is(err, test.want) {
			t.Errorf("%v; want %v", err, test.want)
		}
	}
	_, f := opened(t, "tcp", "127.0.0.1:0")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ListenFile(f, newFileEcho); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Error(err)
	}
}

// What a layer has learnt stands in the place of the peer's address, for net.Conns too.
func TestSetRemoteAddr(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	type told struct {
		addr net.Addr
		by   any
	}
	seen := make(chan told, 3)
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &renamed{func(c *rondo.Conn) {
			other := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}
			seen <- told{nil, c.RemoteAddrBy()}
			c.SetRemoteAddr(other, "proxy")
			seen <- told{c.RemoteAddr(), c.RemoteAddrBy()}
			seen <- told{rondo.NetConn(c).RemoteAddr(), nil}
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	rig.Dial(t, ln.Addr().String())
	if got := rig.Await(t, seen); got.by != nil {
		t.Error(got)
	}
	if got := rig.Await(t, seen); got.addr.String() != "192.0.2.1:5" || got.by != "proxy" {
		t.Error(got)
	}
	if got := rig.Await(t, seen); got.addr.String() != "192.0.2.1:5" {
		t.Error(got)
	}
}

type renamed struct{ made func(*rondo.Conn) }

func (r *renamed) ConnectionMade(c *rondo.Conn)           { r.made(c) }
func (*renamed) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (*renamed) ConnectionLost(*rondo.Conn, error)        {}
