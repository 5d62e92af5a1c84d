package sim_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// Every fault that is drawn by chance happens when its chance is one, is told by World.Faults, and shows in the program.
func TestFaultsByChance(t *testing.T) {
	often := time.Second
	for _, c := range []struct {
		name   string
		faults sim.Faults
		shows  func(o *outcome) bool
	}{
		{"", sim.Faults{}, func(o *outcome) bool { return o.echoed == rounds }},
		{"refuse", sim.Faults{Refuse: 1}, func(o *outcome) bool { return o.is(syscall.ECONNREFUSED) == rounds }},
		{"silent", sim.Faults{Silent: 1}, func(o *outcome) bool { return o.is(context.DeadlineExceeded) == rounds }},
		{"lose", sim.Faults{Lose: 1}, func(o *outcome) bool { return o.is(context.DeadlineExceeded) == rounds }},
		{"lose", sim.Faults{Lose: 0.5}, func(o *outcome) bool { return o.echoed > 0 && o.connects >= time.Second }},
		{"abort", sim.Faults{Abort: 1}, func(o *outcome) bool { return o.is(syscall.ECONNRESET) == rounds }},
		{"reset", sim.Faults{Reset: 1}, func(o *outcome) bool { return o.is(syscall.ECONNRESET) > 0 }},
		{"stall", sim.Faults{Stall: 1}, func(o *outcome) bool { return o.slowest > time.Second }},
		{"cuts", sim.Faults{Cut: 1}, func(o *outcome) bool { return o.echoed == rounds && o.smallest < 100 }},
		{"failed lookup", sim.Faults{LookupFail: 1}, func(o *outcome) bool { return o.dns == rounds }},
		{"slow lookup", sim.Faults{LookupSlow: 1}, func(o *outcome) bool { return o.echoed > 0 && o.connects > time.Second }},
		{"kill", sim.Faults{Kill: often}, func(o *outcome) bool { return o.starts > 1 }},
		{"power off", sim.Faults{PowerOff: often}, func(o *outcome) bool { return o.starts > 1 }},
		{"pause", sim.Faults{Pause: often}, func(o *outcome) bool { return o.slowest > time.Second }},
		{"clock step", sim.Faults{ClockStep: often}, func(o *outcome) bool { return o.echoed == rounds && o.jumped }},
		{"no files", sim.Faults{NoFiles: often}, func(o *outcome) bool { return o.is(syscall.EMFILE) > 0 }},
		{"slow", sim.Faults{Latency: time.Second}, func(o *outcome) bool { return o.echoed == rounds && o.connects > 10*time.Millisecond }},
		{"narrow", sim.Faults{Narrow: 1}, func(o *outcome) bool { return o.echoed == rounds && o.slowest > 5*time.Millisecond }},
		{"jittery", sim.Faults{Jitter: time.Second}, func(o *outcome) bool { return o.echoed == rounds && o.slowest > 10*time.Millisecond }},
		{"join", sim.Faults{Join: 1}, func(o *outcome) bool { return o.echoed == rounds && o.slowest > 10*time.Millisecond }},
		{"partition", sim.Faults{Partition: often}, func(o *outcome) bool { return o.is(context.DeadlineExceeded) > 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var o outcome
			w, err := sim.Simulate(sim.Config{Faults: c.faults}, o.program)
			if err != nil {
				t.Fatal(err)
			}
			if !c.shows(&o) {
				t.Errorf("it does not show: %+v", o)
			}
			if c.name == "" && len(w.Faults()) > 0 || !slices.ContainsFunc(w.Faults(), func(id string) bool { return strings.HasPrefix(id, c.name) }) && c.name != "" {
				t.Errorf("faults: %q", w.Faults())
			}
			var without outcome
			w, err = sim.Simulate(sim.Config{Faults: c.faults, Only: []string{}}, without.program)
			if err != nil || without.echoed != rounds || len(w.Faults()) > 0 {
				t.Errorf("without any: %+v, %q, %v", without, w.Faults(), err)
			}
		})
	}
}

const rounds = 20

// outcome is what a client sees who connects again and again, and asks for 20,000 bytes to come back.
type outcome struct {
	echoed, dns, starts, smallest int
	connects, slowest             time.Duration // the slowest
	errs                          []error
	jumped                        bool
}

