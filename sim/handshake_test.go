package sim_test

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// far is how long a packet takes in the tests below.
const far = time.Second

// made counts the connections of a server at port 7 of host s, and says when the last was made.
type made struct {
	n  int
	at time.Duration
}

func (m *made) serve(w *sim.World, o rondo.ListenConfig) *rondo.Listener {
	ln, err := o.Listen(w.Host("s").Engine(), "tcp", ":7", func() rondo.Protocol {
		m.n, m.at = m.n+1, w.Elapsed()
		return &recorder{made: func(c *rondo.Conn) { _, _ = c.Write([]byte("hello")) }, lost: func(error) {}}
	})
	if err != nil {
		w.Fatalf("%v", err)
	}
	return ln
}

// dialFar dials, with all the patience that the system has.
func dialFar(w *sim.World) (net.Conn, error) {
	return (&rondo.Dialer{Timeout: -1}).DialContext(background, w.Host("c").Engine(), "tcp", "s:7")
}

// The server has a connection when the client's answer has come, and what it says first is heard two packets after its client's end stands.
func TestAcceptedWhenAnswered(t *testing.T) {
	sim.Run(t, sim.Config{Link: sim.Link{Latency: far}}, func(w *sim.World) {
		var m made
		m.serve(w, rondo.ListenConfig{})
		c, err := dialFar(w)
		wants(w, "dialing", err, nil)
		took(w, 0, 2*far, "dialing")
		if m.n != 0 {
			w.Errorf("the server had it before")
		}
		hear(w, c, "hello")
		took(w, 0, 4*far, "the greeting")
		if m.n != 1 || m.at != 3*far {
			w.Errorf("the server had %d, at %v", m.n, m.at)
		}
	})
}

// What the client never hears of is never accepted, and does not stand in the way of what comes after.
func TestNeverAnswered(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var m made
		m.serve(w, rondo.ListenConfig{Backlog: 2})
		s, c := w.Host("s"), w.Host("c")
		w.CutOneWay(s, c)
		e := c.Engine()
		ended := 0
		for range 5 {
			w.Go(func() {
				ctx, cancel := w.WithTimeout(background, 10*time.Second)
				defer cancel()
				_, err := e.DialContext(ctx, "tcp", "s:7")
				wants(w, "dialing", err, context.DeadlineExceeded)
				ended++
			})
		}
		w.Wait(func() bool { return ended == 5 })
		w.Sleep(time.Second)
		good := connect(w, w.Host("d").Engine(), "tcp", "s:7")
		hear(w, good, "hello")
		took(w, 11*time.Second, 2*time.Millisecond, "another client")
		if m.n != 1 {
			w.Errorf("%d were accepted", m.n)
		}
	})
}

// With a cut the other way the client has its connection, and the server has it when what the client sends gets through.
func TestAnswerIsLate(t *testing.T) {
	for _, c := range []struct {
		lasts time.Duration
		want  error
	}{
		{time.Minute, nil},
		{2 * time.Minute, syscall.ECONNRESET}, // the server has forgotten it
	} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			var m made
			m.serve(w, rondo.ListenConfig{})
			w.After(700*time.Microsecond, func() { w.CutOneWay(w.Host("c"), w.Host("s")) }) // the first packet has come
			w.After(c.lasts, w.Heal)
			conn, err := dialFar(w)
			wants(w, "dialing", err, nil)
			took(w, 0, time.Millisecond, "dialing")
			_, err = conn.Read(make([]byte, 1))
			wants(w, "reading", err, c.want)
			took(w, 0, c.lasts+time.Millisecond, "reading")
			if ok := m.n == 1; ok != (c.want == nil) {
				w.Errorf("%d were accepted", m.n)
			}
		})
	}
}

