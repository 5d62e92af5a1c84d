package queue

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Errors of queues. Compare with [errors.Is].
var (
	// ErrClosed is returned by Put once the queue is closed, and by Get once it is empty, too.
	ErrClosed = errors.New("queue: closed")

	// ErrFull is returned by TryPut when Put would have to wait.
	ErrFull = errors.New("queue: full")

	// ErrEmpty is returned by TryGet when Get would have to wait.
	ErrEmpty = errors.New("queue: empty")
)

// Unbounded is the capacity of a queue that always has room.
const Unbounded = -1

// Queue is a line of items between those who put them in and those who get them. It belongs to a loop: only code on that loop may use
// it, but for Handle and Cap; methods that take a task are called by that task, which must be of the same loop. Make one with
// [New], [NewLIFO] or [NewPriority].
type Queue[T any] struct {
	loop     *rondo.Loop
	capacity int
	closed   bool
	lifo     bool
	sorted   *heap[T] // for NewPriority; nil otherwise, and then items are in
	ring     ring[T]

	// Those who wait. While somebody waits for an item there is none, and nobody waits for room; while somebody waits for
	// room there is none.
	getters, putters, joiners line[T]

	undone int // items that were got and not reported done
	free   *waiter[T]
	frees  int
	name   atomic.Pointer[string] // read by the loops of tasks that use a handle, too; nil: none

	ops sync.Pool // of *op[T]
}

// New makes a queue of which items are got in the order in which they were put. It holds up to capacity items; with [Unbounded] any number. With capacity 0
// it holds none: Put waits until somebody gets the item, as with a channel. It panics if capacity is any other negative
// number. Any goroutine may call it.
func New[T any](l *rondo.Loop, capacity int) *Queue[T] {
	if capacity < Unbounded {
		panic(fmt.Sprintf("queue: the capacity of a queue cannot be %d: it is the number of items that it holds, or queue.Unbounded", capacity))
	}
	return &Queue[T]{loop: l, capacity: capacity}
}

// NewLIFO is [New] for a queue of which the item that was put last is got first. An item whose Put waits for room is not in the queue
// yet.
func NewLIFO[T any](l *rondo.Loop, capacity int) *Queue[T] {
	q := New[T](l, capacity)
	q.lifo = true
	return q
}

// NewPriority is [New] for a queue of which the least item is got first: one that no other is less than. Items of which neither is less come in the
// order in which they were put. An item whose Put waits for room is not in the queue yet. less is called on the loop and must neither
// use the queue nor panic.
func NewPriority[T any](l *rondo.Loop, capacity int, less func(a, b T) bool) *Queue[T] {
	if less == nil {
		panic("queue: NewPriority needs a function that compares two items")
	}
	q := New[T](l, capacity)
	q.sorted = &heap[T]{less: less}
	return q
}

// SetName gives the queue a name, which lists of tasks show: "an item of queue jobs".
func (q *Queue[T]) SetName(name string) {
	q.loop.MustOwn("Queue.SetName", "Loop.Post to get onto the loop")
	q.name.Store(&name)
}

// Put puts v into the queue, and waits for room if there is none. It returns [ErrClosed] if the queue is closed, before or meanwhile, and the reason if the
// task is cancelled; v is then not in the queue.
func (q *Queue[T]) Put(t *task.Task, v T) error {
	if err := q.enter(t, "Queue.Put"); err != nil {
		return err
	}
	if err := q.offer(v); err != ErrFull { //nolint:errorlint // it is our own and not wrapped
		return err
	}
	w := q.waiter(t, forRoom)
	w.item = v
	q.putters.push(w)
	// Not in a function of its own: after a switch the return of each call in between is mispredicted.
	err := t.Park(w)
	if err == nil {
		err = w.err
	} else {
		w.leave()
	}
	q.recycle(w)
	return err
}

// TryPut is Put for any code on the loop: it returns [ErrFull] rather than wait.
func (q *Queue[T]) TryPut(v T) error {
	q.loop.MustOwn("Queue.TryPut", "Handle.TryPut")
	return q.offer(v)
}

// Get takes the next item out of the queue, and waits for one if there is none. It returns [ErrClosed] if the queue is
// closed and empty, at once or meanwhile, and the reason if the task is cancelled; nothing is then taken.
func (q *Queue[T]) Get(t *task.Task) (T, error) {
	if err := q.enter(t, "Queue.Get"); err != nil {
		var none T
		return none, err
	}
	v, err := q.take()
	if err != ErrEmpty { //nolint:errorlint // it is our own and not wrapped
		return v, err
	}
	w := q.waiter(t, forItem)
	q.getters.push(w)
	if err = t.Park(w); err == nil { // see Put
		err = w.err
	} else {
		w.leave()
	}
	v = w.item
	q.recycle(w)
	return v, err
}

