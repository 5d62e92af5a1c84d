package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// source writes as fast as its connection takes it.
type source struct {
	made   func(c *rondo.Conn)
	paused bool
}

func (s *source) ConnectionMade(c *rondo.Conn) {
	if s.made != nil {
		s.made(c)
	}
	s.ResumeWriting(c)
}

func (s *source) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (s *source) ConnectionLost(*rondo.Conn, error)        {}
func (s *source) PauseWriting(*rondo.Conn)                 { s.paused = true }
func (s *source) ResumeWriting(c *rondo.Conn) {
	chunk := make([]byte, 8<<10)
	for s.paused = false; !s.paused; {
		if _, err := c.Write(chunk); err != nil {
			return
		}
	}
}

// sink counts what it receives.
type sink struct {
	made func(c *rondo.Conn)
	n    int
	lost chan error
}

func (s *sink) ConnectionMade(c *rondo.Conn) {
	if s.made != nil {
		s.made(c)
	}
}
func (s *sink) DataReceived(_ *rondo.Conn, p []byte) int { s.n += len(p); return len(p) }
func (s *sink) ConnectionLost(_ *rondo.Conn, err error) {
	if s.lost != nil {
		s.lost <- err
	}
}

// exactly reports an error unless got is want but for one in a hundred.
func exactly(w *sim.World, what string, got, want int) {
	if diff := got - want; diff > want/100+1 || diff < -want/100-1 {
		w.Errorf("%s: %d bytes, not %d", what, got, want)
	}
}

// dialed is a connection from a host to port 7000 of the server.
func dialed(w *sim.World, from *sim.Host, p rondo.Protocol) *rondo.Conn {
	c, err := from.Engine().Dial(context.Background(), "tcp", "server:7000", p).Wait(context.Background())
	if err != nil {
		w.Fatalf("dialing: %v", err)
	}
	return c
}

// Over ten seconds there pass the burst and ten times the rate, whether it is reading or writing that is limited, by the connection's own rate or by one that it shares.
func TestRate(t *testing.T) {
	for _, r := range []struct{ rate, burst, want int }{
		{100, 0, 10},
		{1000, 0, 100},
		{1000, 5000, 5000},
		{65_536, 1, 327},
		{100_000, 20_000, 20_000},
		{4_000_000, 0, 400_000},
	} {
		for name, limits := range map[string]struct{ reads, writes func(c *rondo.Conn) }{
			"reading":         {reads: func(c *rondo.Conn) { c.SetReadRate(r.rate, r.burst) }},
			"writing":         {writes: func(c *rondo.Conn) { c.SetWriteRate(r.rate, r.burst) }},
			"reading, shared": {reads: func(c *rondo.Conn) { c.SetReadLimiter(rondo.NewLimiter(r.rate, r.burst)) }},
			"writing, shared": {writes: func(c *rondo.Conn) { c.SetWriteLimiter(rondo.NewLimiter(r.rate, r.burst)) }},
			"two for the same": {writes: func(c *rondo.Conn) {
				c.SetWriteRate(r.rate, r.burst)
				c.SetWriteLimiter(rondo.NewLimiter(r.rate*2, r.burst))
			}},
		} {
			if r.burst == 1 && name == "two for the same" {
				continue // what one gives back when the other refuses does not fit into so small a burst
			}
			t.Run(fmt.Sprintf("%d and %d, %s", r.rate, r.burst, name), func(t *testing.T) {
				sim.Run(t, sim.Config{}, func(w *sim.World) {
					s := &sink{made: limits.reads}
					if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol { return s }); err != nil {
						w.Fatalf("listening: %v", err)
					}
					dialed(w, w.Host("client"), &source{made: limits.writes})
					w.Sleep(10 * time.Second)
					exactly(w, "ten seconds", s.n, r.want+10*r.rate)
				})
			})
		}
	}
}

