package sim

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/rondo-go/rondo/internal/goid"
)

// waits is who cannot go on, and where they are found once they may. There may be thousands, and something to be asked after each event: so those are
// asked of whom somebody has said that what they wait for may have come. The others are asked each time.
type waits struct {
	polled  []*routine                  // who may be told by nobody
	spots   map[any]*spot               // the others, by what they wait for
	asked   []*routine                  // of them, those that are to be asked
	turn    uint64                      // counts those that wait, and watches
	endings map[<-chan struct{}]*ending // contexts
	silent  []*ending                   // those of them that tell nobody of their end
	told    []*ending                   // those of the others that have ended
	fell    []*watch                    // fallen's
	freed   []*routine                  // unblock's
}

func newWaits() waits {
	return waits{spots: map[any]*spot{}, endings: map[<-chan struct{}]*ending{}}
}

// spot is one of the things that a goroutine waits for, in the list of all who wait for it.
type spot struct {
	r          *routine
	on         any
	next, prev *spot
}

// block waits until ready says true: see world.World.
func (w *World) block(ready func() bool, on ...any) {
	id := goid.Get()
	var r *routine
	if w.own.has(id) { // else there is no looking at what is the world's
		r = w.current
	}
	if r == nil || r.goroutine != id {
		panic("sim: a goroutine waits that is not the world's, or a task does, for which the functions that wait are those of package task: start it with World.Go, Host.Go or Engine.Run")
	}
	for r.host != nil && r.host.gone {
		r.pause() // until it is killed: to end here would end whoever has resumed it too
	}
	if ready() {
		return
	}
	w.waits.turn++
	r.until, r.turn, r.since = ready, w.waits.turn, w.now
	if len(on) == 0 {
		w.waits.polled = append(w.waits.polled, r)
	}
	for _, o := range on {
		if ctx, ok := o.(context.Context); ok {
			if ctx.Done() != nil {
				v := &watch{r: r}
				r.watch = append(r.watch, v)
				w.watch(ctx, v)
			}
			continue
		}
		w.park(r, key(o))
	}
	r.pause()
}

// notOnLoop ends the run if it is a callback of a loop that calls: no loop may wait for anything but its poller.
func (w *World) notOnLoop(called, instead string) {
	id := goid.Get()
	if !w.own.has(id) || w.current == nil || !w.current.loop || w.current.goroutine != id {
		return // or block says why not
	}
	w.fail(fmt.Errorf("sim: %s was called in a callback of a loop, which would stand still meanwhile: %s, and what has to wait is a task, or a goroutine of World.Go, Host.Go or Engine.Go%s",
		called, instead, parenthesis(placeOf(string(debug.Stack())))))
	panic(errFailed)
}

func parenthesis(where string) string {
	if where == "" {
		return ""
	}
	return " (" + strings.TrimPrefix(where, " ") + ")"
}

// dead reports whether r has ended, or is killed at this instant.
func (r *routine) dead() bool { return r.over || r.host != nil && r.host.gone }

// key is what a channel is in the map of spots.
func key(on any) any {
	if ch, ok := on.(chan struct{}); ok {
		return (<-chan struct{})(ch)
	}
	return on
}

func (w *World) park(r *routine, on any) {
	s := &spot{r: r, on: on, next: w.waits.spots[on]}
	if s.next != nil {
		s.next.prev = s
	}
	w.waits.spots[on] = s
	r.spots = append(r.spots, s)
}

// unpark is the end of a wait.
func (w *World) unpark(r *routine) {
	for i, s := range r.spots {
		switch {
		case s.prev != nil:
			s.prev.next = s.next
		case s.next != nil:
			w.waits.spots[s.on] = s.next
		default:
			delete(w.waits.spots, s.on)
		}
		if s.next != nil {
			s.next.prev = s.prev
		}
		r.spots[i] = nil
	}
	for i, v := range r.watch {
		w.unwatch(v)
		r.watch[i] = nil
	}
	r.until, r.spots, r.watch = nil, r.spots[:0], r.watch[:0]
}

// wake has those asked who wait for it.
func (w *World) wake(on any) {
	for s := w.waits.spots[key(on)]; s != nil; s = s.next {
		w.ask(s.r)
	}
}

func (w *World) ask(r *routine) {
	if !r.asked {
		r.asked = true
		w.waits.asked = append(w.waits.asked, r)
	}
}

