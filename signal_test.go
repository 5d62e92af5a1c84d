//go:build unix

package rondo_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// raise sends a signal to the process itself.
func raise(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
}

// guardSignals has the test survive the signals that it sends, and says when one has come to the process.
func guardSignals(t testing.TB, sigs ...os.Signal) <-chan os.Signal {
	t.Helper()
	ch := make(chan os.Signal, 16)
	signal.Notify(ch, sigs...)
	t.Cleanup(func() { signal.Stop(ch) })
	return ch
}

func TestOnSignal(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	heard := make([]chan os.Signal, 2)
	for i, l := range e.Loops() {
		heard[i] = make(chan os.Signal, 16)
		rig.On(t, l, func() {
			l.OnSignal(syscall.SIGUSR1, func(sig os.Signal) { heard[i] <- sig })
			l.OnSignal(syscall.SIGUSR2, func(sig os.Signal) { heard[i] <- sig })
		})
	}
	for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGUSR2, syscall.SIGUSR1} {
		raise(t, sig)
		for i := range heard {
			if got := rig.Await(t, heard[i]); got != sig {
				t.Errorf("loop %d heard %v, want %v", i, got, sig)
			}
		}
	}
}

// Functions are called in their order; those that are removed are not, not even by one that was called before them.
func TestOnSignalRemove(t *testing.T) {
	others := guardSignals(t, syscall.SIGUSR1)
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	var calls []string
	var removeFirst, removeSecond func()
	turn := make(chan []string, 1)
	last := func(os.Signal) {
		turn <- calls
		calls = nil
	}
	var removeLast func()
	rig.On(t, l, func() {
		removeFirst = l.OnSignal(syscall.SIGUSR1, func(os.Signal) {
			calls = append(calls, "first")
			if len(others) > 1 {
				removeFirst()
				removeFirst()
				removeSecond()
				l.OnSignal(syscall.SIGUSR1, func(os.Signal) { calls = append(calls, "new") })
			}
		})
		removeSecond = l.OnSignal(syscall.SIGUSR1, func(os.Signal) { calls = append(calls, "second") })
		removeLast = l.OnSignal(syscall.SIGUSR1, last)
	})
	raise(t, syscall.SIGUSR1)
	if got := rig.Await(t, turn); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("called %v", got)
	}
	rig.On(t, l, func() {
		removeLast()
		removeLast = l.OnSignal(syscall.SIGUSR1, last) // it is the last again
	})
	// The loop may hear of it before the channel does.
	rig.On(t, l, func() {
		raise(t, syscall.SIGUSR1)
		for len(others) < 2 {
			runtime.Gosched()
		}
	})
	if got := rig.Await(t, turn); !slices.Equal(got, []string{"first"}) {
		t.Errorf("called %v when the second was removed by the first", got)
	}
	raise(t, syscall.SIGUSR1)
	rig.Await(t, turn) // without what was registered behind the last
	rig.On(t, l, func() {
		if !slices.Equal(calls, []string{"new"}) {
			t.Errorf("called %v after the last", calls)
		}
	})
}

// Of a burst the function hears, after the last of it, and another signal is heard beside it. Nobody else here uses SIGWINCH: the
// last of a burst are still on their way when the test ends.
func TestOnSignalBurst(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	const many = 1000
	burst, other := make(chan struct{}, 2*many), make(chan struct{}, 2*many)
	rig.On(t, l, func() {
		l.OnSignal(syscall.SIGWINCH, func(os.Signal) { burst <- struct{}{} })
		l.OnSignal(syscall.SIGUSR2, func(os.Signal) { other <- struct{}{} })
	})
	rig.On(t, l, func() { // the loop does not hear anything meanwhile
		for i := range many {
			raise(t, syscall.SIGWINCH)
			if i == many/2 {
				raise(t, syscall.SIGUSR2)
			}
		}
	})
	rig.Await(t, burst)
	rig.Await(t, other)
	if n := len(burst) + 1; n > many {
		t.Errorf("%d calls for %d signals", n, many)
	}
}

