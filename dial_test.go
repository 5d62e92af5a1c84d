package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// wait is Wait with the test's patience.
func wait[T any](t testing.TB, f *rondo.Future[T]) (T, error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), rig.Patience, errors.New("the test has lost its patience"))
	defer cancel()
	return f.Wait(ctx)
}

// dialFails checks that a dial ends with a *net.OpError that is is and contains says, and that the
// protocol hears nothing.
func dialFails(t *testing.T, e *engine, cfg rondo.Dialer, network, address string, is error, says string) error {
	t.Helper()
	r := newRecorder(t)
	_, err := wait(t, cfg.Dial(t.Context(), e.Engine, network, address, r))
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" || op.Net != network {
		t.Errorf("%s %q: %v is no *net.OpError of dialing", network, address, err)
	} else if is != nil && !errors.Is(err, is) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s %q: %v, want %v and %q", network, address, err, is, says)
	}
	if len(r.made) > 0 {
		t.Errorf("%s %q: ConnectionMade, though it failed with %v", network, address, err)
	}
	return err
}

// closedPort is an address of loopback where nobody listens.
func closedPort(t testing.TB, host string) string {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// blackHole is an address that does not answer: the backlog of its listener is full.
func blackHole(t testing.TB) string {
	t.Helper()
	return crowded(t, "tcp", "127.0.0.1:0").Addr().String()
}

// crowded is a listener which has its only connection, and a full backlog.
func crowded(t testing.TB, network, address string) *rondo.Listener {
	t.Helper()
	e := newTestEngine(t, rondo.Config{})
	s := newCensus()
	ln, err := rondo.ListenConfig{MaxConns: 1, Backlog: 1}.Listen(e.Engine, network, address, s.accept)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // one more than its number fit into a backlog
		c, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if i == 0 {
			rig.Await(t, s.made)
		}
	}
	return ln
}

