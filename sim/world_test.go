package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// No run leaves a goroutine behind, however it ends.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Ten hours of sleep take no time; nor does a year, for whom the limit is raised.
func TestAutojump(t *testing.T) {
	for _, d := range []time.Duration{10 * time.Hour, 365 * 24 * time.Hour} {
		w, err := sim.Simulate(sim.Config{Limit: 2 * d}, func(w *sim.World) {
			e := w.Host("a").Engine()
			f := task.Go(e.Loop(), func(t *task.Task) (int, error) { return 1, task.Sleep(t, d) })
			if v, err := f.Wait(background); v != 1 || err != nil {
				w.Errorf("%v, %v", v, err)
			}
			took(w, 0, d, "sleeping")
			if got := w.Now().Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); got != w.Elapsed() {
				w.Errorf("it is %v", got)
			}
		})
		if err != nil || w.Events() > 1000 {
			t.Errorf("%v, with %d events", err, w.Events())
		}
	}
}

func TestAfterSleepWait(t *testing.T) {
	w, err := sim.Simulate(sim.Config{Log: true}, func(w *sim.World) {
		for i, d := range []int{3, 1, 2, 1, 0, -1} {
			w.After(time.Duration(d)*time.Second, func() { w.Note("%d at %v", i, w.Elapsed()) })
		}
		stop := w.After(time.Second, func() { w.Errorf("what was stopped is called") })
		stop()
		stop()
		w.Sleep(0)
		w.Sleep(-time.Second)
		took(w, 0, 0, "sleeping not at all")
		n := 0
		w.Go(func() {
			for range 5 {
				w.Sleep(time.Second)
				n++
			}
		})
		w.Wait(func() bool { return n == 3 })
		took(w, 0, 3*time.Second, "waiting")
	})
	if err != nil {
		t.Error(err)
	}
	var notes []string
	for _, e := range w.Log().Entries() {
		notes = append(notes, e.Of)
	}
	if got := strings.Join(notes, ", "); got != "4 at 0s, 5 at 0s, 1 at 1s, 3 at 1s, 2 at 2s, 0 at 3s" {
		t.Errorf("%s", got)
	}
}

func TestWithTimeout(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		never := rondo.NewPromise[int](w.Host("a").Engine().Loop()).Future()
		ctx, cancel := w.WithTimeout(background, time.Minute)
		_, err := never.Wait(ctx)
		wants(w, "waiting", err, context.DeadlineExceeded)
		took(w, 0, time.Minute, "waiting")
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			w.Errorf("%v", ctx.Err())
		}
		cancel()
		wants(w, "after cancel", ctx.Err(), context.DeadlineExceeded)

		ctx, cancel = w.WithTimeout(background, time.Minute)
		w.After(time.Second, cancel)
		_, err = never.Wait(ctx)
		wants(w, "who is cancelled", err, context.Canceled)
		wants(w, "who is cancelled", ctx.Err(), context.Canceled)

		outer, end := w.WithTimeout(background, time.Second)
		defer end()
		ctx, cancel = w.WithTimeout(outer, time.Minute)
		defer cancel()
		_, err = never.Wait(ctx)
		wants(w, "within another", err, context.DeadlineExceeded)
		took(w, time.Minute+time.Second, time.Second, "within another")
	})
}

// What Engine.Run runs, and goroutines, go at one instant, in an order that the seed decides.
func TestOrder(t *testing.T) {
	run := func(seed uint64) (order string) {
		_, err := sim.Simulate(sim.Config{Seed: seed}, func(w *sim.World) {
			e := w.Host("a").Engine()
			left := 8
			for i := range 8 {
				f := func(context.Context) {
					order += fmt.Sprint(i)
					left--
				}
				if err := e.Run(f); err != nil {
					w.Errorf("%v", err)
				}
			}
			w.Wait(func() bool { return left == 0 })
			took(w, 0, 0, "running them")
			order += fmt.Sprint(" ", w.Rand().IntN(1000))
		})
		if err != nil {
			t.Error(err)
		}
		return order
	}
	seen := map[string]bool{}
	for seed := uint64(1); seed <= 20; seed++ {
		first := run(seed)
		if second := run(seed); first != second {
			t.Errorf("seed %d: %s and then %s", seed, first, second)
		}
		seen[first] = true
	}
	if len(seen) < 15 {
		t.Errorf("20 seeds give only %d orders", len(seen))
	}
}

