package sim_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// What is derived from World.WithTimeout's context ends as what is derived from context.WithTimeout's does.
func TestTimeoutOfDerivedContext(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		outer, end := w.WithTimeout(background, time.Second)
		defer end()
		child, cancel := context.WithCancel(outer)
		defer cancel()
		inner, cancel2 := w.WithTimeout(outer, time.Minute)
		defer cancel2()
		w.Sleep(2 * time.Second)
		if !errors.Is(child.Err(), context.DeadlineExceeded) {
			w.Errorf("child: %v", child.Err())
		}
		if !errors.Is(inner.Err(), context.DeadlineExceeded) {
			w.Errorf("inner: %v", inner.Err())
		}
	})
}

// A partition by script is not ended by the repair of an earlier cut that Heal had ended.
func TestMendAfterHeal(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		a, b := w.Host("client"), w.Host("server")
		w.Cut(a, b) // what Faults.Partition does, with the Mend to come
		w.After(10*time.Second, func() { w.Mend(a, b) })
		w.Sleep(time.Second)
		w.Heal()
		w.Partition(b)
		at := w.Elapsed()
		w.After(time.Minute, w.Heal)
		say(w, c, "hello")
		hear(w, s, "hello")
		if d := w.Elapsed() - at; d < time.Minute {
			w.Errorf("the partition of a minute lasted %v", d)
		}
	})
}

// A host that a script has killed stays down until the script starts it again, whatever faults there are.
func TestScriptedKillStays(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w, err := sim.Simulate(sim.Config{Seed: seed, Faults: sim.Faults{Kill: 10 * time.Second}}, func(w *sim.World) {
			h := w.Host("server")
			h.Start(echoServer)
			h.Kill()
			w.Sleep(time.Minute)
			if h.Up() {
				w.Errorf("it is up")
			}
		})
		if err != nil {
			t.Fatalf("%v; %q", err, w.Faults())
		}
	}
}

// What is said to have happened has: a host that is down cannot be killed.
func TestFaultsThatDoNothing(t *testing.T) {
	w, err := sim.Simulate(sim.Config{Log: true, Faults: sim.Faults{Kill: time.Second, Repair: time.Hour}}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.Sleep(time.Minute)
	})
	kills := 0
	for _, e := range w.Log().Entries() {
		if e.What == "kill" {
			kills++
		}
	}
	if err != nil || kills != len(w.Faults()) {
		t.Errorf("%d kills, and the faults %q, %v", kills, w.Faults(), err)
	}
}

// A fault that does not exist is not passed over.
func TestUnknownFault(t *testing.T) {
	_, err := sim.Simulate(sim.Config{Faults: sim.Chaos(), Only: []string{"kil server#1"}}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.Sleep(time.Minute)
	})
	if err == nil {
		t.Error("a name that is no fault's passes unseen")
	}
}

// A panic in a protocol's callback or in a handler that nobody waits for is seen by a test that would pass otherwise.
func TestPanicIsSeen(t *testing.T) {
	for _, server := range []func(e *rondo.Engine){
		func(e *rondo.Engine) {
			_, _ = e.Listen("tcp", ":7", stream.Handle(func(t *task.Task, s *stream.Stream) error {
				_, _ = s.Write(t, []byte("x"))
				_ = s.Close()
				panic("bug")
			}))
		},
		func(e *rondo.Engine) { e.Loop().Post(func() { panic("bug") }) },
	} {
		w, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			server(w.Host("server").Engine())
			w.Sleep(time.Second)
			if c, err := w.Host("client").Engine().DialContext(background, "tcp", "server:7"); err == nil {
				_, _ = io.ReadAll(c)
			}
		})
		if err == nil {
			var lines []string
			for _, e := range w.Log().Entries() {
				lines = append(lines, e.String())
			}
			t.Errorf("no error; panic in the log: %v\n%s", slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "panic") }), strings.Join(lines, "\n"))
		}
	}
}

// To listen at a name asks the world's names, not the operating system's.
func TestListenAtName(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("server").Engine()
		if _, err := e.Listen("tcp", "server:7", stream.Handle(echoHandler)); err != nil {
			w.Errorf("%v", err)
		}
	})
}

// Two that close an engine at the same time both return, and the world goes on meanwhile.
func TestCloseTwiceAtOnce(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		e := h.Engine()
		closed := 0
		for range 2 {
			h.Go(func() {
				if err := e.Close(); err != nil {
					w.Errorf("Close: %v", err)
				}
				closed++
			})
		}
		w.Wait(func() bool { return closed == 2 })
	})
}
