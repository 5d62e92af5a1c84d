package queue

import "github.com/rondo-go/rondo"

// verb is what a Handle has the loop do.
type verb uint8

const (
	doPut verb = iota
	doTryPut
	doGet
	doTryGet
	doJoin
	doLen
)

// op is a call of a Handle, on its way to the loop, in a line there, and back. Between being posted and being answered it is the loop's.
type op[T any] struct {
	waiter[T] // its place in a line, with what is put and got
	verb      verb
	n         int
	done      chan struct{}            // gets the answer
	answer    *rondo.Promise[struct{}] // or this does, if it is a task that waits
	answered  bool
	withdrawn bool // it did not wait for an answer, or was answered so
}

func (h Handle[T]) op(what verb) *op[T] {
	o, _ := h.queue.ops.Get().(*op[T])
	if o == nil {
		o = &op[T]{done: make(chan struct{}, 1)}
		o.queue, o.op = h.queue, o
	}
	o.verb = what
	switch what {
	case doPut, doTryPut:
		o.wants = forRoom
	case doJoin:
		o.wants = forDone
	default:
		o.wants = forItem
	}
	return o
}

// reset makes an op that was answered as good as new.
func (o *op[T]) reset() *op[T] {
	var none T
	o.item, o.err, o.n, o.answered = none, nil, 0, false
	return o
}

// Run implements rondo.Runner.
func (o *op[T]) Run(*rondo.Loop) {
	if o.withdrawn {
		return
	}
	q := o.queue
	var waits *line[T]
	switch o.verb {
	case doPut, doTryPut:
		if o.err = q.offer(o.item); o.err == ErrFull && o.verb == doPut { //nolint:errorlint // it is our own and not wrapped
			waits = &q.putters
		}
	case doGet, doTryGet:
		if o.item, o.err = q.take(); o.err == ErrEmpty && o.verb == doGet { //nolint:errorlint // likewise
			waits = &q.getters
		}
	case doJoin:
		if q.Unfinished() > 0 {
			waits = &q.joiners
		}
	case doLen:
		o.n = q.len()
	}
	if waits == nil {
		o.finish()
	} else {
		waits.push(&o.waiter)
	}
}

// finish gives the answer, which is in err, item and n.
func (o *op[T]) finish() {
	o.answered = true
	if o.answer != nil {
		o.answer.Resolve(struct{}{})
	} else {
		e := o.queue.loop.Engine() // o is another's once it is answered
		o.done <- struct{}{}
		e.Wake(o)
	}
}

// CancelFuture implements rondo.Canceller for answer, which the task that waits for it owns. Nobody cancels it but the end of the
// task's engine: the task does not wait any more, and withdraws the call itself. As a Canceller, op also says what is waited for.
func (o *op[T]) CancelFuture(reason error) { o.answer.RejectOnLoop(reason) }

// withdraw says that the answer is not wanted any more, and why. Unless there is one by then that is the answer.
func (o *op[T]) withdraw(reason error) {
	o.queue.loop.Post(func() {
		if o.answered {
			return
		}
		o.leave()
		o.withdrawn = true
		o.err = reason
		o.finish()
	})
}