// How a run ends that does not return, and what is said of it.
func TestReports(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  sim.Config
		fn   func(w *sim.World)
		want []string // "-" before what must not be in it
	}{
		{"waits for ever", sim.Config{}, func(w *sim.World) {
			e := w.Host("a").Engine()
			p := rondo.NewPromise[int](e.Loop())
			_, _ = task.Go(e.Loop(), func(t *task.Task) (int, error) {
				t.SetName("the one who waits")
				return task.Await(t, p.Future())
			}).Wait(background)
		}, []string{"waits for ever", "the one who waits", "the simulation's function", "host a"}},
		{"waits for ever to read", sim.Config{}, func(w *sim.World) {
			w.Host("server").Start(echoServer)
			_, _ = task.Go(w.Host("client").Engine().Loop(), func(t *task.Task) (int, error) {
				t.SetName("reader")
				s, err := stream.Dial(t, "tcp", "server:7")
				if err != nil {
					return 0, err
				}
				_, err = s.Read(t, make([]byte, 1))
				return 0, err
			}).Wait(background)
		}, []string{"waits for ever", "reader", "read", "host server", "client>server:7#1"}},
		{"in circles", sim.Config{}, func(w *sim.World) {
			var again func()
			l := w.Host("a").Engine().Loop()
			again = func() { l.Post(again) }
			again()
			w.Sleep(time.Second)
		}, []string{"goes round in circles"}},
		{"in circles of events", sim.Config{}, func(w *sim.World) {
			var again func()
			again = func() { w.After(0, again) }
			again()
			w.Sleep(time.Second)
		}, []string{"goes round in circles"}},
		{"limit", sim.Config{Limit: time.Hour}, func(w *sim.World) {
			for {
				w.Sleep(time.Minute)
			}
		}, []string{"has not ended after 1h0m0s"}},
		{
			"panic in the simulation's function",
			sim.Config{},
			func(*sim.World) { panic("oh") },
			[]string{"panic in the simulation's function: oh", "world_test.go"},
		},
		{"panic in a goroutine", sim.Config{}, func(w *sim.World) {
			w.Go(func() { panic("oh") })
			w.Sleep(time.Hour)
		}, []string{"panic in a function given to World.Go: oh", "world_test.go"}},
		{"panic in a host's goroutine", sim.Config{}, func(w *sim.World) {
			w.Host("a").Start(func(*sim.Host) error { panic("oh") })
			w.Sleep(time.Hour)
		}, []string{"panic in a goroutine of host a: oh", "world_test.go"}},
		{"panic in World.After", sim.Config{}, func(w *sim.World) {
			w.After(time.Minute, func() { panic("oh") })
			w.Sleep(time.Hour)
		}, []string{"panic in a function given to World.After: oh", "world_test.go"}},
		{"panic in World.Wait", sim.Config{}, func(w *sim.World) {
			n := 0
			w.Go(func() { w.Sleep(time.Minute); w.Sleep(time.Minute) })
			w.Wait(func() bool {
				if n++; n == 2 {
					panic("oh")
				}
				return false
			})
		}, []string{"panic in", ": oh", "world_test.go"}},
		{"errors", sim.Config{}, func(w *sim.World) {
			w.Errorf("one %d", 1)
			w.Sleep(time.Second)
			w.Errorf("two")
		}, []string{"one 1\ntwo"}},
		{"fatal", sim.Config{}, func(w *sim.World) {
			w.Fatalf("one %d", 1)
			w.Errorf("two")
		}, []string{"one 1", "-two", "-panic"}},
		{"fatal elsewhere", sim.Config{}, func(w *sim.World) {
			w.After(time.Second, func() { w.Fatalf("one") })
			w.Sleep(time.Hour)
			w.Errorf("two")
		}, []string{"one", "-two", "-panic"}},
		{"fatal in a task", sim.Config{}, func(w *sim.World) {
			_, _ = task.Go(w.Host("a").Engine().Loop(), func(*task.Task) (int, error) {
				w.Fatalf("one")
				return 0, nil
			}).Wait(background)
			w.Errorf("two")
		}, []string{"one", "-two", "-panic"}},
		{"failing now", sim.Config{}, func(w *sim.World) {
			w.FailNow()
		}, []string{"failed"}},
		{"a task that waits as a goroutine does", sim.Config{}, func(w *sim.World) {
			_, err := task.Go(w.Host("a").Engine().Loop(), func(*task.Task) (int, error) {
				w.Sleep(time.Second)
				return 0, nil
			}).Wait(background)
			w.Errorf("%v", err)
		}, []string{"those of package task"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := sim.Simulate(c.cfg, c.fn)
			if err == nil {
				t.Fatal("there is no error")
			}
			for _, want := range c.want {
				if no := strings.TrimPrefix(want, "-"); no != want && strings.Contains(err.Error(), no) || no == want && !strings.Contains(err.Error(), want) {
					t.Errorf("%q: %v", want, err)
				}
			}
		})
	}
}

