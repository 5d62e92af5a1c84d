package task_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

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