// When the last function is removed, others who have asked for the signal still get it.
func TestOnSignalOthers(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	heard := make(chan os.Signal, 16)
	others := guardSignals(t, syscall.SIGUSR2)
	var remove func()
	rig.On(t, l, func() { remove = l.OnSignal(syscall.SIGUSR2, func(sig os.Signal) { heard <- sig }) })
	raise(t, syscall.SIGUSR2)
	rig.Await(t, heard)
	rig.Await(t, others)
	rig.On(t, l, func() { remove() })
	raise(t, syscall.SIGUSR2)
	rig.Await(t, others)
	rig.On(t, l, func() {})
	if len(heard) > 0 {
		t.Errorf("%d calls of functions that were removed", len(heard))
	}
}

// And when there are none, it does again what it did before: SIGTERM ends the process, which is a child.
func TestOnSignalRestores(t *testing.T) {
	if os.Getenv("RONDO_SIGNAL_CHILD") != "" {
		e := newTestEngine(t, rondo.Config{})
		l := e.Loop()
		heard := make(chan os.Signal, 16)
		var removes []func()
		rig.On(t, l, func() {
			for range 2 {
				removes = append(removes, l.OnSignal(syscall.SIGTERM, func(sig os.Signal) { heard <- sig }))
			}
		})
		raise(t, syscall.SIGTERM)
		rig.Await(t, heard)
		rig.Await(t, heard)
		rig.On(t, l, func() { removes[0]() })
		raise(t, syscall.SIGTERM)
		rig.Await(t, heard)
		fmt.Println("heard")
		rig.On(t, l, func() { removes[1]() })
		raise(t, syscall.SIGTERM)
		select {}
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOnSignalRestores$")
	child.Env = append(os.Environ(), "RONDO_SIGNAL_CHILD=1")
	out, err := child.Output()
	status, _ := child.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signal() != syscall.SIGTERM || string(out) != "heard\n" {
		t.Errorf("the child has said %q and ended with %v", out, err)
	}
}

// A function that does not return keeps no other from being called.
func TestOnSignalPanics(t *testing.T) {
	for _, how := range []func(){func() { panic("not now") }, runtime.Goexit} {
		e := newTestEngine(t, rondo.Config{})
		heard := make(chan os.Signal, 1)
		rig.On(t, e.Loop(), func() {
			e.Loop().OnSignal(syscall.SIGUSR1, func(os.Signal) { how() })
			e.Loop().OnSignal(syscall.SIGUSR1, func(sig os.Signal) { heard <- sig })
		})
		for range 2 {
			raise(t, syscall.SIGUSR1)
			rig.Await(t, heard)
			e.Log.Await(t, "callback")
		}
		e.Close() // or it would hear those of the next
	}
}

// The engine's end removes everything; until then signals are heard, though Shutdown does not wait for them.
func TestOnSignalEnd(t *testing.T) {
	others := guardSignals(t, syscall.SIGUSR1)
	for _, graceful := range []bool{true, false} {
		check := leavesNothing(t)
		e := newTestEngine(t, rondo.Config{Loops: 2})
		heard := make(chan os.Signal, 16)
		var remove func()
		ended := make(chan struct{})
		for _, l := range e.Loops() {
			rig.On(t, l, func() {
				remove = l.OnSignal(syscall.SIGUSR1, func(sig os.Signal) { heard <- sig })
				l.OnEnd(func() {
					l.OnSignal(syscall.SIGUSR1, func(sig os.Signal) { heard <- sig })() // too late
				})
			})
		}
		if graceful {
			d := newDrainer(t, func(*rondo.Conn) { close(ended) })
			c := e.connect(d)
			rig.Await(t, d.made)
			done := make(chan error, 1)
			go func() { done <- e.Shutdown(t.Context()) }()
			rig.Await(t, ended)
			raise(t, syscall.SIGUSR1) // while the engine shuts down
			for range e.Loops() {
				rig.Await(t, heard)
			}
			rig.Await(t, others)
			c.Close()
			if err := rig.Await(t, done); err != nil {
				t.Error(err)
			}
		} else if err := e.Close(); err != nil {
			t.Error(err)
		}
		raise(t, syscall.SIGUSR1)
		rig.Await(t, others)
		remove()
		e.Loop().OnSignal(syscall.SIGUSR1, func(sig os.Signal) { heard <- sig })()
		if len(heard) > 0 {
			t.Errorf("%d calls after the end", len(heard))
		}
		check()
	}
}
