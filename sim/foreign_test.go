package sim_test

import (
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
)

// What a goroutine of the go statement calls ends the run, with what it was, and what to use.
func TestForeignCalls(t *testing.T) {
	for _, c := range []struct {
		name string
		call func(w *sim.World) func() // the second is called by the goroutine
		want string
	}{
		{"Handle.Write", func(w *sim.World) func() {
			w.Host("server").Start(echoServer)
			conn, err := w.Host("a").Engine().Dial(background, "tcp", "server:7", &recorder{made: func(*rondo.Conn) {}, lost: func(error) {}}).Wait(background)
			if err != nil {
				w.Fatalf("%v", err)
			}
			h := conn.Handle()
			w.Sleep(time.Second)
			return func() { _, _ = h.Write([]byte("x")) }
		}, "rondo.Handle.Write"},
		{"Loop.Post", func(w *sim.World) func() {
			l := w.Host("a").Engine().Loop()
			w.Sleep(time.Second)
			return func() { l.Post(func() {}) }
		}, "rondo.Loop.Post"},
		{"Promise.Resolve", func(w *sim.World) func() {
			p := rondo.NewPromise[int](w.Host("a").Engine().Loop())
			w.Sleep(time.Second)
			return func() { p.Resolve(1) }
		}, "rondo.Promise"},
		{"World.After", func(w *sim.World) func() { return func() { w.After(time.Second, func() {})() } }, "sim.World.After"},
		{"World.Go", func(w *sim.World) func() { return func() { w.Go(func() {}) } }, "sim.World.Go"},
		{"Host.Go", func(w *sim.World) func() {
			h := w.Host("a")
			return func() { h.Go(func() {}) }
		}, "sim.Host.Go"},
		{"Host.After", func(w *sim.World) func() {
			h := w.Host("a")
			return func() { h.After(0, func() {})() }
		}, "sim.Host.After"},
		{"Engine.Go", func(w *sim.World) func() {
			e := w.Host("a").Engine()
			return func() { e.Go(func() {}) }
		}, "rondo.Engine.Go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
				call := c.call(w)
				done := make(chan struct{})
				go func() {
					defer close(done)
					call()
				}()
				<-done
				w.Sleep(time.Hour)
				w.Errorf("the run went on")
			})
			if err == nil || !strings.Contains(err.Error(), "sim: a goroutine of the go statement calls "+c.want) || strings.Contains(err.Error(), "went on") ||
				!strings.Contains(err.Error(), "start it with World.Go, Host.Go or Engine.Go, whose goroutines take turns (sim_test.TestForeignCalls.func") {
				t.Errorf("%v", err)
			}
		})
	}
}

// It is found out also after many calls that are right, if it calls often.
func TestForeignCallsOften(t *testing.T) {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		for range 1000 {
			w.After(time.Second, func() {})
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 64 { // nothing else calls meanwhile
				w.After(time.Second, func() {})
			}
		}()
		<-done
		w.Sleep(time.Hour)
	})
	if err == nil || !strings.Contains(err.Error(), "calls sim.World.After") {
		t.Errorf("%v", err)
	}
}

// Coroutines are not foreign: they run while one of the world's goroutines waits for them.
func TestCoroutinesAreNotForeign(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		l := w.Host("a").Engine().Loop()
		n := 0
		next, stop := iter.Pull(func(yield func(int) bool) {
			w.After(0, func() { n++ })
			l.Post(func() { n++ })
			yield(0)
			w.Go(func() { n++ })
		})
		next()
		next()
		stop()
		_, err := task.Go(l, func(t *task.Task) (int, error) {
			w.After(0, func() { n++ })
			w.Go(func() { n++ })
			return 0, task.Sleep(t, time.Second)
		}).Wait(background)
		if err != nil || n != 5 {
			w.Errorf("%d, %v", n, err)
		}
	})
}

// No callback of a loop may wait in the world's time, and the run says which did.
func TestWaitingOnALoop(t *testing.T) {
	waits := map[string]func(w *sim.World){
		"World.Sleep": func(w *sim.World) { w.Sleep(time.Hour) },
		"World.Wait":  func(w *sim.World) { w.Wait(func() bool { return true }) },
	}
	for what, wait := range waits {
		for where, call := range map[string]func(w *sim.World, wait func()){
			"Post": func(w *sim.World, wait func()) { w.Host("a").Engine().Loop().Post(wait) },
			"After": func(w *sim.World, wait func()) {
				l := w.Host("a").Engine().Loop()
				l.Post(func() { l.After(time.Second, wait) })
			},
			"ConnectionMade": func(w *sim.World, wait func()) {
				w.Attach(w.Host("a").Engine(), &recorder{made: func(*rondo.Conn) { wait() }, lost: func(error) {}})
			},
		} {
			_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
				call(w, func() { wait(w) })
				w.Sleep(time.Minute)
				w.Errorf("it went on")
			})
			if err == nil || !strings.Contains(err.Error(), "sim: "+what+" was called in a callback of a loop") || strings.Contains(err.Error(), "went on") ||
				!strings.Contains(err.Error(), "foreign_test.go") {
				t.Errorf("%s in %s: %v", what, where, err)
			}
		}
	}
	// Those of the world itself are told too.
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		w.After(0, func() { w.Sleep(time.Second) })
		w.Sleep(time.Minute)
	})
	if err == nil || !strings.Contains(err.Error(), "start it with World.Go") {
		t.Errorf("World.After: %v", err)
	}
}