// unblock lets those go on who wait for what has come, in the order in which they have begun to; it reports whether there are any.
func (w *World) unblock() bool {
	q := &w.waits
	freed := q.freed[:0]
	kept := q.polled[:0]
	for _, r := range q.polled {
		switch {
		case r.dead():
		case r.until():
			freed = append(freed, r)
		default:
			kept = append(kept, r)
		}
	}
	clear(q.polled[len(kept):])
	q.polled = kept
	fell := w.fallen()
	for _, r := range q.asked {
		r.asked = false
		if !r.dead() && r.until != nil && r.until() {
			freed = append(freed, r)
		}
	}
	clear(q.asked)
	q.asked = q.asked[:0]
	slices.SortFunc(freed, func(a, b *routine) int { return cmp.Compare(a.turn, b.turn) })
	for _, r := range freed {
		w.unpark(r)
		w.ready = append(w.ready, r)
	}
	for _, v := range fell {
		w.spawn(v.host, "what follows the end of a context", v.fn)
	}
	found := len(freed)+len(fell) > 0
	clear(freed)
	clear(fell)
	q.freed = freed[:0]
	return found
}

// ending is the end of a context, for all who want to hear of it.
type ending struct {
	done    <-chan struct{}
	place   int // in silent, from 1; 0: it is not there
	watches []*watch
}

// watch is somebody who wants to hear of the end of a context.
type watch struct {
	of    *ending // nil: it has come, or is not waited for any more
	place int     // in its watches
	turn  uint64
	r     *routine // is to be asked then
	host  *hostWorld
	fn    func() // or is called, by a goroutine of the host's
}

// watch begins v. A context that the world ends tells of it. Others, of package context, cannot be had to do so but by a goroutine, at a time of its own:
// they are asked.
func (w *World) watch(ctx context.Context, v *watch) {
	host := v.host
	if v.r != nil {
		host = v.r.host
	}
	w.notTimed(host, ctx)
	done := ctx.Done()
	e := w.waits.endings[done]
	if e == nil {
		e = &ending{done: done}
		w.waits.endings[done] = e
		if _, tells := ctx.(*timeoutContext); !tells || ctx.Err() != nil {
			w.waits.silent = append(w.waits.silent, e)
			e.place = len(w.waits.silent)
		}
	}
	w.waits.turn++
	v.of, v.turn, v.place = e, w.waits.turn, len(e.watches)
	e.watches = append(e.watches, v)
}

// unwatch ends v; it reports whether that was in time.
func (w *World) unwatch(v *watch) bool {
	e := v.of
	if e == nil {
		return false
	}
	v.of = nil
	last := len(e.watches) - 1
	e.watches[v.place] = e.watches[last]
	e.watches[v.place].place = v.place
	e.watches[last] = nil
	if e.watches = e.watches[:last]; last == 0 {
		w.forget(e)
	}
	return true
}

func (w *World) forget(e *ending) {
	q := &w.waits
	if q.endings[e.done] == e {
		delete(q.endings, e.done)
	}
	if e.place == 0 {
		return
	}
	last := len(q.silent) - 1
	moved := q.silent[last]
	q.silent[e.place-1], moved.place = moved, e.place
	q.silent[last] = nil
	q.silent = q.silent[:last]
	e.place = 0
}

// tell says that the context has ended whose channel that is.
func (w *World) tell(done <-chan struct{}) {
	if e := w.waits.endings[done]; e != nil {
		w.waits.told = append(w.waits.told, e)
	}
}

// fallen are the watches whose contexts have ended, in the order in which they began. Goroutines among them are to be asked.
func (w *World) fallen() []*watch {
	q := &w.waits
	fell := q.fell[:0]
	fall := func(e *ending) {
		for _, v := range e.watches {
			v.of = nil
			if v.r != nil {
				w.ask(v.r)
			} else {
				fell = append(fell, v)
			}
		}
		e.watches = nil
		w.forget(e)
	}
	for _, e := range slices.Backward(q.silent) { // since one that leaves gives its place to the last
		if isClosed(e.done) {
			fall(e)
		}
	}
	for _, e := range q.told {
		fall(e)
	}
	clear(q.told)
	q.told = q.told[:0]
	slices.SortFunc(fell, func(a, b *watch) int { return cmp.Compare(a.turn, b.turn) })
	q.fell = fell
	return fell
}

// leave ends what a process has watched that is no more.
func (w *World) leave(p *hostWorld) {
	for _, e := range w.waits.endings {
		for _, v := range slices.Backward(e.watches) { // likewise
			if v.host == p {
				w.unwatch(v)
			}
		}
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
