package queue

import "github.com/rondo-go/rondo/task"

// wants is what somebody waits for.
type wants uint8

const (
	forItem wants = iota
	forRoom
	forDone
)

// waiter is somebody who waits: a task, or else a call of a Handle.
type waiter[T any] struct {
	queue      *Queue[T]
	in         *line[T] // nil: it does not wait, any more
	next, prev *waiter[T]
	task       *task.Task
	op         *op[T] // if task is nil
	item       T      // to be put, or what was got
	err        error  // what the wait has come to
	wants      wants
}

// maxFree is how many waiters a queue keeps for those who wait next.
const maxFree = 64

func (q *Queue[T]) waiter(t *task.Task, what wants) *waiter[T] {
	w := q.free
	if w == nil {
		w = &waiter[T]{queue: q}
	} else {
		q.free, w.next = w.next, nil
		q.frees--
	}
	w.task, w.wants = t, what
	return w
}

func (q *Queue[T]) recycle(w *waiter[T]) {
	var none T
	w.item, w.task, w.err = none, nil, nil
	if q.frees < maxFree {
		w.next, q.free = q.free, w
		q.frees++
	}
}

// end serves one who was taken out of the line.
func (w *waiter[T]) end(err error) {
	w.err = err
	if w.task != nil {
		w.task.Unpark()
	} else {
		w.op.finish()
	}
}

// give takes the item that w wants to put.
func (w *waiter[T]) give() T {
	var none T
	v := w.item
	w.item = none
	return v
}

// leave takes w out of the line if it stands in one. It is called by Abandon, and after a Park that failed, which does not call
// Abandon if the cancellation was there before it.
func (w *waiter[T]) leave() {
	if w.in != nil {
		w.in.remove(w)
	}
}

// Abandon implements task.Parking.
func (w *waiter[T]) Abandon(error) { w.leave() }

// String implements task.Parking. For a call of a Handle it may be asked on another loop.
func (w *waiter[T]) String() string {
	of := "a queue"
	if name := w.queue.name.Load(); name != nil && *name != "" {
		of = "queue " + *name
	}
	switch w.wants {
	case forItem:
		return "an item of " + of
	case forRoom:
		return "room in " + of
	}
	return "the end of all items of " + of
}

// line is those who wait for the same, in the order in which they came.
type line[T any] struct{ first, last *waiter[T] }

func (l *line[T]) push(w *waiter[T]) {
	w.in, w.prev = l, l.last
	if w.prev == nil {
		l.first = w
	} else {
		w.prev.next = w
	}
	l.last = w
}

// pop takes the first out; nil means that there is none.
func (l *line[T]) pop() *waiter[T] {
	w := l.first
	if w == nil {
		return nil
	}
	l.first = w.next
	if w.next == nil {
		l.last = nil
	} else {
		w.next.prev = nil
	}
	w.next, w.in = nil, nil
	return w
}

func (l *line[T]) remove(w *waiter[T]) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.next, w.prev, w.in = nil, nil, nil
}
