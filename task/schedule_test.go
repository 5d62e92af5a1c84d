package task_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// deed is one thing that a task of a random program does.
type deed struct {
	Do    string
	Which int    // of the locks, semaphores or events, or which task to cancel
	N     int    // how much to acquire
	Hold  int    // for so many turns; 3 is for long
	Deeds []deed // of each of N+1 children of a group, or of what is shielded
}

func deeds(depth int) *rapid.Generator[[]deed] {
	kinds := []string{"lock", "lock", "acquire", "acquire", "wait", "set", "clear", "yield", "sleep", "cancel", "try"}
	if depth > 0 {
		kinds = append(kinds, "group", "shield", "fail")
	}
	one := rapid.Custom(func(t *rapid.T) deed {
		d := deed{
			Do:    rapid.SampledFrom(kinds).Draw(t, "do"),
			Which: rapid.IntRange(0, 5).Draw(t, "which"),
			N:     rapid.IntRange(0, 3).Draw(t, "n"),
			Hold:  rapid.IntRange(0, 3).Draw(t, "hold"),
		}
		if d.Do == "group" || d.Do == "shield" {
			d.Deeds = deeds(depth-1).Draw(t, "deeds")
		}
		return d
	})
	return rapid.SliceOfN(one, 0, 8)
}

// Random programs of tasks that lock, wait, and cancel each other: nobody gets in where another is, or before one who came first, or is
// left behind; every cancellation is delivered once; no group returns before its children; and every task ends once.
func TestRandomSchedules(t *testing.T) {
	l := rig.New(t, rondo.Config{}).Loop()
	programs := rapid.SliceOfN(deeds(2), 1, 6)
	rapid.Check(t, func(rt *rapid.T) {
		program := programs.Draw(rt, "program")
		bad, err := rig.Outcome(t, task.Go(l, func(t *task.Task) (error, error) { return newWorld(program).run(t), nil }))
		if bad != nil || err != nil {
			rt.Fatal(bad, err)
		}
	})
}

// play is a task's function.
func (a *actor) play(t *task.Task, todo []deed) error {
	a.began++
	a.task = t
	defer func() { a.ended++ }()
	failed := a.all(t, todo)
	a.heard(task.Yield(t)) // what is still to be delivered is delivered here
	return failed
}

func (a *actor) all(t *task.Task, todo []deed) (failed error) {
	for _, d := range todo {
		a.w.steps++
		failed = errors.Join(failed, a.do(t, d))
		a.w.steps++
	}
	return failed
}

// heard notes what a wait has returned.
func (a *actor) heard(err error) error {
	a.w.steps++
	if a.reason != nil && errors.Is(err, a.reason) {
		a.delivered++
	}
	return err
}

func (a *actor) do(t *task.Task, d deed) error {
	w := a.w
	switch d.Do {
	case "lock":
		s := &w.locks[d.Which%len(w.locks)]
		a.visit(t, s, 1, d.Hold, s.lock.Lock, s.lock.Unlock)
	case "acquire":
		s := &w.sems[d.Which%len(w.sems)]
		a.visit(t, s, d.N, d.Hold, func(t *task.Task) error { return s.sem.Acquire(t, d.N) }, func() { s.sem.Release(d.N) })
	case "try":
		s := &w.locks[d.Which%len(w.locks)]
		if s.lock.TryLock() {
			if s.inside != 0 {
				w.fail("task %s could take a lock that is held", a.name)
			}
			s.lock.Unlock()
		}
	case "wait":
		e := &w.events[d.Which%len(w.events)]
		before, was := e.sets, e.event.IsSet()
		if a.heard(e.event.Wait(t)) == nil && !was && e.sets == before {
			w.fail("task %s saw an event that has not happened", a.name)
		}
	case "set":
		w.set(d.Which % len(w.events))
	case "clear":
		w.events[d.Which%len(w.events)].event.Clear()
	case "yield":
		a.heard(task.Yield(t))
	case "sleep":
		a.heard(task.Sleep(t, time.Duration(d.N)*time.Microsecond))
	case "cancel":
		i := d.Which % len(w.tops)
		reason := fmt.Errorf("task %d was cancelled", i)
		if w.tops[i].Cancel(reason) {
			w.actors[i].reason = reason
		}
	case "shield":
		return task.Shielded(t, func(t *task.Task) error { return a.all(t, d.Deeds) })
	case "fail":
		return errTest
	case "group":
		return a.group(t, d)
	}
	return nil
}

// visit takes something, holds it for a while, and gives it back.
func (a *actor) visit(t *task.Task, s *site, n, hold int, take func(t *task.Task) error, give func()) {
	v := &visit{a, n}
	s.line = append(s.line, v)
	err := a.heard(take(t))
	i := slices.Index(s.line, v)
	s.line = slices.Delete(s.line, i, i+1)
	if err != nil {
		return
	}
	served := s.taken() - s.inside - n // what was given to others who have not gone on yet
	for _, ahead := range s.line[:i] {
		if ahead.who.task.Err() != nil {
			continue // it has left the line, and will see
		}
		if served -= ahead.n; served < 0 {
			a.w.fail("task %s overtook %s", a.name, ahead.who.name)
		}
	}
	if s.inside += n; s.inside > s.size {
		a.w.fail("task %s got in where %d of %d are taken", a.name, s.inside-n, s.size)
	}
	for range hold {
		a.heard(task.Yield(t))
	}
	if hold == 3 { // until all else has come to rest
		a.heard(a.w.events[0].event.Wait(t))
	}
	s.inside -= n
	give()
}

// group runs children, which must have ended when it is over.
func (a *actor) group(t *task.Task, d deed) error {
	var children []*actor
	before := a.delivered
	err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
		for i := range d.N + 1 {
			c := a.w.actor(fmt.Sprint(a.name, ".", i))
			children = append(children, c)
			g.Go(func(t *task.Task) error { return c.play(t, d.Deeds) })
		}
		a.heard(task.Yield(t))
		return nil
	})
	for _, c := range children {
		if c.began != c.ended {
			a.w.fail("the group of task %s was over before its child %s", a.name, c.name)
		}
	}
	if a.delivered == before {
		a.heard(err) // it came while the task waited for its children
	}
	if errors.Is(err, errTest) {
		return errTest
	}
	return nil
}