// busyExecutor is an engine that can look up nothing, for all blocking work is taken.
func busyExecutor(t *testing.T) *engine {
	t.Helper()
	e := newTestEngine(t, rondo.Config{MaxBlocking: 1, MaxQueued: 1})
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for range 2 {
		if err := e.Run(func(context.Context) { <-release }); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func TestDialLiterals(t *testing.T) {
	e := busyExecutor(t)
	ln := mustListen(t, newTestEngine(t, rondo.Config{}), rondo.ListenConfig{}, "tcp", ":0", newEcho)
	for _, test := range []struct{ network, host, remote string }{
		{"tcp", "127.0.0.1", "127.0.0.1"},
		{"tcp4", "127.0.0.2", "127.0.0.2"},
		{"tcp", "", "127.0.0.1"},
		{"tcp4", "", "127.0.0.1"},
		{"tcp", "::ffff:127.0.0.1", "127.0.0.1"},
		{"tcp", "::1", "::1"},
		{"tcp6", "::1", "::1"},
		{"tcp6", "", "::1"},
	} {
		t.Run(test.network+" "+test.host, func(t *testing.T) {
			if test.remote == "::1" && !hasIPv6() {
				t.Skip("this machine has no IPv6")
			}
			r := newRecorder(t)
			r.onMade = func(c *rondo.Conn) { _, _ = c.Write([]byte("hello")) }
			got := make(chan string, 1)
			r.onData = func(c *rondo.Conn, p []byte) int {
				if len(p) < 5 {
					return 0
				}
				got <- string(p)
				c.Close()
				return len(p)
			}
			c := rig.Result(t, e.Dial(t.Context(), test.network, net.JoinHostPort(test.host, port(ln)), r))
			if rig.Await(t, r.made) != c {
				t.Error("ConnectionMade got another connection than the future")
			}
			if s := rig.Await(t, got); s != "hello" {
				t.Errorf("the echo is %q", s)
			}
			if err := rig.Await(t, r.lost); err != nil {
				t.Error(err)
			}
			rig.On(t, c.Loop(), func() {
				if a := c.RemoteAddr().String(); a != net.JoinHostPort(test.remote, port(ln)) {
					t.Errorf("RemoteAddr is %s", a)
				}
			})
		})
	}
	// Names are looked up though all of Run's goroutines are taken: what runs there may be waiting for the name.
	dialFails(t, e, rondo.Dialer{}, "tcp", "localhost:1", syscall.ECONNREFUSED, "connection refused")
}

func TestDialErrors(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	refused := closedPort(t, "127.0.0.1")
	missing := filepath.Join(t.TempDir(), "missing")
	for _, test := range []struct {
		network, address string
		is               error
		says             string
	}{
		{"tcp", refused, syscall.ECONNREFUSED, "dial tcp " + refused + ": connect: connection refused"},
		{"unix", missing, fs.ErrNotExist, "dial unix " + missing + ": connect: no such file"},
		{"unix", "", nil, "a Unix socket needs a path"},
		{"udp", "127.0.0.1:1", nil, "unknown network"},
		{"", "127.0.0.1:1", nil, "unknown network"},
		{"tcp", "127.0.0.1", nil, "missing port in address"},
		{"tcp", "", nil, "missing port in address"},
		{"tcp", "::1:80", nil, "too many colons"},
		{"tcp", "127.0.0.1:65536", nil, "ports go from 0 to 65535"},
		{"tcp", "127.0.0.1:-1", nil, "ports go from 0 to 65535"},
		{"tcp", "127.0.0.1:no-such-service", nil, "no-such-service"},
		{"tcp4", "[::1]:80", nil, "not an address of network tcp4"},
		{"tcp6", "127.0.0.1:80", nil, "not an address of network tcp6"},
	} {
		dialFails(t, e, rondo.Dialer{}, test.network, test.address, test.is, test.says)
		c, err := e.DialContext(t.Context(), test.network, test.address)
		var op *net.OpError
		if c != nil || !errors.As(err, &op) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("DialContext %s %q: %v, %v", test.network, test.address, c, err)
		}
	}
}

// The protocol knows of the connection before whoever waits for the future.
func TestDialMadeBeforeFuture(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	addr := e.serve(newEcho)
	r := newRecorder(t)
	order := make(chan string, 2)
	r.onMade = func(*rondo.Conn) { order <- "made" }
	rig.On(t, e.Loop(), func() {
		f := e.Dial(t.Context(), "tcp", addr, r)
		f.OnDone(func(c *rondo.Conn, err error) { order <- fmt.Sprint("future ", c != nil, err) })
		if f.Done() {
			t.Error("Dial has waited")
		}
	})
	if a, b := rig.Await(t, order), rig.Await(t, order); a != "made" || b != "future true <nil>" {
		t.Errorf("%s came before %s", a, b)
	}
}

func TestDialMadePanics(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	addr := e.serve(newEcho)
	r := newRecorder(t)
	r.onMade = func(*rondo.Conn) { panic("not now") }
	if _, err := wait(t, e.Dial(t.Context(), "tcp", addr, r)); err != nil {
		t.Errorf("the connection stood, and the future says %v", err)
	}
	var p *rondo.PanicError
	if err := rig.Await(t, r.lost); !errors.As(err, &p) {
		t.Errorf("lost with %v", err)
	}
	e.Log.Await(t, "not now")
	roundTrip(t, rig.Dial(t, addr), "alive")
}

func TestDialTimeout(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	hole := blackHole(t)
	err := dialFails(t, e, rondo.Dialer{Timeout: 20 * time.Millisecond}, "tcp", hole, os.ErrDeadlineExceeded, hole)
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
}

// Without a Timeout it is 30 seconds; a negative one is none.
func TestDialDefaultTimeout(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	hole := blackHole(t)
	ctx, cancel := context.WithCancel(t.Context())
	limited := e.Dial(ctx, "tcp", hole, newRecorder(t))
	unlimited := rondo.Dialer{Timeout: -1}.Dial(ctx, e.Engine, "tcp", hole, newRecorder(t))
	done := func(f *rondo.Future[*rondo.Conn]) (done bool) {
		for range 2 {
			rig.On(t, e.Loop(), func() { done = f.Done() })
		}
		return done
	}
	if done(limited) {
		t.Error("it has not waited")
	}
	clock.advance(29 * time.Second)
	if done(limited) {
		t.Error("29 seconds were enough")
	}
	clock.advance(2 * time.Second)
	if _, err := wait(t, limited); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after 31 seconds: %v", err)
	}
	clock.advance(24 * time.Hour)
	if done(unlimited) {
		t.Error("there was a limit of a day")
	}
	cancel()
	if _, err := wait(t, unlimited); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDialContextEndedBefore(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	cause := errors.New("not wanted any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	path := filepath.Join(t.TempDir(), "s")
	mustListen(t, e, rondo.ListenConfig{}, "unix", path, newEcho)
	for network, address := range map[string]string{"unix": path, "tcp": e.serve(newEcho)} {
		for range 20 {
			r := newRecorder(t)
			_, err := wait(t, e.Dial(ctx, network, address, r))
			if !errors.Is(err, cause) || len(r.made) > 0 {
				t.Fatalf("%s: %v, ConnectionMade was called %d times", network, err, len(r.made))
			}
			if c, err := e.DialContext(ctx, network, address); c != nil || !errors.Is(err, cause) {
				t.Fatalf("DialContext: %v, %v", c, err)
			}
		}
	}
}

func TestDialContextEndsDuring(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	hole := blackHole(t)
	cause := errors.New("not wanted any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	r := newRecorder(t)
	f := e.Dial(ctx, "tcp", hole, r)
	pending := make(chan error, 1)
	go func() {
		_, err := e.DialContext(ctx, "tcp", hole)
		pending <- err
	}()
	rig.On(t, e.Loop(), func() {}) // the dial is under way
	// A loop with a connection that is being made is as free as any other.
	roundTrip(t, rig.Dial(t, e.serve(newEcho)), "meanwhile")
	cancel(cause)
	if _, err := wait(t, f); !errors.Is(err, cause) || len(r.made) > 0 {
		t.Errorf("%v, ConnectionMade was called %d times", err, len(r.made))
	}
	var op *net.OpError
	if err := rig.Await(t, pending); !errors.As(err, &op) || !errors.Is(err, cause) {
		t.Errorf("DialContext: %v", err)
	}
}

// Whether the context or the connection comes first is chance; that the two agree is not.
func TestDialContextEndsAtSuccess(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	s := newCensus()
	addr := e.serve(s.accept)
	var won, lost int
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		r := newRecorder(t)
		made := make(chan struct{}, 1)
		r.onMade = func(*rondo.Conn) { made <- struct{}{} }
		f := e.Dial(ctx, "tcp", addr, r)
		if won <= lost {
			rig.On(t, f.Loop(), func() {})
		}
		cancel()
		c, err := wait(t, f)
		rig.On(t, f.Loop(), func() {})
		if (err == nil) != (len(made) == 1) || (c == nil) == (err == nil) {
			t.Fatalf("the future says %v, ConnectionMade was called %d times", err, len(made))
		}
		if err != nil {
			lost++
			continue
		}
		won++
		c.Handle().Abort()
		rig.Await(t, r.lost)
	}
	t.Logf("the connection was first %d times, the context %d times", won, lost)

	for range 300 { // a net.Conn that was made and is not returned is closed
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if c, err := e.DialContext(ctx, "tcp", addr); err == nil {
			c.Close()
		}
		cancel()
	}
	for len(s.made) > 0 {
		<-s.made
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Errorf("a connection that nobody has was not closed: %v", err)
	}
}

func TestDialLocalAddr(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	s := newRecorder(t)
	remote := make(chan string, 1)
	s.onMade = func(c *rondo.Conn) { remote <- c.RemoteAddr().String() }
	addr := e.serve(func() rondo.Protocol { return s })
	from := rondo.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 5)}}
	c := rig.Result(t, from.Dial(t.Context(), e.Engine, "tcp", addr, newRecorder(t)))
	if a := rig.Await(t, remote); !strings.HasPrefix(a, "127.0.0.5:") {
		t.Errorf("the peer sees %s", a)
	}
	rig.On(t, c.Loop(), func() {
		if a := c.LocalAddr().String(); !strings.HasPrefix(a, "127.0.0.5:") {
			t.Errorf("LocalAddr is %s", a)
		}
	})
	dialFails(t, e, from, "unix", filepath.Join(t.TempDir(), "s"), nil, "different families")
	other := rondo.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}}
	dialFails(t, e, other, "tcp", addr, syscall.EADDRNOTAVAIL, "192.0.2.1")
}