// A rate can be changed while it makes somebody wait, and lifted.
func TestRateChanges(t *testing.T) {
	var shared *rondo.Limiter
	for name, change := range map[string]struct {
		reads, writes func(c *rondo.Conn, rate int)
	}{
		"reading":         {reads: func(c *rondo.Conn, rate int) { c.SetReadRate(rate, 1000) }},
		"writing":         {writes: func(c *rondo.Conn, rate int) { c.SetWriteRate(rate, 1000) }},
		"reading, shared": {reads: func(c *rondo.Conn, rate int) { shared.Set(rate, 1000); c.SetReadLimiter(shared) }},
		"writing, shared": {writes: func(c *rondo.Conn, rate int) { shared.Set(rate, 1000); c.SetWriteLimiter(shared) }},
	} {
		t.Run(name, func(t *testing.T) {
			shared = rondo.NewLimiter(1, 1)
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				var reader, writer *rondo.Conn
				set := func(rate int) {
					if change.reads != nil {
						reader.Handle().Do(func(c *rondo.Conn) { change.reads(c, rate) })
					} else {
						writer.Handle().Do(func(c *rondo.Conn) { change.writes(c, rate) })
					}
				}
				s := &sink{made: func(c *rondo.Conn) { reader = c; c.SetReadRate(1, 1) }}
				if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol { return s }); err != nil {
					w.Fatalf("listening: %v", err)
				}
				writer = dialed(w, w.Host("client"), &source{made: func(c *rondo.Conn) { c.SetWriteRate(1, 1) }})
				w.Sleep(time.Second)
				if change.reads == nil {
					reader.Handle().Do(func(c *rondo.Conn) { c.SetReadRate(0, 0) })
				} else {
					writer.Handle().Do(func(c *rondo.Conn) { c.SetWriteRate(0, 0) })
				}
				during := func(d time.Duration) int {
					before := s.n
					w.Sleep(d)
					return s.n - before
				}
				set(1000)
				w.Sleep(3 * time.Second) // bursts, and what was on its way
				if change.reads != nil {
					reader.Handle().Do(func(c *rondo.Conn) { c.SetReadRate(0, 0); change.reads(c, 1000) })
					w.Sleep(3 * time.Second)
				} else {
					writer.Handle().Do(func(c *rondo.Conn) { c.SetWriteRate(0, 0); change.writes(c, 1000) })
					w.Sleep(3 * time.Second)
				}
				exactly(w, "at a thousand", during(10*time.Second), 10_000)
				set(50_000)
				w.Sleep(time.Second)
				exactly(w, "at fifty thousand", during(10*time.Second), 500_000)
				set(100)
				w.Sleep(15 * time.Second) // what is there is used up
				exactly(w, "at a hundred", during(20*time.Second), 2000)
				set(0)
				w.Sleep(time.Millisecond)
				if n := during(time.Second); n < 10_000_000 {
					w.Errorf("%d bytes in a second without a limit", n)
				}
			})
		})
	}
}

// Those who share a limiter get the same, whether their peers are fast or not.
func TestLimiterIsFair(t *testing.T) {
	const conns, rate = 20, 200_000
	for _, way := range []string{"reading", "writing"} {
		t.Run(way, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				cfg := rondo.ListenConfig{}
				if way == "reading" {
					cfg.ReadLimiter = rondo.NewLimiter(rate, 0)
				} else {
					cfg.WriteLimiter = rondo.NewLimiter(rate, 0)
				}
				var sinks []*sink
				e, err := w.Host("server").New(rondo.Config{Loops: 3})
				if err != nil {
					w.Fatalf("starting: %v", err)
				}
				if _, err := cfg.Listen(e, "tcp", ":7000", func() rondo.Protocol {
					if way == "writing" {
						return &source{}
					}
					s := &sink{}
					sinks = append(sinks, s)
					return s
				}); err != nil {
					w.Fatalf("listening: %v", err)
				}
				for range conns {
					if way == "reading" {
						dialed(w, w.Host("client"), &source{})
					} else {
						s := &sink{}
						sinks = append(sinks, s)
						dialed(w, w.Host("client"), s)
					}
				}
				before, start := 0, w.Elapsed()
				for _, s := range sinks {
					before += s.n
				}
				w.Sleep(20 * time.Second)
				sum, each := 0, []int(nil)
				for _, s := range sinks {
					sum += s.n
					each = append(each, s.n)
				}
				exactly(w, "all", sum-before, int(rate*(w.Elapsed()-start).Seconds()))
				if slices.Min(each) < slices.Max(each)/2 || len(each) != conns { // who came first had the burst
					w.Errorf("they got %v", each)
				}
			})
		})
	}
}

// Who has left the line, by any of the ways to leave it, does not keep the others from their turn.
func TestLimiterLeft(t *testing.T) {
	for name, leave := range map[string]func(c *rondo.Conn){
		"Close":          func(c *rondo.Conn) { _ = c.Close() },
		"Abort":          (*rondo.Conn).Abort,
		"PauseReading":   (*rondo.Conn).PauseReading,
		"SetReadLimiter": func(c *rondo.Conn) { c.SetReadLimiter(nil); c.SetReadRate(1000, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				l := rondo.NewLimiter(1000, 1000)
				var conns []*rondo.Conn
				var sinks []*sink
				if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol {
					s := &sink{made: func(c *rondo.Conn) { conns = append(conns, c); c.SetReadLimiter(l) }}
					sinks = append(sinks, s)
					return s
				}); err != nil {
					w.Fatalf("listening: %v", err)
				}
				for range 3 {
					dialed(w, w.Host("client"), &source{})
				}
				w.Sleep(3 * time.Second) // all are in line
				conns[0].Handle().Do(leave)
				conns[1].Handle().Do(leave)
				w.Sleep(time.Second)
				before := sinks[2].n
				w.Sleep(10 * time.Second)
				exactly(w, "who has stayed", sinks[2].n-before, 10_000)
			})
		})
	}
}