// A server that cannot be heard for long forgets the connection, and answers anew.
func TestForgottenAndAnsweredAnew(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var m made
		m.serve(w, rondo.ListenConfig{})
		s, c := w.Host("s"), w.Host("c")
		w.CutOneWay(s, c)
		w.After(100*time.Second, func() { w.MendOneWay(s, c) })
		conn, err := dialFar(w)
		wants(w, "dialing", err, nil)
		hear(w, conn, "hello")
		if m.n != 1 {
			w.Errorf("%d were accepted", m.n)
		}
	})
}

// What becomes of a connection that is half made when one of its ends goes.
func TestGoneBeforeAccepted(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    time.Duration
		event func(w *sim.World, ln *rondo.Listener)
		dials error
		reads error
		after time.Duration
		made  int
	}{
		{"nothing", 0, func(*sim.World, *rondo.Listener) {}, nil, nil, 4 * far, 1},
		{"the listener is closed", 1500 * time.Millisecond, func(_ *sim.World, ln *rondo.Listener) { _ = ln.Close() }, nil, syscall.ECONNRESET, 4 * far, 0},
		{"the server is killed", 1500 * time.Millisecond, func(w *sim.World, _ *rondo.Listener) { w.Host("s").Kill() }, nil, syscall.ECONNRESET, 4 * far, 0},
		{"the server is started again", 1500 * time.Millisecond, func(w *sim.World, _ *rondo.Listener) {
			w.Host("s").Restart()
			new(made).serve(w, rondo.ListenConfig{})
		}, nil, syscall.ECONNRESET, 4 * far, 0},
		{"the client is killed", 1500 * time.Millisecond, func(w *sim.World, _ *rondo.Listener) { w.Host("c").Kill() }, nil, nil, 0, 0},
		{"the client is switched off", 2500 * time.Millisecond, func(w *sim.World, _ *rondo.Listener) { w.Host("c").PowerOff() }, nil, nil, 0, 1},
		{"all is reset while the client waits", 1500 * time.Millisecond, func(w *sim.World, _ *rondo.Listener) { w.ResetAll(w.Host("s"), w.Host("c")) }, nil, nil, 4 * far, 1},
		{"all is reset when the client stands", 2500 * time.Millisecond, func(w *sim.World, _ *rondo.Listener) { w.ResetAll(w.Host("s"), w.Host("c")) }, nil, syscall.ECONNRESET, 2500 * time.Millisecond, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, sim.Config{Link: sim.Link{Latency: far}}, func(w *sim.World) {
				var m made
				ln := m.serve(w, rondo.ListenConfig{})
				if c.at > 0 {
					w.Go(func() {
						w.Sleep(c.at)
						c.event(w, ln)
					})
				}
				w.Host("c").Go(func() {
					conn, err := dialFar(w)
					wants(w, "dialing", err, c.dials)
					if err == nil {
						_, err = conn.Read(make([]byte, 1))
						wants(w, "reading", err, c.reads)
						took(w, 0, c.after, "reading")
					}
				})
				w.Sleep(time.Hour)
				if m.n != c.made {
					w.Errorf("%d were accepted", m.n)
				}
			})
		})
	}
}

// A client that has lost patience is not accepted, however it ends; and one that goes when its end stands is, and has gone.
func TestAbortedBeforeAccepted(t *testing.T) {
	for _, patience := range []time.Duration{1500 * time.Millisecond, 3 * time.Second} {
		sim.Run(t, sim.Config{Link: sim.Link{Latency: far}}, func(w *sim.World) {
			var m made
			m.serve(w, rondo.ListenConfig{})
			ctx, cancel := w.WithTimeout(background, patience)
			defer cancel()
			c, err := w.Host("c").Engine().DialContext(ctx, "tcp", "s:7")
			if err == nil {
				_ = c.Close()
			}
			w.Sleep(time.Minute)
			if want := map[bool]int{true: 1}[err == nil]; m.n != want {
				w.Errorf("%d were accepted after %v", m.n, err)
			}
		})
	}
}