// TryGet is Get for any code on the loop: it returns [ErrEmpty] rather than wait.
func (q *Queue[T]) TryGet() (T, error) {
	q.loop.MustOwn("Queue.TryGet", "Handle.TryGet")
	return q.take()
}

// All gets item after item, for a range loop. It ends when the queue is closed and empty. If the task is cancelled the loop's last round has
// the reason as its error, and no item.
func (q *Queue[T]) All(t *task.Task) iter.Seq2[T, error] {
	return each(func() (T, error) { return q.Get(t) })
}

// each calls get for a range loop until the queue has no more, or there is an error.
func each[T any](get func() (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := get()
			if errors.Is(err, ErrClosed) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// TaskDone reports that one item which was got has been dealt with. It panics if more are reported than were got.
func (q *Queue[T]) TaskDone() {
	q.loop.MustOwn("Queue.TaskDone", "Handle.TaskDone")
	if q.undone == 0 {
		panic("queue: TaskDone was called more often than items were got")
	}
	if q.undone--; q.Unfinished() == 0 {
		for w := q.joiners.pop(); w != nil; w = q.joiners.pop() {
			w.end(nil)
		}
	}
}

// Join waits until there is no unfinished item: see [Queue.Unfinished]. It returns nil then, also when the queue is closed, or the
// reason if the task is cancelled.
func (q *Queue[T]) Join(t *task.Task) error {
	if err := q.enter(t, "Queue.Join"); err != nil {
		return err
	}
	if q.Unfinished() == 0 {
		return nil
	}
	w := q.waiter(t, forDone)
	q.joiners.push(w)
	err := t.Park(w)
	w.leave()
	q.recycle(w)
	return err
}

// Unfinished is the number of items that are in the queue, or were got and not reported by TaskDone.
func (q *Queue[T]) Unfinished() int { return q.Len() + q.undone }

// Len is the number of items in the queue. Those of which Put still waits do not count.
func (q *Queue[T]) Len() int {
	q.loop.MustOwn("Queue.Len", "Handle.Len")
	return q.len()
}

// Cap is the most items that the queue holds, or [Unbounded]. Any goroutine may call it.
func (q *Queue[T]) Cap() int { return q.capacity }

// Close ends the queue: nothing more can be put. Those who wait for room get [ErrClosed], and their items stay theirs; those who wait for an
// item get it, too. What is in the queue can still be got. Closing it again does nothing.
func (q *Queue[T]) Close() {
	q.loop.MustOwn("Queue.Close", "Handle.Close")
	q.closed = true
	for w := q.putters.pop(); w != nil; w = q.putters.pop() {
		w.end(ErrClosed)
	}
	for w := q.getters.pop(); w != nil; w = q.getters.pop() {
		w.end(ErrClosed)
	}
}

// enter begins a call that a task makes.
func (q *Queue[T]) enter(t *task.Task, called string) error {
	q.loop.MustOwn(called, "the queue's Handle")
	if t.Loop() != q.loop {
		q.foreign(called)
	}
	return t.Checkpoint()
}

func (q *Queue[T]) foreign(called string) {
	panic(fmt.Sprintf("queue: %s was called by a task that is not on the queue's loop %d: use the queue's Handle, whose PutFrom and GetFrom are for such tasks",
		called, q.loop.Index()))
}

// offer puts v in if that needs no waiting.
func (q *Queue[T]) offer(v T) error {
	if q.closed {
		return ErrClosed
	}
	if w := q.getters.pop(); w != nil {
		w.item = v
		q.undone++
		w.end(nil)
		return nil
	}
	if q.capacity >= 0 && q.len() >= q.capacity {
		return ErrFull
	}
	q.push(v)
	return nil
}

// take gets an item if that needs no waiting.
func (q *Queue[T]) take() (v T, err error) {
	if q.len() == 0 {
		w := q.putters.pop() // there is one only if the capacity is 0
		if w == nil {
			if q.closed {
				return v, ErrClosed
			}
			return v, ErrEmpty
		}
		q.undone++
		v = w.give()
		w.end(nil)
		return v, nil
	}
	q.undone++
	v = q.pop()
	if w := q.putters.pop(); w != nil {
		q.push(w.give())
		w.end(nil)
	}
	return v, nil
}

func (q *Queue[T]) len() int {
	if q.sorted != nil {
		return len(q.sorted.items)
	}
	return q.ring.n
}

func (q *Queue[T]) push(v T) {
	if q.sorted != nil {
		q.sorted.push(v)
		return
	}
	q.ring.push(v)
}

func (q *Queue[T]) pop() T {
	switch {
	case q.sorted != nil:
		return q.sorted.pop()
	case q.lifo:
		return q.ring.popLast()
	}
	return q.ring.popFirst()
}
