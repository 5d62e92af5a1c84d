package sim

import (
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"

	"github.com/rondo-go/rondo/internal/goid"
)

// routine is a goroutine of the world: a coroutine, of which one runs at a time. A loop is one too.
type routine struct {
	id        uint64
	what      string
	host      *hostWorld // nil: of no host
	next      func() (struct{}, bool)
	stop      func()
	yield     func(struct{}) bool
	goroutine uint64
	over      bool
	work      bool // blocking work of an engine's
	loop      bool // an engine's loop

	until func() bool // what it waits for; nil: to be resumed
	spots []*spot     // where it is found when that may have come
	watch []*watch    // likewise, by contexts
	asked bool        // it is to be asked
	turn  uint64      // among those that wait
	since int64
}

// spawn starts one. It runs when its turn comes.
func (w *World) spawn(h *hostWorld, what string, fn func()) *routine {
	w.lastID++
	r := &routine{id: w.lastID, what: what, host: h}
	if h != nil && h.gone {
		r.over = true
		return r
	}
	r.next, r.stop = iter.Pull(func(yield func(struct{}) bool) {
		r.yield, r.goroutine = yield, goid.Get()
		w.own.add(r.goroutine)
		defer w.own.remove(r.goroutine)
		defer func() {
			r.over = true
			if v := recover(); v != nil && v != any(errFailed) {
				w.fail(panicked(what, v))
			}
		}()
		fn()
	})
	w.all[r] = struct{}{}
	w.ready = append(w.ready, r)
	return r
}

func panicked(what string, v any) error {
	return fmt.Errorf("sim: panic in %s: %v\n\n%s", what, v, debug.Stack())
}

// resume lets r run until it waits or ends.
func (w *World) resume(r *routine) {
	if r.over {
		return
	}
	w.count++
	before := w.current
	w.current = r
	w.acting.Store(r)
	w.beat.Add(1)
	defer func() { // also when runtime.Goexit ends r, and with it the caller: a test's FailNow
		w.current = before
		if r.over {
			w.gone(r)
		}
	}()
	r.next()
}

// gone is the end of r for the world.
func (w *World) gone(r *routine) {
	delete(w.all, r)
	if r.work {
		r.work = false
		w.working--
	}
}

// pause gives the turn back. It is called by the routine itself.
func (r *routine) pause() {
	if !r.yield(struct{}{}) {
		runtime.Goexit() // killed
	}
}

// kill ends a routine where it stands. Its deferred functions run.
func (w *World) kill(r *routine) {
	w.gone(r)
	if r.over {
		return
	}
	r.over = true
	w.unpark(r)
	before := w.current
	w.current = r
	done := make(chan struct{})
	go func() { // which ends as r does
		defer close(done)
		r.stop()
	}()
	<-done
	w.current = before
}