func (o *outcome) is(want error) (n int) {
	for _, err := range o.errs {
		if errors.Is(err, want) {
			n++
		}
	}
	return n
}

func (o *outcome) program(w *sim.World) {
	o.smallest = 1 << 30
	w.Host("server").Start(func(h *sim.Host) error {
		o.starts++
		return echoServer(h)
	})
	over := false
	client := w.Host("client")
	left := rounds
	client.Start(func(*sim.Host) error {
		e := client.Engine()
		for ; left > 0; left-- {
			if err := o.round(w, e); err != nil {
				o.errs = append(o.errs, err)
				if dns := new(net.DNSError); errors.As(err, &dns) {
					o.dns++
				}
			}
			w.Sleep(time.Second)
		}
		over = true
		return nil
	})
	w.Wait(func() bool { return over })
}

func (o *outcome) round(w *sim.World, e *rondo.Engine) error {
	begun := w.Elapsed()
	ctx, cancel := w.WithTimeout(background, 10*time.Second)
	defer cancel()
	c, err := e.DialContext(ctx, "tcp", "server:7")
	if err != nil {
		return err
	}
	defer c.Close()
	o.connects = max(o.connects, w.Elapsed()-begun)
	defer func() { o.slowest = max(o.slowest, w.Elapsed()-begun) }()
	wall, _ := task.Go(e.Loop(), func(t *task.Task) (time.Time, error) { return t.Loop().Now(), nil }).Wait(background)
	o.jumped = o.jumped || wall.Sub(w.Now()).Abs() > time.Minute
	_ = c.SetDeadline(e.Loop().Now().Add(time.Minute))
	want := counting(20_000)
	if _, err := c.Write(want); err != nil {
		return err
	}
	for got := 0; got < len(want); {
		p := make([]byte, 4096)
		n, err := c.Read(p)
		if !bytes.Equal(p[:n], want[got:got+n]) {
			w.Errorf("other bytes came back at %d", got)
		}
		got += n
		if err != nil {
			return err
		}
		o.smallest = min(o.smallest, n)
	}
	o.echoed++
	return nil
}

// A partition is a pause, unless it is too long.
func TestPartitionsHeal(t *testing.T) {
	for _, c := range []struct {
		name  string
		lasts time.Duration
		again time.Duration // a second one, of ten seconds
		want  error
	}{
		{"heals", 3 * time.Minute, 0, nil},
		{"longer than the keepalive of who sends nothing", 14 * time.Minute, 0, syscall.ECONNRESET},
		{"too long", 16 * time.Minute, 0, syscall.ETIMEDOUT},
		{"two that are short", time.Minute, 924*time.Second - time.Second, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				client, server := pair(w)
				// Without keepalive it is what is sent that finds out.
				h := w.Host("server")
				at := w.Elapsed()
				w.Partition(h)
				if c.again > 0 {
					w.After(c.again, func() { w.Partition(h) })
					w.After(c.again+10*time.Second, w.Heal)
				}
				w.After(c.lasts, w.Heal)
				say(w, client, "hello")
				if c.want == nil {
					hear(w, server, "hello")
					took(w, at, c.lasts+500*time.Microsecond, "the partition")
					w.Sleep(20 * time.Minute)
					say(w, server, "still there")
					hear(w, client, "still there")
					return
				}
				_, err := client.Read(make([]byte, 1))
				wants(w, "reading", err, c.want)
			})
		})
	}
}

// Connecting goes on when the partition heals.
func TestPartitionWhileConnecting(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		h.Start(echoServer)
		w.Partition(h)
		w.After(10*time.Second, w.Heal)
		c := connect(w, w.Host("client").Engine(), "tcp", "server:7")
		took(w, 0, 15*time.Second+time.Millisecond, "connecting")
		say(w, c, "hello")
		hear(w, c, "hello")
	})
}

// Cuts and mends are counted, and others are left alone.
func TestCutAndMend(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		a, b := w.Host("client"), w.Host("server")
		w.Cut(a, b)
		w.Cut(b, a)
		w.After(time.Second, func() { w.Mend(a, b) })
		w.After(2*time.Second, func() { w.Mend(a, b) })
		third := connect(w, w.Host("third").Engine(), "tcp", "server:7")
		_ = third.Close()
		at := w.Elapsed()
		say(w, c, "hello")
		hear(w, s, "hello")
		if w.Elapsed() < 2*time.Second {
			w.Errorf("it came after %v", w.Elapsed()-at)
		}
	})
}

