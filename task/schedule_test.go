package task_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rondo-go/rondo"
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
	l := newEngine(t, rondo.Config{}).Loop()
	programs := rapid.SliceOfN(deeds(2), 1, 6)
	rapid.Check(t, func(rt *rapid.T) {
		program := programs.Draw(rt, "program")
		bad, err := outcome(t, task.Go(l, func(t *task.Task) (error, error) { return newWorld(program).run(t), nil }))
		if bad != nil || err != nil {
			rt.Fatal(bad, err)
		}
	})
}

// world is what the tasks of a program share, with what a simple model says of it.
type world struct {
	locks  [2]site
	sems   [2]site
	events [2]struct {
		event task.Event
		sets  int
	}
	program [][]deed
	tops    []*rondo.Future[int]
	actors  []*actor
	steps   int // counts whatever happens
	bad     error
}

// site is where tasks stand in line: a lock, or a semaphore.
type site struct {
	lock   task.Lock
	sem    *task.Semaphore
	line   []*visit // who has asked and has not gone on, in that order
	inside int      // how much is taken
	size   int
}

// taken is what the lock or semaphore itself says of it.
func (s *site) taken() int {
	switch {
	case s.sem != nil:
		return s.size - s.sem.Free()
	case s.lock.Locked():
		return 1
	}
	return 0
}

type visit struct {
	who *actor
	n   int
}

// actor is a task of the program.
type actor struct {
	w         *world
	name      string
	task      *task.Task
	reason    error // with which it was cancelled
	delivered int   // how often a wait has said so
	began     int
	ended     int
}

func newWorld(program [][]deed) *world {
	w := &world{program: program}
	for i := range w.locks {
		w.locks[i].size = 1
		w.sems[i].size = 3
		w.sems[i].sem = task.NewSemaphore(3)
	}
	return w
}

func (w *world) fail(format string, args ...any) {
	if w.bad == nil {
		w.bad = fmt.Errorf(format, args...)
	}
}

// run runs the program and says what was wrong.
func (w *world) run(t *task.Task) error {
	for i, todo := range w.program {
		a := w.actor(fmt.Sprint(i))
		w.tops = append(w.tops, task.Spawn(t, func(t *task.Task) (int, error) { return 0, a.play(t, todo) }))
	}
	for range 1000 {
		w.quiesce(t)
		w.left()
		if !slices.ContainsFunc(w.tops, func(f *rondo.Future[int]) bool { return !f.Done() }) {
			break
		}
		for i := range w.events { // who waits for what nobody sets is not left behind
			w.set(i)
			w.events[i].event.Clear()
		}
		_ = task.Sleep(t, time.Microsecond)
	}
	for i, f := range w.tops {
		if !f.Done() {
			w.fail("task %d does not end", i)
			f.Cancel(nil)
		}
		f.Ignore()
	}
	for _, a := range w.actors {
		switch {
		case a.began > 1 || a.began != a.ended:
			w.fail("task %s began %d times and ended %d times", a.name, a.began, a.ended)
		case a.began == 1 && a.reason != nil && a.delivered != 1:
			w.fail("task %s: its cancellation was delivered %d times", a.name, a.delivered)
		}
	}
	return w.bad
}

// quiesce returns when nothing happens any more but by sleeping.
func (w *world) quiesce(t *task.Task) {
	for quiet := 0; quiet < 3; quiet++ {
		before := w.steps
		_ = task.Yield(t)
		if w.steps != before {
			quiet = 0
		}
	}
}

// left finds tasks that wait though they could go on. Nothing is on its way now.
func (w *world) left() {
	for i := range w.locks {
		for _, s := range []*site{&w.locks[i], &w.sems[i]} {
			if len(s.line) > 0 && s.line[0].n <= s.size-s.inside {
				w.fail("task %s was left behind: it wants %d, and %d of %d are taken", s.line[0].who.name, s.line[0].n, s.inside, s.size)
			}
			if s.taken() != s.inside {
				w.fail("%d are taken, the lock or semaphore says %d", s.inside, s.taken())
			}
		}
	}
}

func (w *world) actor(name string) *actor {
	a := &actor{w: w, name: name}
	w.actors = append(w.actors, a)
	return a
}

func (w *world) set(i int) {
	w.events[i].event.Set()
	w.events[i].sets++
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
