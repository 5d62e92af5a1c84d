package rondo_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestDialUnix(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	s := newRecorder(t)
	remote := make(chan net.Addr, 1)
	s.onMade = func(c *rondo.Conn) { remote <- c.RemoteAddr() }
	s.onData = echo{}.DataReceived
	mustListen(t, e, rondo.ListenConfig{}, "unix", path, func() rondo.Protocol { return s })
	local := &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "client")}
	c, err := rondo.Dialer{LocalAddr: local}.DialContext(t.Context(), e.Engine, "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c, "hello")
	if a := rig.Await(t, remote); a.String() != local.Name {
		t.Errorf("the peer sees %v", a)
	}
	if c.RemoteAddr().String() != path || c.LocalAddr().String() != local.Name {
		t.Errorf("the connection is from %v to %v", c.LocalAddr(), c.RemoteAddr())
	}
	c.Close()
	rig.Await(t, s.lost)
}

// A Unix socket whose backlog is full refuses rather than waits, so it is tried again.
func TestDialUnixFullBacklog(t *testing.T) {
	var refused atomic.Int32
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		return &gate{Poller: p, onConnect: func(p poller.Poller, remote, local net.Addr) (int, error) {
			fd, err := p.Connect(remote, local)
			if errors.Is(err, syscall.EAGAIN) {
				refused.Add(1)
			}
			return fd, err
		}}
	})
	path := filepath.Join(t.TempDir(), "s")
	peers := crowded(t, "unix", path)
	short := rondo.Dialer{Timeout: 20 * time.Millisecond}
	dialFails(t, e, short, "unix", path, os.ErrDeadlineExceeded, path)
	if refused.Load() < 2 {
		t.Errorf("the backlog was full %d times", refused.Load())
	}
	r := newRecorder(t)
	f := e.Dial(t.Context(), "unix", path, r)
	rig.On(t, e.Loop(), func() {})
	if err := peers.Close(); err != nil { // then it is refused for good
		t.Fatal(err)
	}
	if _, err := wait(t, f); !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the listener was closed: %v", err)
	}
}

func TestDialUnixServedAtLast(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	path := filepath.Join(t.TempDir(), "s")
	s := newCensus()
	mustListen(t, e, rondo.ListenConfig{MaxConns: 1, Backlog: 1}, "unix", path, s.accept)
	const many = 8
	dialer := rondo.Dialer{Timeout: rig.Patience, Loop: e.Loop()}
	var futures []*rondo.Future[*rondo.Conn]
	for range many {
		futures = append(futures, dialer.Dial(t.Context(), e.Engine, "unix", path, newRecorder(t)))
	}
	for range many {
		rig.Await(t, s.made).Handle().Abort()
	}
	for _, f := range futures {
		rig.Result(t, f)
	}
}
