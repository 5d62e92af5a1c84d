package rondo_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// eyeballs is an engine whose dials go where the test says, in a time that stands still.
type eyeballs struct {
	*engine
	clock *stopped
	tried chan string
	open  atomic.Int32 // descriptors that Connect has given and Close has not had
}

// newEyeballs has fate say how an address answers: h not at all, r by refusing, f by failing at once, s by accepting.
func newEyeballs(t *testing.T, fate func(ip string) byte) *eyeballs {
	hole, err := net.ResolveTCPAddr("tcp", blackHole(t))
	if err != nil {
		t.Fatal(err)
	}
	refusing, err := net.ResolveTCPAddr("tcp", closedPort(t, "127.0.0.2"))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	e := &eyeballs{clock: new(stopped), tried: make(chan string, 20)}
	e.clock.now.Store(int64(time.Second))
	e.engine = newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		e.clock.Poller = &gate{Poller: &descriptors{p, &e.open}, onConnect: func(p poller.Poller, remote, _ net.Addr) (int, error) {
			ip := remote.(*net.TCPAddr).IP.String()
			e.tried <- ip
			switch fate(ip) {
			case 'h':
				return p.Connect(hole, nil)
			case 'r':
				return p.Connect(refusing, nil)
			case 'f':
				return -1, syscall.ENETUNREACH
			}
			return p.Connect(ln.Addr(), nil)
		}}
		return e.clock
	})
	return e
}

// descriptors counts those of connections that are being made.
type descriptors struct {
	poller.Poller
	open *atomic.Int32
}

func (c *descriptors) Connect(remote, local net.Addr) (int, error) {
	fd, err := c.Poller.Connect(remote, local)
	if fd >= 0 {
		c.open.Add(1)
	}
	return fd, err
}

func (c *descriptors) Close(fd int) error {
	c.open.Add(-1)
	return c.Poller.Close(fd)
}

func (c *descriptors) Reset(fd int) error {
	c.open.Add(-1)
	return c.Poller.Reset(fd)
}

// settle waits until the loop has done what there is to do at this time.
func (e *eyeballs) settle(t *testing.T) {
	for range 3 {
		rig.On(t, e.Loop(), func() {})
	}
}

// attempts are those made since it was asked last.
func (e *eyeballs) attempts() (ips []string) {
	for len(e.tried) > 0 {
		ips = append(ips, <-e.tried)
	}
	return ips
}

const delay = 250 * time.Millisecond