// What a rate holds back counts for the water marks, and Close waits for it.
func TestWriteRateKeeps(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		s := &sink{lost: make(chan error, 1)}
		if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol { return s }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		kept := 0
		r := newRecorder(t)
		r.onMade = func(c *rondo.Conn) {
			c.SetWriteRate(100, 50)
			c.SetWriteLimits(10, 500, 1<<20)
			_, _ = c.Write(make([]byte, 100_050))
			kept = c.Buffered()
			_ = c.Close()
		}
		dialed(w, w.Host("client"), pauser{r})
		if kept != 100_000 {
			w.Errorf("%d bytes were kept", kept)
		}
		for range 1100 { // beyond any timeout that a peer without a rate would have
			if len(s.lost) > 0 {
				break
			}
			w.Sleep(time.Second)
		}
		if err := <-s.lost; !errors.Is(err, io.EOF) || s.n != 100_050 {
			w.Errorf("%d bytes came, and %v", s.n, err)
		}
		within(w, w.Elapsed(), 1000*time.Second, 1002*time.Second)
		if err := <-r.lost; err != nil {
			w.Errorf("the writer lost it for %v", err)
		}
	})
}

// Who waits for a rate is not idle.
func TestRateAndIdleTimeout(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		s := &sink{lost: make(chan error, 1), made: func(c *rondo.Conn) { c.SetReadRate(1, 100); c.SetIdleTimeout(300 * time.Millisecond) }}
		if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol { return s }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		dialed(w, w.Host("client"), &source{})
		w.Sleep(10 * time.Second)
		if len(s.lost) > 0 {
			w.Errorf("it ended with %v", <-s.lost)
		}
	})
}

// The engine's end does not wait for the rate of what it still reads.
func TestRateAtShutdown(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		s := &sink{made: func(c *rondo.Conn) { c.SetReadRate(10, 10) }}
		e := w.Host("server").Engine()
		if _, err := e.Listen("tcp", ":7000", func() rondo.Protocol { return s }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		r := newRecorder(t)
		r.onMade = func(c *rondo.Conn) { _, _ = c.Write(make([]byte, 10_000)) }
		dialed(w, w.Host("client"), r)
		w.Sleep(time.Second)
		before := w.Elapsed()
		if err := e.Shutdown(t.Context()); err != nil {
			w.Errorf("shutting down: %v", err)
		}
		within(w, w.Elapsed()-before, 0, time.Second)
		if s.n != 10_000 {
			w.Errorf("%d bytes were read", s.n)
		}
	})
}

// Who wants little at a time does not go before those who stand in line for more.
func TestLimiterNobodyJumpsTheLine(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var sinks []*sink
		if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol {
			sinks = append(sinks, &sink{})
			return sinks[len(sinks)-1]
		}); err != nil {
			w.Fatalf("listening: %v", err)
		}
		l := rondo.NewLimiter(1000, 1000)
		dialed(w, w.Host("client"), &source{made: func(c *rondo.Conn) { c.SetWriteLimiter(l) }})
		nibbler := newRecorder(t)
		nibbler.onMade = func(c *rondo.Conn) {
			c.SetWriteLimiter(l)
			c.Loop().Every(5*time.Millisecond, func() {
				if c.Buffered() < 10 {
					_, _ = c.Write([]byte("bite"))
				}
			})
		}
		dialed(w, w.Host("client"), nibbler)
		w.Sleep(time.Second)
		before := sinks[0].n
		w.Sleep(10 * time.Second)
		if got := sinks[0].n - before; got < 5000 {
			w.Errorf("who wants much has got %d bytes of 10,000, less than half", got)
		}
	})
}

// A closed connection that waits for its turn is not taken for one whose peer does not read.
func TestLimiterLongLine(t *testing.T) {
	const conns = 150
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		n, lost := 0, make(chan error, conns)
		if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol { return &sink{} }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		l := rondo.NewLimiter(1, 1)
		for range conns {
			r := newRecorder(t)
			r.onMade = func(c *rondo.Conn) {
				c.SetWriteLimiter(l)
				_, _ = c.Write([]byte("xyz"))
				_ = c.Close()
			}
			r.onLost = func(_ *rondo.Conn, err error) { lost <- err }
			dialed(w, w.Host("client"), r)
		}
		w.Sleep(time.Duration(3*conns+10) * time.Second)
		for len(lost) > 0 {
			if err := <-lost; err != nil {
				w.Fatalf("one ended with %v", err)
			}
			n++
		}
		if n != conns {
			w.Errorf("%d have ended", n)
		}
	})
}