// exiting is a test whose FailNow can be seen.
type exiting struct {
	testing.TB
	failed bool
}

func (e *exiting) Helper()             {}
func (e *exiting) Name() string        { return "TestExiting" }
func (e *exiting) Failed() bool        { return e.failed }
func (e *exiting) Logf(string, ...any) {}
func (e *exiting) Error(...any)        { e.failed = true }
func (e *exiting) FailNow() {
	e.failed = true
	runtime.Goexit()
}

// A test's FailNow ends the run, wherever it is called, or at least what has called it, and leaves nothing behind.
func TestFailNow(t *testing.T) {
	for _, c := range []struct {
		name string
		fn   func(t *exiting, w *sim.World)
	}{
		{"in the simulation's function", func(t *exiting, w *sim.World) { t.FailNow() }},
		{"in a goroutine", func(t *exiting, w *sim.World) {
			w.Go(t.FailNow)
			w.Sleep(time.Second)
		}},
		{"in a host's goroutine", func(t *exiting, w *sim.World) {
			w.Host("a").Go(t.FailNow)
			w.Sleep(time.Second)
		}},
		{"in World.After", func(t *exiting, w *sim.World) {
			w.After(time.Second, t.FailNow)
			w.Sleep(time.Minute)
		}},
		{"in a task", func(t *exiting, w *sim.World) {
			_, _ = task.Go(w.Host("a").Engine().Loop(), func(*task.Task) (int, error) {
				t.FailNow()
				return 0, nil
			}).Wait(background)
		}},
		{"in a callback", func(t *exiting, w *sim.World) {
			w.Host("a").Engine().Loop().Post(t.FailNow)
			w.Sleep(time.Second)
		}},
		{"in blocking work", func(t *exiting, w *sim.World) {
			_ = w.Host("a").Engine().Run(func(context.Context) { t.FailNow() })
			w.Sleep(time.Second)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &exiting{TB: t}
			deferred := false
			var wg sync.WaitGroup
			wg.Go(func() {
				sim.Run(r, sim.Config{}, func(w *sim.World) {
					defer func() { deferred = true }()
					e := w.Host("other").Engine()
					task.Go(e.Loop(), func(t *task.Task) (int, error) { return 0, task.Sleep(t, time.Hour) })
					w.Go(func() { w.Sleep(time.Hour) })
					w.Sleep(time.Second)
					c.fn(r, w)
				})
			})
			wg.Wait()
			if !r.failed || !deferred {
				t.Errorf("failed: %v; deferred functions have run: %v", r.failed, deferred)
			}
		})
	}
}

// A goroutine of the go statement is told that it is none of the world's.
func TestForeignGoroutine(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		f := rondo.NewPromise[int](w.Host("a").Engine().Loop()).Future()
		said := make(chan any)
		go func() {
			defer func() { said <- recover() }()
			_, _ = f.Wait(background)
		}()
		if v := fmt.Sprint(<-said); !strings.Contains(v, "start it with World.Go, Host.Go or Engine.Run") {
			w.Errorf("it panics with %s", v)
		}
	})
}

// Engines that are left open are closed, in the world: tasks are cancelled, and connections end. A host that is down stays so.
func TestLeftOpen(t *testing.T) {
	var ends []string
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(func(h *sim.Host) error {
			task.Go(h.Engine().Loop(), func(t *task.Task) (int, error) {
				err := task.Sleep(t, time.Hour)
				ends = append(ends, fmt.Sprint(err))
				return 0, err
			})
			return echoServer(h)
		})
		c := connect(w, w.Host("client").Engine(), "tcp", "server:7")
		w.Go(func() {
			_, err := c.Read(make([]byte, 1))
			ends = append(ends, fmt.Sprint(err))
		})
		down := w.Host("down")
		down.Start(func(h *sim.Host) error {
			if w.Elapsed() > time.Second {
				w.Errorf("a program was started at the end")
			}
			return echoServer(h)
		})
		w.Sleep(time.Second)
		down.Kill()
		w.After(time.Second, down.Restart)
		w.Host("server").Pause(time.Minute) // so that closing takes as long
	})
	slices.Sort(ends)
	if err != nil || len(ends) != 2 {
		t.Errorf("%v, %q", err, ends)
	}
}

// An engine that does not come to close is waited for no longer than the limit.
func TestDoesNotClose(t *testing.T) {
	for _, c := range []struct {
		pause time.Duration
		want  string
	}{{time.Hour, ""}, {48 * time.Hour, "has not ended"}} {
		w, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			h := w.Host("a")
			h.Engine()
			h.Pause(c.pause)
		})
		if c.want == "" && (err != nil || w.Elapsed() != c.pause) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, after %v", c.pause, err, w.Elapsed())
		}
	}
}

