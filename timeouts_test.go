package rondo_test

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// timed is an echo that tells how its connection has ended.
type timed struct {
	made func(c *rondo.Conn)
	lost chan error
}

func (p *timed) ConnectionMade(c *rondo.Conn) {
	if p.made != nil {
		p.made(c)
	}
}

func (p *timed) DataReceived(c *rondo.Conn, data []byte) int {
	_, _ = c.Write(data)
	return len(data)
}
func (p *timed) ConnectionLost(_ *rondo.Conn, err error) { p.lost <- err }

// dialog is a world with a server of timed, and a client that talks to it. It returns how the server's connection has ended.
func dialog(t *testing.T, cfg rondo.ListenConfig, made func(*rondo.Conn), talk func(w *sim.World, c net.Conn)) (reason error) {
	t.Helper()
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		p := &timed{made, make(chan error, 1)}
		if _, err := cfg.Listen(w.Host("server").Engine(), "tcp", ":7000", func() rondo.Protocol { return p }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:7000")
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		talk(w, c)
		_ = c.Close()
		w.Sleep(time.Second)
		reason = <-p.lost
	})
	return reason
}

// within reports an error unless d is between the two.
func within(w *sim.World, d, least, most time.Duration) {
	if d < least || d > most {
		w.Errorf("it took %v, not %v to %v", d, least, most)
	}
}

func TestIdleTimeout(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  rondo.ListenConfig
		made func(*rondo.Conn)
	}{
		"of the listener":   {rondo.ListenConfig{IdleTimeout: 10 * time.Second}, nil},
		"of the connection": {rondo.ListenConfig{IdleTimeout: time.Second}, func(c *rondo.Conn) { c.SetIdleTimeout(10 * time.Second) }},
	} {
		t.Run(name, func(t *testing.T) {
			reason := dialog(t, c.cfg, c.made, func(w *sim.World, c net.Conn) {
				buf := make([]byte, 4)
				for range 20 { // each in time
					w.Sleep(7 * time.Second)
					if _, err := c.Write([]byte("busy")); err != nil {
						w.Fatalf("writing: %v", err)
					}
					if _, err := io.ReadFull(c, buf); err != nil {
						w.Fatalf("reading: %v", err)
					}
				}
				before := w.Elapsed()
				if n, err := c.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
					w.Errorf("it ended with %d bytes, %v", n, err)
				}
				within(w, w.Elapsed()-before, 9990*time.Millisecond, 10010*time.Millisecond)
			})
			if !errors.Is(reason, rondo.ErrIdle) || !errors.Is(reason, os.ErrDeadlineExceeded) {
				t.Errorf("the reason is %v", reason)
			}
			if ne, ok := errors.AsType[net.Error](reason); !ok || !ne.Timeout() {
				t.Errorf("%v is no timeout", reason)
			}
		})
	}
}

// A peer that reads nothing of what is written is idle too, and what it has not read is lost to it.
func TestIdleTimeoutOfAWriter(t *testing.T) {
	reason := dialog(t, rondo.ListenConfig{IdleTimeout: 10 * time.Second}, func(c *rondo.Conn) {
		_, _ = c.Write(make([]byte, 8<<20))
	}, func(w *sim.World, c net.Conn) {
		w.Sleep(11 * time.Second)
		if _, err := io.Copy(io.Discard, c); err == nil {
			w.Errorf("it ended in good order")
		}
	})
	if !errors.Is(reason, rondo.ErrIdle) {
		t.Errorf("the reason is %v", reason)
	}
}

func TestLifetime(t *testing.T) {
	reason := dialog(t, rondo.ListenConfig{Lifetime: 10 * time.Second, IdleTimeout: 3 * time.Second}, nil, func(w *sim.World, c net.Conn) {
		for range 7 { // not idle
			_, _ = c.Write([]byte("busy"))
			_, _ = io.ReadFull(c, make([]byte, 4))
			w.Sleep(1400 * time.Millisecond)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			w.Errorf("it ended with %v", err)
		}
		within(w, w.Elapsed(), 10*time.Second, 10010*time.Millisecond)
	})
	if !errors.Is(reason, rondo.ErrLifetime) {
		t.Errorf("the reason is %v", reason)
	}
}

// Limits can be lifted, and set again.
func TestTimeoutsLifted(t *testing.T) {
	reason := dialog(t, rondo.ListenConfig{Lifetime: time.Second, IdleTimeout: time.Second}, func(c *rondo.Conn) {
		c.SetIdleTimeout(0)
		c.SetLifetime(-1)
		c.Loop().After(time.Minute, func() { c.SetLifetime(time.Minute) })
	}, func(w *sim.World, c net.Conn) {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			w.Errorf("it ended with %v", err)
		}
		within(w, w.Elapsed(), 2*time.Minute, 2*time.Minute+10*time.Millisecond)
	})
	if !errors.Is(reason, rondo.ErrLifetime) {
		t.Errorf("the reason is %v", reason)
	}
}

// polite says goodbye when it is idle for the third time.
type polite struct {
	timed
	times int
}

func (p *polite) Idle(c *rondo.Conn) {
	if p.times++; p.times < 3 {
		_, _ = c.Write([]byte("still there?\n"))
		return
	}
	_, _ = c.Write([]byte("goodbye\n"))
	_ = c.Close()
}

