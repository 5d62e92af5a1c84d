package task

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
)

// State is what a task is doing.
type State int

// What a task can be doing.
const (
	Ready   State = iota // it runs when its turn comes, or has not begun
	Running              // it is running, or has resumed one that is
	Waiting              // it waits: see Info.Awaits
)

func (s State) String() string { return [...]string{"ready", "running", "waiting"}[s] }

// Info is a task, as it was at the moment of [List].
type Info struct {
	Loop   int    // the index of its loop
	ID     uint64 // counts the tasks of a loop, from 1
	Parent uint64 // the ID of the task that started it, by Spawn or in a Group; 0 for one started by Go
	Name   string
	State  State
	Awaits string    // what it waits for; empty if it does not
	Since  time.Time // when it began to wait, by its loop's clock, as of the turn; zero if it does not
}

func (i Info) String() string {
	if i.State != Waiting {
		return fmt.Sprintf("%d %s: %v", i.ID, i.Name, i.State)
	}
	return fmt.Sprintf("%d %s: waiting for %s", i.ID, i.Name, i.Awaits)
}

// List is the future, on loop l, of all tasks of l's engine that have not ended, ordered by loop and ID. Each loop is asked at a moment of
// its own. Any goroutine may call it.
func List(l *rondo.Loop) *rondo.Future[[]Info] {
	all := l.Engine().Loops()
	return Go(l, func(t *Task) ([]Info, error) {
		var parts []*rondo.Future[[]Info]
		for _, other := range all {
			p := rondo.NewPromise[[]Info](other)
			if !other.Post(func() { p.ResolveOnLoop(schedulers.On(other).list(t.fiber)) }) {
				p.Reject(rondo.ErrEngineClosed)
			}
			parts = append(parts, p.Future())
		}
		lists, err := Gather(t, parts...)
		return slices.Concat(lists...), err
	})
}

// list is what there is, but for one task.
func (s *scheduler) list(but *fiber) []Info {
	now, elapsed := s.loop.Now(), s.loop.Elapsed()
	var all []Info
	for f := s.live; f != nil; f = f.next {
		if f == but {
			continue
		}
		i := Info{Loop: s.loop.Index(), ID: f.id, Parent: f.parent, Name: f.title()}
		switch {
		case f.worker != nil && f.worker.on != nil:
			w := f.worker
			i.State, i.Awaits, i.Since = Waiting, w.on.String(), now.Add(w.since-elapsed)
		case s.running == f:
			i.State = Running
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Info) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// WriteTree writes tasks as a tree, each below the one that started it, with what it waits for and, given the time now, for
// how long.
func WriteTree(w io.Writer, tasks []Info, now time.Time) error {
	type key struct {
		loop int
		id   uint64
	}
	there := map[key]bool{}
	for _, i := range tasks {
		there[key{i.Loop, i.ID}] = true
	}
	children := map[key][]Info{}
	for _, i := range tasks {
		parent := key{i.Loop, i.Parent}
		if !there[parent] {
			parent.id = 0 // its parent has ended
		}
		children[parent] = append(children[parent], i)
	}
	var failed error
	var write func(k key, depth int)
	write = func(k key, depth int) {
		for _, i := range children[k] {
			line := strings.Repeat("  ", depth) + i.String()
			if i.State == Waiting {
				line += fmt.Sprintf(", %v", now.Sub(i.Since).Round(time.Millisecond))
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				failed = cmp.Or(failed, err)
				return
			}
			write(key{i.Loop, i.ID}, depth+1)
		}
	}
	loops := map[int]bool{}
	for _, i := range tasks {
		if !loops[i.Loop] {
			loops[i.Loop] = true
			write(key{i.Loop, 0}, 0)
		}
	}
	return failed
}

// Dump is [List] and [WriteTree] in one, for a debugging page or a signal's handler: it waits for the list, so it is not for
// a loop. Any other goroutine may call it.
func Dump(ctx context.Context, w io.Writer, e *rondo.Engine) error {
	l := e.Loop()
	tasks, err := List(l).Wait(ctx)
	if err != nil {
		return err
	}
	return WriteTree(w, tasks, l.Now())
}
