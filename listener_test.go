package rondo_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func newEcho() rondo.Protocol { return echo{} }

// hasIPv6 reports whether the machine has the loopback address ::1.
func hasIPv6() bool {
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	ln.Close()
	return true
}

func mustListen(t *testing.T, e *engine, cfg rondo.ListenConfig, network, address string, accept func() rondo.Protocol) *rondo.Listener {
	t.Helper()
	ln, err := cfg.Listen(e.Engine, network, address, accept)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// port is the port of a listener, as text.
func port(ln interface{ Addr() net.Addr }) string {
	_, p, _ := net.SplitHostPort(ln.Addr().String())
	return p
}

// roundTrip checks that an echo answers.
func roundTrip(t testing.TB, c net.Conn, text string) {
	t.Helper()
	rig.Send(t, c, text)
	rig.Expect(t, c, text)
}

func TestListenNetworks(t *testing.T) {
	for _, test := range []struct {
		network, address string
		answers, silent  string // hosts
	}{
		{"tcp", "127.0.0.1:0", "127.0.0.1", "127.0.0.2"},
		{"tcp", "localhost:0", "127.0.0.1", ""},
		{"tcp4", "127.0.0.1:0", "127.0.0.1", ""},
		{"tcp4", ":0", "127.0.0.1 127.0.0.2", "::1"},
		{"tcp", "0.0.0.0:0", "127.0.0.1", "::1"},
		{"tcp", ":0", "127.0.0.1", ""},
		{"tcp", ":0", "127.0.0.1 ::1", ""},
		{"tcp", "[::]:0", "127.0.0.1 ::1", ""},
		{"tcp", "[::1]:0", "::1", "127.0.0.1"},
		{"tcp6", "[::1]:0", "::1", "127.0.0.1"},
		{"tcp6", ":0", "::1", "127.0.0.1"},
		{"tcp6", "[::]:0", "::1", "127.0.0.1"},
	} {
		t.Run(test.network+" "+test.address+" for "+test.answers, func(t *testing.T) {
			if strings.Contains(test.network+test.address+test.answers, "6") || strings.Contains(test.address+test.answers, "::") {
				if !hasIPv6() {
					t.Skip("this machine has no IPv6")
				}
			}
			e := newTestEngine(t, rondo.Config{})
			ln := mustListen(t, e, rondo.ListenConfig{}, test.network, test.address, newEcho)
			if port(ln) == "0" {
				t.Fatalf("Addr is %v: it does not say which port was chosen", ln.Addr())
			}
			for host := range strings.FieldsSeq(test.answers) {
				roundTrip(t, rig.Dial(t, net.JoinHostPort(host, port(ln))), "hello")
			}
			for host := range strings.FieldsSeq(test.silent) {
				if c, err := net.Dial("tcp", net.JoinHostPort(host, port(ln))); err == nil {
					c.Close()
					t.Errorf("%s answers too", host)
				}
			}
		})
	}
}

func TestListenUnix(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	path := filepath.Join(t.TempDir(), "s")
	for range 2 { // the second listens where the first has removed its file
		r := newRecorder(t)
		addrs := make(chan net.Addr, 2)
		r.onMade = func(c *rondo.Conn) {
			addrs <- c.LocalAddr()
			addrs <- c.RemoteAddr()
			_, _ = c.Write([]byte("welcome"))
		}
		ln := mustListen(t, e, rondo.ListenConfig{ReusePort: true}, "unix", path, func() rondo.Protocol { return r })
		if a := ln.Addr(); a.Network() != "unix" || a.String() != path {
			t.Errorf("Addr is %s %v", a.Network(), a)
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		rig.Expect(t, c, "welcome")
		if local := rig.Await(t, addrs); local.String() != path {
			t.Errorf("LocalAddr is %v", local)
		}
		if remote, ok := rig.Await(t, addrs).(*net.UnixAddr); !ok {
			t.Errorf("RemoteAddr is %v, no *net.UnixAddr", remote)
		}
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the socket's file is still there: %v", err)
		}
		c.Close()
		rig.Await(t, r.lost)
	}
}

// TestListenUnixLeavesOthersFiles: what has come to the path since is not the listener's to remove.
func TestListenUnixLeavesOthersFiles(t *testing.T) {
	ends := map[string]func(*engine, *rondo.Listener) error{
		"close":    func(_ *engine, ln *rondo.Listener) error { return ln.Close() },
		"shutdown": func(e *engine, _ *rondo.Listener) error { return e.Shutdown(t.Context()) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			replace := func(e *engine, put func()) {
				t.Helper()
				ln := mustListen(t, e, rondo.ListenConfig{}, "unix", path, newEcho)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				put()
				if err := end(e, ln); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(path); err != nil {
					t.Errorf("what has taken the place of the socket's file is gone: %v", err)
				}
			}
			replace(newTestEngine(t, rondo.Config{}), func() {
				if err := os.WriteFile(path, []byte("somebody's"), 0o600); err != nil {
					t.Fatal(err)
				}
			})
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			other := newTestEngine(t, rondo.Config{})
			replace(newTestEngine(t, rondo.Config{}), func() {
				mustListen(t, other, rondo.ListenConfig{}, "unix", path, newEcho)
			})
			c, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			roundTrip(t, c, "the other server is still there")
			c.Close()
			if err := other.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the other server's file is still there: %v", err)
			}
		})
	}
}