// A socket bound to the port that it connects to connects to itself (simultaneous open): to the
// caller that is a port where nobody listens.
func TestDialSelf(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	addr, err := net.ResolveTCPAddr("tcp", closedPort(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	dialFails(t, e, rondo.Dialer{LocalAddr: addr}, "tcp", addr.String(), syscall.ECONNREFUSED, "refused")
}

func TestDialerLoop(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 3})
	other := newTestEngine(t, rondo.Config{})
	addr := other.serve(newEcho)
	for _, l := range append(e.Loops(), e.Loops()...) {
		r := newRecorder(t)
		c := rig.Result(t, rondo.Dialer{Loop: l}.Dial(t.Context(), e.Engine, "tcp", addr, r))
		if c.Loop() != l {
			t.Errorf("the connection is on loop %d, wanted %d", c.Loop().Index(), l.Index())
		}
	}
	counts := make([]int, 3)
	for range 6 {
		c := rig.Result(t, e.Dial(t.Context(), "tcp", addr, newRecorder(t)))
		counts[c.Loop().Index()]++
	}
	if fmt.Sprint(counts) != "[2 2 2]" {
		t.Errorf("6 connections are spread as %v", counts)
	}
	// A loop of another engine: it is that one's connection.
	r := newRecorder(t)
	rig.Result(t, rondo.Dialer{Loop: e.Loops()[0]}.Dial(t.Context(), other.Engine, "tcp", addr, r))
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := rig.Await(t, r.lost); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("lost with %v", err)
	}
	if err := other.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestDialOnLoop(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	addr := e.serve(newEcho)
	rig.On(t, e.Loop(), func() {
		if c, err := e.DialContext(t.Context(), "tcp", addr); c != nil || !errors.Is(err, rondo.ErrOnLoop) {
			t.Errorf("DialContext on the loop: %v, %v", c, err)
		}
	})
	if err := e.Shutdown(t.Context()); err != nil {
		t.Errorf("that has left a connection: %v", err)
	}
}