func TestStall(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		at := w.Elapsed()
		w.Stall(w.Host("client"), w.Host("server"), time.Minute)
		say(w, s, "the other way")
		hear(w, c, "the other way")
		took(w, at, 500*time.Microsecond, "the other way")
		say(w, c, "hello")
		hear(w, s, "hello")
		took(w, at, time.Minute+500*time.Microsecond, "the stalled way")
	})
}

// Also connections that nobody has accepted are reset.
func TestResetAll(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		e := w.Host("server").Engine()
		if _, err := e.Bind("tcp", ":8"); err != nil { // it does not serve
			w.Fatalf("%v", err)
		}
		waits := connect(w, w.Host("client").Engine(), "tcp", "server:8")
		w.ResetAll(w.Host("server"), w.Host("client"))
		for name, c := range map[string]net.Conn{"client": c, "server": s, "not accepted": waits} {
			_, err := c.Read(make([]byte, 1))
			wants(w, name, err, syscall.ECONNRESET)
		}
	})
}

// How the peers of a machine that is switched off find out.
func TestHalfOpen(t *testing.T) {
	for _, c := range []struct {
		name      string
		restart   time.Duration // 0: never
		say       time.Duration // when something is sent; 0: never
		want      error
		from, til time.Duration
	}{
		{"keepalive", 0, 0, syscall.ETIMEDOUT, 60 * time.Second, 13 * time.Minute},
		{"keepalive after a restart", time.Minute, 0, syscall.ECONNRESET, 60 * time.Second, 3 * time.Minute},
		{"sending after a restart", 10 * time.Second, 20 * time.Second, syscall.ECONNRESET, 20 * time.Second, 21 * time.Second},
		{"sending before a restart", 30 * time.Second, 5 * time.Second, syscall.ECONNRESET, 30 * time.Second, 60 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				conn, _ := pair(w)
				h := w.Host("server")
				h.PowerOff()
				at := w.Elapsed()
				if c.restart > 0 {
					w.After(c.restart, h.Restart)
				}
				if c.say > 0 {
					w.Go(func() {
						w.Sleep(c.say)
						say(w, conn, "hello")
					})
				}
				_, err := conn.Read(make([]byte, 1))
				wants(w, "reading", err, c.want)
				if d := w.Elapsed() - at; d < c.from || d > c.til {
					w.Errorf("found out after %v", d)
				}
			})
		})
	}
}

// Without keepalive who sends finds out after a quarter of an hour, also if there was no room for what he sends.
func TestHalfOpenWithoutKeepAlive(t *testing.T) {
	for _, size := range []int{1, 1 << 20} {
		for _, before := range []bool{false, true} {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				e := w.Host("server").Engine()
				var lost error
				p := &recorder{made: func(c *rondo.Conn) { _ = c.SetKeepAlive(0) }, lost: func(err error) { lost = err }}
				peer := w.Attach(e, p)
				peer.PauseReading()
				send := func() { e.Loop().Post(func() { _, _ = p.conn.Write(make([]byte, size)) }) }
				if before {
					send()
					w.Sleep(time.Second)
				}
				at := w.Elapsed()
				w.Host("peer1").PowerOff()
				if !before {
					send()
				}
				if before && size == 1 { // it has arrived
					return
				}
				w.Sleep(900 * time.Second)
				if lost != nil {
					w.Errorf("after %v: %v", w.Elapsed()-at, lost)
				}
				w.Sleep(100 * time.Second)
				wants(w, "the end", lost, syscall.ETIMEDOUT)
			})
		}
	}
}

// recorder is a protocol that tells what happens to it.
type recorder struct {
	conn *rondo.Conn
	made func(*rondo.Conn)
	lost func(error)
}

func (r *recorder) ConnectionMade(c *rondo.Conn)            { r.conn = c; r.made(c) }
func (*recorder) DataReceived(_ *rondo.Conn, p []byte) int  { return len(p) }
func (r *recorder) ConnectionLost(_ *rondo.Conn, err error) { r.lost(err) }