func TestListenUnixRemovedAtShutdown(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	path := filepath.Join(t.TempDir(), "s")
	ln := mustListen(t, e, rondo.ListenConfig{}, "unix", path, newEcho)
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's file is still there: %v", err)
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
}

func TestListenErrors(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	taken := e.serve(newEcho)
	for _, test := range []struct {
		network, address string
		is               error
		says             string
	}{
		{"tcp", taken, syscall.EADDRINUSE, "listen tcp " + taken + ": bind: address already in use"},
		{"tcp", "192.0.2.1:0", syscall.EADDRNOTAVAIL, "192.0.2.1"},
		{"udp", "127.0.0.1:0", nil, `listen udp: unknown network: use "tcp"`},
		{"", "127.0.0.1:0", nil, "unknown network"},
		{"tcp", "127.0.0.1", nil, "missing port in address"},
		{"tcp", "", nil, "missing port"},
		{"tcp", "127.0.0.1:65536", nil, "invalid port"},
		{"tcp4", "[::1]:0", nil, "no suitable address"},
		{"tcp6", "127.0.0.1:0", nil, "no suitable address"},
		{"unix", "", nil, "a Unix socket needs a path"},
		{"unix", filepath.Join(t.TempDir(), "no", "folder"), fs.ErrNotExist, "bind"},
		{"unix", "/" + strings.Repeat("long", 50), syscall.EINVAL, "bind"},
	} {
		for _, listen := range []func() error{
			func() error { _, err := e.Listen(test.network, test.address, newEcho); return err },
			func() error { _, err := e.ListenNet(test.network, test.address); return err },
		} {
			err := listen()
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "listen" || op.Net != test.network {
				t.Errorf("%s %q: %v is no *net.OpError of listening", test.network, test.address, err)
				continue
			}
			if test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s %q: %v, want %v and %q", test.network, test.address, err, test.is, test.says)
			}
		}
	}
}

// census counts, per loop, the connections that were made there.
type census struct {
	made chan *rondo.Conn
	lost chan int // the loop
	open atomic.Int64
	most atomic.Int64
}

func newCensus() *census {
	return &census{made: make(chan *rondo.Conn, 4096), lost: make(chan int, 4096)}
}

func (s *census) accept() rondo.Protocol { return s }

func (s *census) ConnectionMade(c *rondo.Conn) {
	for n := s.open.Add(1); ; {
		if most := s.most.Load(); n <= most || s.most.CompareAndSwap(most, n) {
			break
		}
	}
	_, _ = c.Write([]byte("!"))
	s.made <- c
}