// net.Conns on goroutines: many of them, with a listener's Accept.
func TestGoroutines(t *testing.T) {
	sim.Run(t, sim.Config{Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}, func(w *sim.World) {
		server := w.Host("server")
		ln, err := server.Engine().ListenNet("tcp", ":7")
		if err != nil {
			w.Fatalf("%v", err)
		}
		server.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				server.Go(func() {
					_, _ = io.Copy(c, c)
					_ = c.Close()
				})
			}
		})
		left := 20
		for range 20 {
			e := w.Host("client").Engine()
			w.Host("client").Go(func() {
				defer func() { left-- }()
				c := connect(w, e, "tcp", "server:7")
				defer c.Close()
				words := strings.Repeat("x", 1+rand.New(rand.NewPCG(1, uint64(left))).IntN(50_000))
				say(w, c, words)
				hear(w, c, words)
			})
		}
		w.Wait(func() bool { return left == 0 })
	})
}

// Two runs of one seed do the same, whatever the seed, and however many processors there are.
func TestSameAgain(t *testing.T) {
	seeds := 1000
	if testing.Short() || raceDetector {
		seeds = 30
	}
	cfg := sim.Config{Faults: sim.Chaos(), Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}
	cfg.Faults.Until = 10 * time.Second
	run := func(seed uint64) *sim.World {
		cfg.Seed = seed
		w, err := sim.Simulate(cfg, aMinute)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	sums := map[uint64]bool{}
	for seed := uint64(1); seed <= uint64(seeds); seed++ {
		a := run(seed)
		before := runtime.GOMAXPROCS(0)
		if seed%2 == 0 {
			runtime.GOMAXPROCS(3 - min(before, 2)) // one instead of two, or the other way
		}
		b := run(seed)
		runtime.GOMAXPROCS(before)
		if a.Log().Sum() != b.Log().Sum() || a.Events() != b.Events() {
			t.Fatalf("seed %d: %d and %d events\n%s", seed, a.Events(), b.Events(), sim.Diff(a.Log(), b.Log()))
		}
		sums[a.Log().Sum()] = true
	}
	if len(sums) != seeds {
		t.Errorf("%d seeds did %d different things", seeds, len(sums))
	}
}

// aMinute is a small program of tasks and goroutines under faults.
func aMinute(w *sim.World) {
	w.Host("server").Start(echoServer)
	w.Host("tasks").Start(func(h *sim.Host) error {
		task.Go(h.Engine().Loop(), func(t *task.Task) (int, error) {
			for {
				err := task.WithTimeout(t, 5*time.Second, func(t *task.Task) error { return askOnce(t, w) })
				w.Note("task: %v", err)
				if err := task.Sleep(t, 2*time.Second); err != nil {
					return 0, err
				}
			}
		})
		return nil
	})
	w.Host("goroutines").Start(func(h *sim.Host) error {
		e := h.Engine()
		for range 5 {
			ctx, cancel := w.WithTimeout(background, 5*time.Second)
			c, err := e.DialContext(ctx, "tcp", "server:7")
			cancel()
			if err == nil {
				_ = c.SetDeadline(e.Loop().Now().Add(5 * time.Second))
				_, _ = c.Write(counting(3000))
				var n int
				n, err = io.ReadFull(c, make([]byte, 3000))
				w.Note("goroutine: %d", n)
				_ = c.Close()
			}
			w.Note("goroutine: %v", err)
			w.Sleep(2 * time.Second)
		}
		return nil
	})
	w.Sleep(15 * time.Second)
}

func askOnce(t *task.Task, w *sim.World) error {
	s, err := stream.Dial(t, "tcp", "server:7")
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Write(t, counting(2000)); err != nil {
		return err
	}
	n, err := s.ReadFull(t, make([]byte, 2000))
	w.Note("task: %d", n)
	return err
}

// What a collection of garbage finds depends on when it comes, and is kept out of the log.
func TestCollectorSaysNothing(t *testing.T) {
	w, err := sim.Simulate(sim.Config{Log: true}, func(w *sim.World) {
		l := w.Host("a").Engine().Loop()
		l.Post(func() { _ = rondo.Rejected[int](l, errors.New("not looked at")) })
		for range 5 {
			w.Sleep(time.Second)
			runtime.GC()
		}
	})
	if err != nil || w.Log().Len() > 0 {
		t.Errorf("%v, %v", err, w.Log().Entries())
	}
}