func TestAbortAccepts(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		h.Start(echoServer)
		h.AbortAccepts(2)
		e := w.Host("client").Engine()
		for i := range 4 {
			c := connect(w, e, "tcp", "server:7")
			if i < 2 {
				_, err := c.Read(make([]byte, 1))
				wants(w, "reading", err, syscall.ECONNRESET)
				continue
			}
			say(w, c, "hello")
			hear(w, c, "hello")
		}
	})
}

// Accepting pauses for want of descriptors, and goes on when there are some.
func TestMaxFiles(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		h.Start(echoServer)
		h.SetMaxFiles(3) // a listener, and two connections
		e := w.Host("client").Engine()
		var conns []net.Conn
		for i := range 3 {
			c := connect(w, e, "tcp", "server:7")
			conns = append(conns, c)
			say(w, c, "hello")
			if i < 2 {
				hear(w, c, "hello")
			}
		}
		_ = conns[2].SetReadDeadline(w.Now().Add(time.Minute))
		_, err := conns[2].Read(make([]byte, 1))
		wants(w, "the third", err, os.ErrDeadlineExceeded)
		_ = conns[0].Close()
		_ = conns[2].SetReadDeadline(time.Time{})
		at := w.Elapsed()
		hear(w, conns[2], "hello")
		if d := w.Elapsed() - at; d > 2*time.Second {
			w.Errorf("it took %v", d)
		}
		w.Host("client").SetMaxFiles(2)
		_, err = e.DialContext(background, "tcp", "server:7")
		wants(w, "dialing", err, syscall.EMFILE)
		_, err = e.Listen("tcp", ":9", stream.Handle(echoHandler))
		wants(w, "listening", err, syscall.EMFILE)
	})
}

// The clock on the wall jumps, and timers do not.
func TestStepClock(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			h := w.Host("a")
			l := h.Engine().Loop()
			w.After(time.Minute, func() { h.StepClock(step) })
			now := func() time.Time {
				v, _ := task.Go(l, func(t *task.Task) (time.Time, error) { return l.Now(), nil }).Wait(background)
				return v
			}
			before := now()
			_, err := task.Go(l, func(t *task.Task) (int, error) { return 0, task.Sleep(t, 2*time.Minute) }).Wait(background)
			wants(w, "sleeping", err, nil)
			took(w, 0, 2*time.Minute, "sleeping")
			if d := now().Sub(before) - step - 2*time.Minute; d.Abs() > time.Second {
				w.Errorf("the clock went on by %v", now().Sub(before))
			}
		})
	}
}

// A process that is killed runs no code any more but deferred functions, its peers hear of it, and its program starts again.
func TestKillAndRestart(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		starts, inTask, inGoroutine, after := 0, 0, 0, 0
		h.Start(func(h *sim.Host) error {
			starts++
			e := h.Engine()
			task.Go(e.Loop(), func(t *task.Task) (int, error) {
				defer func() { inTask++ }()
				err := task.Sleep(t, time.Hour)
				after++
				return 0, err
			})
			h.Go(func() {
				defer func() { inGoroutine++ }()
				w.Sleep(time.Hour)
				after++
			})
			return echoServer(h)
		})
		e := w.Host("client").Engine()
		c := connect(w, e, "tcp", "server:7")
		say(w, c, "hello")
		hear(w, c, "hello")
		h.Kill()
		_, err := c.Read(make([]byte, 1))
		wants(w, "reading", err, io.EOF)
		w.Sleep(time.Second)
		if h.Up() || inTask != 1 || inGoroutine != 1 {
			w.Errorf("up: %v; deferred functions: %d, %d", h.Up(), inTask, inGoroutine)
		}
		_, err = e.DialContext(background, "tcp", "server:7")
		wants(w, "connecting", err, syscall.ECONNREFUSED)
		h.Restart()
		c = connect(w, e, "tcp", "server:7")
		say(w, c, "hello")
		hear(w, c, "hello")
		h.Restart() // kills it first
		_, err = c.Read(make([]byte, 1))
		wants(w, "reading", err, io.EOF)
		w.Sleep(2 * time.Hour)
		if starts != 3 || inTask != 3 || inGoroutine != 3 || after != 2 {
			w.Errorf("%d starts; deferred functions: %d, %d; %d lived on", starts, inTask, inGoroutine, after)
		}
	})
}