// Each address a quarter of a second after the one before or as soon as one fails; the first to connect is taken.
func TestFallback(t *testing.T) {
	r, _ := resolver(t, map[string]string{"many.test": "127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5"})
	fates := map[string]byte{}
	e := newEyeballs(t, func(ip string) byte { return fates[ip] })
	dial := func(cfg rondo.Dialer) (*rondo.Future[*rondo.Conn], []string) {
		cfg.Resolver = r
		f := cfg.Dial(t.Context(), e.Engine, "tcp", "many.test:80", newRecorder(t))
		first := rig.Await(t, e.tried)
		e.settle(t)
		return f, append([]string{first}, e.attempts()...)
	}
	step := func(d time.Duration) []string {
		e.clock.advance(d)
		e.settle(t)
		return e.attempts()
	}
	check := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: tried %v, not %v", what, got, want)
		}
	}

	t.Run("the second connects", func(t *testing.T) {
		fates = map[string]byte{"127.0.0.1": 'h', "127.0.0.2": 's'}
		f, tried := dial(rondo.Dialer{})
		check("at first", tried, "127.0.0.1")
		check("before its time", step(delay-time.Millisecond))
		check("in time", step(2*time.Millisecond), "127.0.0.2")
		c := rig.Result(t, f)
		c.Handle().Abort()
	})
	t.Run("the first connects late", func(t *testing.T) {
		fates = map[string]byte{"127.0.0.1": 's'}
		f, tried := dial(rondo.Dialer{})
		check("at first", tried, "127.0.0.1")
		rig.Result(t, f).Handle().Abort()
	})
	t.Run("failures make room", func(t *testing.T) {
		fates = map[string]byte{"127.0.0.1": 'f', "127.0.0.2": 'f', "127.0.0.3": 'h', "127.0.0.4": 'h', "127.0.0.5": 's'}
		f, tried := dial(rondo.Dialer{})
		check("at first", tried, "127.0.0.1", "127.0.0.2", "127.0.0.3")
		check("then", step(delay+time.Millisecond), "127.0.0.4")
		check("last", step(delay+time.Millisecond), "127.0.0.5")
		rig.Result(t, f).Handle().Abort()
	})
	t.Run("all fail", func(t *testing.T) {
		fates = map[string]byte{"127.0.0.1": 'r', "127.0.0.2": 'f', "127.0.0.3": 'r', "127.0.0.4": 'r', "127.0.0.5": 'f'}
		f, _ := dial(rondo.Dialer{})
		_, err := wait(t, f)
		for ip := range fates {
			if err == nil || !strings.Contains(err.Error(), ip) {
				t.Errorf("%s is not in %v", ip, err)
			}
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, syscall.ENETUNREACH) {
			t.Error(err)
		}
		e.attempts()
	})
	t.Run("all hang", func(t *testing.T) {
		fates = map[string]byte{"127.0.0.1": 'h', "127.0.0.2": 'h', "127.0.0.3": 'h', "127.0.0.4": 'h', "127.0.0.5": 'h'}
		f, _ := dial(rondo.Dialer{Timeout: 5 * time.Second})
		for range 4 {
			if n := len(step(delay + time.Millisecond)); n != 1 {
				t.Errorf("%d were tried", n)
			}
		}
		e.clock.advance(4 * time.Second)
		_, err := wait(t, f)
		for ip := range fates {
			if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), ip) {
				t.Errorf("%s is not in %v", ip, err)
			}
		}
	})
	t.Run("given up in between", func(t *testing.T) {
		fates = map[string]byte{"127.0.0.1": 'h', "127.0.0.2": 'h'}
		f, _ := dial(rondo.Dialer{})
		check("then", step(delay+time.Millisecond), "127.0.0.2")
		rig.On(t, e.Loop(), func() { f.Cancel(context.Canceled) })
		if _, err := wait(t, f); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		check("afterwards", step(time.Minute))
	})
	t.Run("one after the other", func(t *testing.T) {
		fates = map[string]byte{"127.0.0.1": 'h', "127.0.0.2": 's'}
		f, tried := dial(rondo.Dialer{FallbackDelay: -1, Timeout: 10 * time.Second})
		check("at first", tried, "127.0.0.1")
		check("a fifth of the time", step(2*time.Second-time.Millisecond))
		check("later", step(2*time.Millisecond), "127.0.0.2")
		rig.Result(t, f).Handle().Abort()
	})
	e.settle(t)
	if n := e.open.Load(); n != 0 {
		t.Errorf("%d descriptors are open", n)
	}
	if n := e.Conns(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
}

// The two families take turns, as many as there are of each.
func TestInterleave(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"1 2 3", "1 2 3"},
		{"::1 ::2", "::1 ::2"},
		{"::1 ::2 ::3 1 2", "::1 1 ::2 2 ::3"},
		{"1 ::1 2 3", "1 ::1 2 3"},
		{"1 2 3 ::1", "1 ::1 2 3"},
		{"", ""},
	} {
		var addrs []net.Addr
		for ip := range strings.FieldsSeq(c.in) {
			if len(ip) == 1 {
				ip = "127.0.0." + ip
			}
			addrs = append(addrs, &net.TCPAddr{IP: net.ParseIP(ip)})
		}
		var got []string
		for _, a := range rondo.Interleave(addrs) {
			got = append(got, strings.TrimPrefix(a.(*net.TCPAddr).IP.String(), "127.0.0."))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q became %q, not %q", c.in, got, c.want)
		}
	}
}
