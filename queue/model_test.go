package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// step is one thing that is done to a queue.
type step struct {
	Do   string
	Rank int // of what is put
	Call int // which call to cancel, counted from the latest
}

// Whatever is done to a queue, in whatever order, it does what a simple model does.
func TestModel(t *testing.T) {
	steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			// Close is rare: little happens after it.
			Do:   rapid.SampledFrom([]string{"Put", "Get", "TryPut", "TryGet", "Cancel", "Put", "Get", "TryPut", "TryGet", "Cancel", "Turn", "Done", "CloseMaybe"}).Draw(t, "do"),
			Rank: rapid.IntRange(0, 2).Draw(t, "rank"),
			Call: rapid.IntRange(0, 5).Draw(t, "call"),
		}
	}), 1, 60)
	for _, order := range []string{"FIFO", "LIFO", "priority"} {
		for _, capacity := range []int{0, 1, 3, queue.Unbounded} {
			t.Run(fmt.Sprintf("%s/%d", order, capacity), func(t *testing.T) {
				l := rig.New(t, rondo.Config{}).Loop()
				rapid.Check(t, func(rt *rapid.T) {
					todo := steps.Draw(rt, "steps")
					said, err := task.Go(l, func(tk *task.Task) (string, error) {
						m := newModel(tk, order, capacity)
						for i, s := range todo {
							if bad := m.step(s); bad != "" {
								return fmt.Sprintf("step %d, %+v: %s", i, s, bad), nil
							}
						}
						return m.finish(), nil
					}).Wait(t.Context())
					if said != "" || err != nil {
						rt.Fatal(said, err)
					}
				})
			})
		}
	}
}

// model is a queue beside what it should be.
type model struct {
	task     *task.Task
	queue    *queue.Queue[job]
	order    string
	capacity int
	items    []job
	getters  []*call
	putters  []*call
	calls    []*call
	closed   bool
	undone   int
	count    int
}

// call is a Put or Get in a task of its own. want is what it comes to, once that is known.
type call struct {
	future *rondo.Future[job]
	item   job // to be put
	known  bool
	want   job
	err    error
}

func (c *call) end(v job, err error) { c.known, c.want, c.err = true, v, err }

func newModel(t *task.Task, order string, capacity int) *model {
	m := &model{task: t, order: order, capacity: capacity}
	switch order {
	case "FIFO":
		m.queue = queue.New[job](t.Loop(), capacity)
	case "LIFO":
		m.queue = queue.NewLIFO[job](t.Loop(), capacity)
	case "priority":
		m.queue = queue.NewPriority(t.Loop(), capacity, byRank)
	}
	return m
}

func (m *model) step(s step) string {
	m.count++
	v := job{s.Rank, fmt.Sprint(m.count)}
	switch s.Do {
	case "TryPut":
		if got, want := m.queue.TryPut(v), m.put(v); !errors.Is(got, want) {
			return fmt.Sprintf("returned %v, want %v", got, want)
		}
	case "TryGet":
		got, err := m.queue.TryGet()
		if want, wantErr := m.get(); got != want || !errors.Is(err, wantErr) {
			return fmt.Sprintf("returned %v (%v), want %v (%v)", got, err, want, wantErr)
		}
	case "Put":
		c := &call{item: v}
		c.future = task.Spawn(m.task, func(t *task.Task) (job, error) { return job{}, m.queue.Put(t, v) })
		turns(m.task, 1)
		m.calls = append(m.calls, c)
		if err := m.put(v); errors.Is(err, queue.ErrFull) {
			m.putters = append(m.putters, c)
		} else {
			c.end(job{}, err)
		}
	case "Get":
		c := &call{future: task.Spawn(m.task, func(t *task.Task) (job, error) { return m.queue.Get(t) })}
		turns(m.task, 1)
		m.calls = append(m.calls, c)
		if v, err := m.get(); errors.Is(err, queue.ErrEmpty) {
			m.getters = append(m.getters, c)
		} else {
			c.end(v, err)
		}
	case "Cancel":
		if s.Call >= len(m.calls) {
			return ""
		}
		c := m.calls[len(m.calls)-1-s.Call]
		c.future.Cancel(errEnough)
		if !c.known {
			c.end(job{}, errEnough)
			is := func(other *call) bool { return other == c }
			m.getters, m.putters = slices.DeleteFunc(m.getters, is), slices.DeleteFunc(m.putters, is)
		}
	case "Turn":
		turns(m.task, 1)
	case "Done":
		if m.undone > 0 {
			m.undone--
			m.queue.TaskDone()
		}
	case "CloseMaybe":
		if s.Call == 0 {
			m.queue.Close()
			m.close()
		}
	}
	if got, want := m.queue.Len(), len(m.items); got != want {
		return fmt.Sprintf("Len is %d, want %d", got, want)
	}
	if got, want := m.queue.Unfinished(), len(m.items)+m.undone; got != want {
		return fmt.Sprintf("Unfinished is %d, want %d", got, want)
	}
	if got, want := m.queue.Waiting(), len(m.getters)+len(m.putters); got != want {
		return fmt.Sprintf("%d wait, want %d", got, want)
	}
	return ""
}

func (m *model) put(v job) error {
	switch {
	case m.closed:
		return queue.ErrClosed
	case len(m.getters) > 0:
		m.getters[0].end(v, nil)
		m.getters = m.getters[1:]
		m.undone++
	case m.capacity >= 0 && len(m.items) >= m.capacity:
		return queue.ErrFull
	default:
		m.items = append(m.items, v)
	}
	return nil
}

func (m *model) get() (v job, err error) {
	i := 0
	switch {
	case len(m.items) == 0 && len(m.putters) == 0 && m.closed:
		return v, queue.ErrClosed
	case len(m.items) == 0 && len(m.putters) == 0:
		return v, queue.ErrEmpty
	case len(m.items) == 0: // let it in for a moment
		m.items = append(m.items, m.putters[0].item)
		m.putters[0].end(job{}, nil)
		m.putters = m.putters[1:]
	case m.order == "LIFO":
		i = len(m.items) - 1
	case m.order == "priority":
		for j := range m.items {
			if m.items[j].rank < m.items[i].rank {
				i = j
			}
		}
	}
	v = m.items[i]
	m.items = slices.Delete(m.items, i, i+1)
	m.undone++
	if len(m.putters) > 0 && m.capacity > 0 {
		m.items = append(m.items, m.putters[0].item)
		m.putters[0].end(job{}, nil)
		m.putters = m.putters[1:]
	}
	return v, nil
}

func (m *model) close() {
	m.closed = true
	for _, c := range append(m.getters, m.putters...) {
		c.end(job{}, queue.ErrClosed)
	}
	m.getters, m.putters = nil, nil
}

// finish compares what the calls have come to.
func (m *model) finish() string {
	m.queue.Close()
	m.close()
	for i, c := range m.calls {
		got, err := task.Await(m.task, task.Spawn(m.task, func(t *task.Task) (job, error) { return task.Shield(t, c.future) }))
		if got != c.want || !errors.Is(err, c.err) {
			return fmt.Sprintf("call %d returned %v (%v), want %v (%v)", i, got, err, c.want, c.err)
		}
	}
	return ""
}