func (*census) DataReceived(c *rondo.Conn, p []byte) int { return echo{}.DataReceived(c, p) }

func (s *census) ConnectionLost(c *rondo.Conn, _ error) {
	s.open.Add(-1)
	s.lost <- c.Loop().Index()
}

// take waits for n connections and returns how many there are on each loop.
func (s *census) take(t *testing.T, n, loops int) (conns []*rondo.Conn, counts []int) {
	t.Helper()
	counts = make([]int, loops)
	for range n {
		c := rig.Await(t, s.made)
		conns = append(conns, c)
		counts[c.Loop().Index()]++
	}
	return conns, counts
}

func TestListenSpreads(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 4})
	s := newCensus()
	addr := e.serve(s.accept)
	for range 40 {
		rig.Dial(t, addr)
	}
	conns, counts := s.take(t, 40, 4)
	if fmt.Sprint(counts) != "[10 10 10 10]" {
		t.Errorf("40 connections were spread as %v", counts)
	}
	for _, c := range conns {
		if c.Loop().Index() == 2 {
			c.Handle().Abort()
		}
	}
	for range 10 {
		rig.Await(t, s.lost)
	}
	rig.On(t, e.Loops()[2], func() {}) // behind the turn in which they were lost
	for range 10 {
		rig.Dial(t, addr)
	}
	if _, counts := s.take(t, 10, 4); fmt.Sprint(counts) != "[0 0 10 0]" {
		t.Errorf("10 new ones were spread as %v, though loop 2 has the fewest", counts)
	}
}

func TestListenReusePort(t *testing.T) {
	reuse := rondo.ListenConfig{ReusePort: true}
	s, other := newCensus(), newCensus()
	e := newTestEngine(t, rondo.Config{Loops: 3})
	ln := mustListen(t, e, reuse, "tcp", "127.0.0.1:0", s.accept)
	addr := ln.Addr().String()
	const many = 120 // the kernel spreads by a hash: that a loop gets none of them has a chance of 10⁻²¹
	for range many {
		c := rig.Dial(t, addr)
		rig.Expect(t, c, "!")
		if err := c.SetLinger(0); err != nil {
			t.Fatal(err)
		}
	}
	conns, counts := s.take(t, many, 3)
	for i, n := range counts {
		if n == 0 {
			t.Errorf("loop %d got none of %d: %v", i, many, counts)
		}
	}
	for _, c := range conns {
		c.Handle().Abort()
		rig.Await(t, s.lost)
	}

	if _, err := newTestEngine(t, rondo.Config{}).Listen("tcp", addr, newEcho); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("who does not want to share gets %v", err)
	}
	e2 := newTestEngine(t, rondo.Config{})
	mustListen(t, e2, reuse, "tcp", addr, other.accept)
	for range many {
		rig.Expect(t, rig.Dial(t, addr), "!")
	}
	if len(s.made) == 0 || len(other.made) == 0 {
		t.Errorf("two engines on one port got %d and %d", len(s.made), len(other.made))
	}
	// One closes, all of its sockets are closed, the other goes on.
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	for _, l := range e.Loops() {
		rig.On(t, l, func() {})
	}
	before := len(s.made)
	for range 20 {
		rig.Expect(t, rig.Dial(t, addr), "!")
	}
	if len(s.made) != before {
		t.Errorf("a closed listener has accepted %d connections", len(s.made)-before)
	}
}