func TestIdleReceiver(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		p := &polite{timed: timed{lost: make(chan error, 1)}}
		if _, err := (rondo.ListenConfig{IdleTimeout: 10 * time.Second}).Listen(w.Host("server").Engine(), "tcp", ":7000", func() rondo.Protocol { return p }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:7000")
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		said, err := io.ReadAll(c)
		if want := "still there?\nstill there?\ngoodbye\n"; string(said) != want || err != nil {
			w.Errorf("it said %q, %v", said, err)
		}
		within(w, w.Elapsed(), 30*time.Second, 30*time.Second+20*time.Millisecond)
		if err := <-p.lost; err != nil {
			w.Errorf("the reason is %v", err)
		}
	})
}

// On real sockets, on every poller: what comes puts the end off.
func TestIdleTimeoutOnSockets(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	p := &timed{lost: make(chan error, 1)}
	ln, err := (rondo.ListenConfig{IdleTimeout: 50 * time.Millisecond}).Listen(e.Engine, "tcp", "127.0.0.1:0", func() rondo.Protocol { return p })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "x" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := rig.Await(t, p.lost); !errors.Is(err, rondo.ErrIdle) {
		t.Errorf("the reason is %v", err)
	}
	rig.On(t, e.Loop(), func() {})
	if n := e.Conns(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// The time of what is written at once when the timeout is set, in a turn before which no connection had one, counts from then.
func TestIdleTimeoutSetLate(t *testing.T) {
	reason := dialog(t, rondo.ListenConfig{}, func(c *rondo.Conn) {
		c.Loop().After(time.Minute, func() {
			c.SetIdleTimeout(10 * time.Second)
			_, _ = c.Write([]byte("late"))
			c.Loop().After(time.Second, func() { c.SetLifetime(time.Hour) }) // looks at the time
		})
	}, func(w *sim.World, c net.Conn) {
		if got, err := io.ReadAll(c); string(got) != "late" || err != nil {
			w.Errorf("%q, %v", got, err)
		}
		within(w, w.Elapsed(), 70*time.Second, 70*time.Second+20*time.Millisecond)
	})
	if !errors.Is(reason, rondo.ErrIdle) {
		t.Errorf("the reason is %v", reason)
	}
}

// A Dialer sets them too, and a time without end is one.
func TestTimeoutsOfADialer(t *testing.T) {
	for _, tt := range []struct {
		cfg   rondo.Dialer
		want  error
		after time.Duration
	}{
		{rondo.Dialer{IdleTimeout: 3 * time.Second}, rondo.ErrIdle, 3 * time.Second},
		{rondo.Dialer{Lifetime: 5 * time.Second}, rondo.ErrLifetime, 5 * time.Second},
		{rondo.Dialer{Lifetime: 5 * time.Second, IdleTimeout: math.MaxInt64}, rondo.ErrLifetime, 5 * time.Second},
		{rondo.Dialer{Lifetime: math.MaxInt64, IdleTimeout: 5 * time.Second}, rondo.ErrIdle, 5 * time.Second},
	} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			w.Host("server").Start(serveEcho)
			p := &timed{lost: make(chan error, 1)}
			if _, err := tt.cfg.Dial(t.Context(), w.Host("client").Engine(), "tcp", "server:7000", p).Wait(t.Context()); err != nil {
				w.Fatalf("dialing: %v", err)
			}
			start := w.Elapsed()
			w.Wait(func() bool { return len(p.lost) > 0 })
			if err := <-p.lost; !errors.Is(err, tt.want) {
				w.Errorf("the reason is %v", err)
			}
			within(w, w.Elapsed()-start, tt.after-5*time.Millisecond, tt.after+5*time.Millisecond)
		})
	}
}

// once is a layer that counts how often it is to tell the peer that nothing follows.
type once struct {
	turning
	closed int
}

func (l *once) CloseWrite() error { l.closed++; return l.turning.CloseWrite() }

// A layer says goodbye when the time is over, but not again.
func TestIdleTimeoutOfALayer(t *testing.T) {
	for name, before := range map[string]func(c *rondo.Conn){
		"open":        func(*rondo.Conn) {},
		"half closed": func(c *rondo.Conn) { _ = c.CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			l := new(once)
			reason := dialog(t, rondo.ListenConfig{IdleTimeout: 10 * time.Second}, func(c *rondo.Conn) {
				l.conn = c
				c.SetLayer(l)
				before(c)
			}, func(w *sim.World, c net.Conn) {
				if got, err := io.ReadAll(c); string(got) != "\x00" || err != nil {
					w.Errorf("%q, %v", got, err)
				}
			})
			if !errors.Is(reason, rondo.ErrIdle) || l.closed != 1 {
				t.Errorf("the reason is %v, and the layer was told %d times", reason, l.closed)
			}
		})
	}
}

// What many idle connections of a server have: no more of it than this.
func TestTimeoutsAreSmall(t *testing.T) {
	settings, timeouts := rondo.Sizes()
	if settings > 64 || timeouts > 96 {
		t.Errorf("settings take %d bytes and timeouts %d", settings, timeouts)
	}
}

// A busy connection with a timeout allocates nothing for it, however often it is set.
func TestTimeoutsAllocateNothing(t *testing.T) {
	if rondo.RaceEnabled {
		t.Skip("not under the race detector, which allocates itself")
	}
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	e.connect(r)
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() {
		c.SetIdleTimeout(time.Hour)
		if n := testing.AllocsPerRun(100, func() {
			c.SetIdleTimeout(time.Minute)
			c.SetIdleTimeout(0)
			c.SetLifetime(time.Hour)
			c.SetLifetime(0)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
