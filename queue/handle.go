package queue

import (
	"context"
	"iter"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Handle is a [Queue] for any goroutine, and for tasks of other loops. Its calls are carried out on the queue's loop in the order in
// which one goroutine makes them, and stand in the same lines as the tasks there. But for Close and TaskDone they wait for the loop's answer, also the
// Try forms, so on that loop itself they return [rondo.ErrOnLoop]. Once the engine has ended they return
// [rondo.ErrEngineClosed].
//
// When a context ends the call is withdrawn on the loop. If it comes too late, because the call was served, the call succeeds all the same: an error
// means that nothing was put, or got.
type Handle[T any] struct{ queue *Queue[T] }

// Handle returns the queue's handle. Any goroutine may call it.
func (q *Queue[T]) Handle() Handle[T] { return Handle[T]{q} }

// Put puts v into the queue, and waits for room if there is none. It returns what [Queue.Put] does, or the context's cause.
func (h Handle[T]) Put(ctx context.Context, v T) error {
	o := h.op(doPut)
	o.item = v
	_, _, err := h.do(ctx, o)
	return err
}

// TryPut is Put that does not wait for room, but returns [ErrFull].
func (h Handle[T]) TryPut(v T) error {
	o := h.op(doTryPut)
	o.item = v
	_, _, err := h.do(context.Background(), o)
	return err
}

// Get takes the next item out of the queue, and waits for one if there is none. It returns what [Queue.Get] does, or the context's cause.
func (h Handle[T]) Get(ctx context.Context) (T, error) {
	v, _, err := h.do(ctx, h.op(doGet))
	return v, err
}

// All gets item after item, for a range loop. It ends when the queue is closed and empty. Any other error ends it too, and comes in the
// last round, without an item.
func (h Handle[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return each(func() (T, error) { return h.Get(ctx) })
}

// TryGet is Get that does not wait for an item, but returns [ErrEmpty].
func (h Handle[T]) TryGet() (T, error) {
	v, _, err := h.do(context.Background(), h.op(doTryGet))
	return v, err
}

// Join waits until there is no unfinished item: see [Queue.Join].
func (h Handle[T]) Join(ctx context.Context) error {
	_, _, err := h.do(ctx, h.op(doJoin))
	return err
}

// Len is the number of items that were in the queue when the loop was asked.
func (h Handle[T]) Len() (int, error) {
	_, n, err := h.do(context.Background(), h.op(doLen))
	return n, err
}

// TaskDone is [Queue.TaskDone]. It does not wait, and may be called on the queue's loop. More calls than items are a panic on the
// loop, which the engine's log reports.
func (h Handle[T]) TaskDone() { h.queue.loop.Post(h.queue.TaskDone) }

// Close is [Queue.Close]. It does not wait, and may be called on the queue's loop: what the same goroutine does with the handle afterwards finds
// the queue closed.
func (h Handle[T]) Close() { h.queue.loop.Post(h.queue.Close) }

// PutFrom is Put for a task of any loop, which goes on meanwhile. A cancellation is as the end of Put's context. If it comes too
// late the next wait returns the reason.
func (h Handle[T]) PutFrom(t *task.Task, v T) error {
	if t.Loop() == h.queue.loop {
		return h.queue.Put(t, v)
	}
	o := h.op(doPut)
	o.item = v
	_, err := h.from(t, o)
	return err
}

// GetFrom is Get for a task of any loop, likewise.
func (h Handle[T]) GetFrom(t *task.Task) (T, error) {
	if t.Loop() == h.queue.loop {
		return h.queue.Get(t)
	}
	return h.from(t, h.op(doGet))
}

// do has the loop carry out o and waits for that.
func (h Handle[T]) do(ctx context.Context, o *op[T]) (v T, n int, err error) {
	l := h.queue.loop
	if ctx.Err() != nil {
		return v, 0, context.Cause(ctx)
	}
	if !l.PostRunner(o) {
		return v, 0, rondo.ErrEngineClosed
	}
	// Whether this is the loop itself is asked while the loop wakes up: it takes as long.
	if l.OnLoop() {
		o.withdrawn = true
		return v, 0, rondo.ErrOnLoop
	}
	over := l.Engine().Done()
	answered := func() bool { return len(o.done) > 0 || closed(over) }
	l.Engine().Block(func() bool { return answered() || ctx.Err() != nil }, o, ctx, over)
	select {
	case <-o.done:
		v, n, err = o.item, o.n, o.err
		h.queue.ops.Put(o.reset())
		return v, n, err
	case <-ctx.Done():
		if len(o.done) == 0 { // or else select has chosen by chance
			o.withdraw(context.Cause(ctx))
		}
		l.Engine().Block(answered, o, over)
		select {
		case <-o.done:
			return o.item, o.n, o.err
		case <-over:
		}
	case <-over:
	}
	select {
	case <-o.done: // before the end
		return o.item, o.n, o.err
	default:
		return v, 0, rondo.ErrEngineClosed
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// from has the queue's loop carry out o for a task of another loop. The task waits behind a shield: if it is cancelled it must still hear
// whether that came in time.
func (h Handle[T]) from(t *task.Task, o *op[T]) (v T, err error) {
	if err := t.Checkpoint(); err != nil {
		return v, err
	}
	cancelled := t.Err() != nil // before: it cleans up, and what it waits for is waited for
	answer := rondo.NewPromise[struct{}](t.Loop())
	answer.SetCanceller(o)
	o.answer = answer
	if !h.queue.loop.PostRunner(o) {
		return v, rondo.ErrEngineClosed
	}
	if !cancelled {
		defer t.Engine().AfterContext(t, func() { o.withdraw(context.Cause(t)) })()
	}
	if e := h.queue.loop.Engine(); e != t.Engine() {
		over := make(chan struct{})
		defer func() {
			close(over)
			t.Engine().Wake(o)
		}()
		t.Engine().Go(func() {
			t.Engine().Block(func() bool { return closed(over) || closed(e.Done()) }, o, e.Done())
			select {
			case <-over:
			case <-e.Done():
				answer.Reject(rondo.ErrEngineClosed)
			}
		})
	}
	err = task.Shielded(t, func(t *task.Task) error {
		_, err := task.Await(t, answer.Future())
		return err
	})
	if err != nil { // one of the engines has ended
		o.withdraw(err)
		return v, err
	}
	if o.withdrawn {
		// The cancellation counts as delivered. If there has been one further out since, that one is what it takes.
		if reason := t.Checkpoint(); reason != nil {
			return v, reason
		}
	}
	return o.item, o.err
}