// Who kills the process that he is part of goes no further than to where he waits.
func TestKillsItself(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		other, went := false, false
		h.Go(func() { // in a turn of its own, in either order
			w.Sleep(time.Second)
			other = h.Up()
		})
		h.Go(func() {
			w.Sleep(time.Second / 2)
			h.Kill()
			w.Sleep(time.Second)
			went = true
		})
		w.Sleep(time.Minute)
		if other || went || h.Up() {
			w.Errorf("%v, %v, up %v", other, went, h.Up())
		}
		h.Restart()
		e := h.Engine()
		e.Loop().Post(h.Kill)
		w.Sleep(time.Second)
		h.Restart()
		e = h.Engine()
		_, _ = task.Go(e.Loop(), func(t *task.Task) (int, error) {
			h.Kill()
			err := task.Sleep(t, time.Second)
			went = err == nil
			return 0, err
		}).Wait(background)
		w.Sleep(time.Minute)
		if went {
			w.Errorf("a task of a killed process went on")
		}
	})
}

// A program that fails to start is started again.
func TestStartFails(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		starts := 0
		w.Host("a").Start(func(*sim.Host) error {
			if starts++; starts < 3 {
				return errors.New("not yet")
			}
			return nil
		})
		w.Sleep(time.Minute)
		if starts != 3 {
			w.Errorf("%d starts", starts)
		}
	})
}

// A paused process does nothing at all: neither its loops nor its goroutines.
func TestPause(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		h.Start(echoServer)
		c := connect(w, w.Host("client").Engine(), "tcp", "server:7")
		at := w.Elapsed()
		var woke time.Duration
		h.Go(func() {
			w.Sleep(time.Second)
			woke = w.Elapsed() - at
		})
		w.Sleep(time.Millisecond)
		h.Pause(10 * time.Second)
		w.After(5*time.Second, func() { h.Pause(10 * time.Second) })
		say(w, c, "hello")
		hear(w, c, "hello")
		took(w, at, 15*time.Second+time.Millisecond+500*time.Microsecond, "the echo")
		if woke != 15*time.Second+time.Millisecond {
			w.Errorf("a goroutine went on after %v", woke)
		}
	})
}

func TestSetLookup(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		h := w.Host("client")
		e := h.Engine()
		broken := &net.DNSError{Err: "server misbehaving", Name: "server"}
		h.SetLookup(func(string) (time.Duration, error) { return 0, broken })
		_, err := e.DialContext(background, "tcp", "server:7")
		wants(w, "a name that fails", err, broken)
		h.SetLookup(func(string) (time.Duration, error) { return time.Hour, nil })
		ctx, cancel := w.WithTimeout(background, time.Second)
		defer cancel()
		_, err = e.DialContext(ctx, "tcp", "server:7")
		wants(w, "a name that is slow", err, context.DeadlineExceeded)
		h.SetLookup(func(string) (time.Duration, error) { return 3 * time.Second, nil })
		at := w.Elapsed()
		_ = connect(w, e, "tcp", "server:7")
		took(w, at, 3*time.Second+time.Millisecond, "a name that is slow")
		h.SetLookup(nil)
		_, err = e.DialContext(background, "tcp", "nobody:7")
		if dns := new(net.DNSError); !errors.As(err, &dns) || !dns.IsNotFound {
			w.Errorf("a name that is not there: %v", err)
		}
	})
}

func TestSignals(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		h.Signal(os.Interrupt) // nobody has asked
		l := h.Engine().Loop()
		heard := 0
		l.Post(func() { l.OnSignal(syscall.SIGHUP, func(os.Signal) { heard++ }) })
		f := task.Go(l, func(t *task.Task) (os.Signal, error) {
			s := stream.NewSignals(t, os.Interrupt, syscall.SIGTERM)
			defer s.Stop()
			return s.Next(t)
		})
		w.Sleep(time.Second)
		h.Signal(syscall.SIGHUP)
		w.Sleep(time.Second)
		h.Signal(syscall.SIGTERM)
		if sig, err := f.Wait(background); sig != syscall.SIGTERM || err != nil || heard != 1 {
			w.Errorf("%v, %v; %d of the other", sig, err, heard)
		}
		took(w, 0, 2*time.Second, "it")
		w.Host("b").Kill()
		w.Host("b").Signal(os.Interrupt)
	})
}
