package rondo_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestAddresses(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() {
		if got, ok := c.RemoteAddr().(*net.TCPAddr); !ok || got.String() != peer.LocalAddr().String() {
			t.Errorf("the remote address is %v, want %v", got, peer.LocalAddr())
		}
		if got, ok := c.LocalAddr().(*net.TCPAddr); !ok || got.String() != peer.RemoteAddr().String() {
			t.Errorf("the local address is %v, want %v", got, peer.RemoteAddr())
		}
		c.Abort()
		if c.RemoteAddr().String() != peer.LocalAddr().String() || c.LocalAddr() != nil {
			t.Errorf("after the end: %v and %v", c.RemoteAddr(), c.LocalAddr())
		}
	})
}

func TestUnixSocket(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	dir, err := os.MkdirTemp("", "rondo") //nolint:usetesting // t.TempDir's names are too long for some systems' sockets
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "s")
	r := newRecorder(t)
	r.onData = func(c *rondo.Conn, p []byte) int { _, _ = c.Write(p); return len(p) }
	if _, err := e.Listen("unix", path, func() rondo.Protocol { return r }); err != nil {
		t.Fatal(err)
	}
	own := &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "peer")}
	peer, err := net.DialUnix("unix", own, &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	rig.Send(t, peer, "hello")
	rig.Expect(t, peer, "hello")
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() {
		if a, ok := c.RemoteAddr().(*net.UnixAddr); !ok || a.Name != own.Name {
			t.Errorf("the remote address is %v, want %v", c.RemoteAddr(), own)
		}
		if a, ok := c.LocalAddr().(*net.UnixAddr); !ok || a.Name != path {
			t.Errorf("the local address is %v, want %v", c.LocalAddr(), path)
		}
		// What does not apply does nothing.
		if err := c.SetNoDelay(false); err != nil {
			t.Error(err)
		}
		if err := c.SetKeepAlive(time.Second); err != nil {
			t.Error(err)
		}
		c.Abort()
		if a, ok := c.RemoteAddr().(*net.UnixAddr); !ok || a.Name != "" {
			t.Errorf("the remote address is %v after the end", c.RemoteAddr())
		}
	})
}

// options is a poller that notes what is set.
type options struct {
	poller.Poller
	noDelay   []bool
	keepAlive []time.Duration
	err       error
}

func (o *options) SetNoDelay(fd int, on bool) error {
	o.noDelay = append(o.noDelay, on)
	if o.err != nil {
		return o.err
	}
	return o.Poller.SetNoDelay(fd, on)
}

func (o *options) SetKeepAlive(fd int, idle time.Duration) error {
	o.keepAlive = append(o.keepAlive, idle)
	if o.err != nil {
		return o.err
	}
	return o.Poller.SetKeepAlive(fd, idle)
}

func TestOptions(t *testing.T) {
	o := new(options)
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { o.Poller = p; return o })
	r := newRecorder(t)
	e.connect(r)
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() {
		for _, on := range []bool{false, true} {
			if err := c.SetNoDelay(on); err != nil || o.noDelay[len(o.noDelay)-1] != on {
				t.Errorf("SetNoDelay(%v): %v, %v", on, err, o.noDelay)
			}
		}
		for _, idle := range []time.Duration{time.Minute, 1, 0, -1} {
			if err := c.SetKeepAlive(idle); err != nil || o.keepAlive[len(o.keepAlive)-1] != idle {
				t.Errorf("SetKeepAlive(%v): %v, %v", idle, err, o.keepAlive)
			}
		}
		o.err = errTest
		for _, err := range []error{c.SetNoDelay(true), c.SetKeepAlive(time.Second)} {
			if err == nil || !strings.Contains(err.Error(), "set tcp") || !strings.Contains(err.Error(), errTest.Error()) {
				t.Errorf("an error: %v", err)
			}
		}
	})
}

// A connection of which nothing is wanted still hears that its peer has reset it, where the poller can
// tell.
func TestResetWhilePaused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	if p := e.Poller(); p != "epoll" && p != "poll" {
		t.Skipf("the %s poller cannot see errors of a connection of which nothing is wanted", p)
	}
	r := newRecorder(t)
	r.onMade = (*rondo.Conn).PauseReading
	peer := e.connect(r)
	l := rig.Await(t, r.made).Loop()
	rig.On(t, l, func() {})
	reset(t, peer)
	if _, ok := rig.Await(t, r.lost).(*net.OpError); !ok { //nolint:errorlint // that is what is documented
		t.Error("the reason is not a *net.OpError")
	}
}

// An echo leaves an idle connection with no buffers, and costs no allocation once it is under way.
func TestEchoAllocations(t *testing.T) {
	if rondo.RaceEnabled {
		t.Skip("not under the race detector, which allocates itself")
	}
	e := newTestEngine(t, rondo.Config{})
	peer := e.connect(echo{})
	message, answer := make([]byte, 128), make([]byte, 128)
	allocations := testing.AllocsPerRun(2000, func() {
		if _, err := peer.Write(message); err != nil {
			t.Fatal(err)
		}
		if _, err := peer.Read(answer); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations for each message", allocations)
	}
}