func TestListenMaxConns(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	s := newCensus()
	ln := mustListen(t, e, rondo.ListenConfig{MaxConns: 3}, "tcp", "127.0.0.1:0", s.accept)
	var peers []*net.TCPConn
	for range 9 {
		peers = append(peers, rig.Dial(t, ln.Addr().String())) // they stand, in the backlog at least
	}
	var all []*rondo.Conn
	for range 3 {
		conns, _ := s.take(t, 3, 2)
		all = append(all, conns...)
		for range 3 { // time enough to accept the next
			for _, l := range e.Loops() {
				rig.On(t, l, func() {})
			}
		}
		if len(s.made) > 0 {
			t.Fatalf("%d connections more than the 3 that are allowed", len(s.made))
		}
		for _, c := range conns {
			c.Handle().Abort()
		}
	}
	for range all {
		rig.Await(t, s.lost)
	}
	if most := s.most.Load(); most > 3 {
		t.Errorf("%d connections were open together, and 3 may be", most)
	}
	for _, p := range peers {
		rig.Expect(t, p, "!")
	}
}

// Several loops that accept at the same time do not exceed the limit together.
func TestListenMaxConnsReusePort(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 4})
	s := newCensus()
	ln := mustListen(t, e, rondo.ListenConfig{MaxConns: 2, ReusePort: true}, "tcp", "127.0.0.1:0", s.accept)
	const many = 200
	for range many {
		rig.Dial(t, ln.Addr().String())
	}
	for range many {
		rig.Await(t, s.made).Handle().Abort()
	}
	for range many {
		rig.Await(t, s.lost)
	}
	if most := s.most.Load(); most > 2 {
		t.Errorf("%d connections were open together, and 2 may be", most)
	}
}

func TestListenerClose(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	ln := mustListen(t, e, rondo.ListenConfig{}, "tcp", "127.0.0.1:0", newEcho)
	c := rig.Dial(t, ln.Addr().String())
	roundTrip(t, c, "before")
	for range 2 {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, l := range e.Loops() {
		rig.On(t, l, func() {})
	}
	if c, err := net.Dial("tcp", ln.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connecting to a closed listener: %v, %v", c, err)
	}
	roundTrip(t, c, "after")
}

// Whom accept does not want is closed, and the others are served.
func TestListenAcceptRefuses(t *testing.T) {
	for _, refuse := range []string{"nil", "panic"} {
		t.Run(refuse, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{Loops: 2})
			var calls atomic.Int32
			ln := mustListen(t, e, rondo.ListenConfig{MaxConns: 2}, "tcp", "127.0.0.1:0", func() rondo.Protocol {
				switch {
				case calls.Add(1)%2 == 0:
					return echo{}
				case refuse == "panic":
					panic("not this one")
				}
				return nil
			})
			for range 6 {
				// One at a time: which of two accept is called for first is not said.
				c := rig.Dial(t, ln.Addr().String())
				if got := rig.Rest(t, c); len(got) > 0 {
					t.Errorf("a refused connection got %q", got)
				}
				if refuse == "panic" {
					if line := e.Log.Await(t, "not this one"); !strings.Contains(line, "callback") {
						t.Errorf("the log says %s", line)
					}
				}
				c = rig.Dial(t, ln.Addr().String())
				roundTrip(t, c, "hello")
				c.Close()
			}
		})
	}
}

// Listening on a loop must not wait for that loop.
func TestListenOnLoop(t *testing.T) {
	for _, loops := range []int{1, 2} {
		e := newTestEngine(t, rondo.Config{Loops: loops})
		for _, l := range e.Loops() {
			for _, cfg := range []rondo.ListenConfig{{}, {ReusePort: true}} {
				var ln *rondo.Listener
				var err error
				rig.On(t, l, func() { ln, err = cfg.Listen(e.Engine, "tcp", "127.0.0.1:0", newEcho) })
				if err != nil {
					t.Fatal(err)
				}
				roundTrip(t, rig.Dial(t, ln.Addr().String()), "hello")
			}
		}
	}
}

func TestListenConfigKeepAlive(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	for _, cfg := range []rondo.ListenConfig{{}, {KeepAlive: -1}, {KeepAlive: 1}, {Backlog: 1}} {
		ln := mustListen(t, e, cfg, "tcp", "127.0.0.1:0", newEcho)
		roundTrip(t, rig.Dial(t, ln.Addr().String()), "hello")
	}
}
