package rondo

// Promise is the other end of a [Future]: who has it can give the result. Any goroutine may use it, but for
// the methods that say otherwise. It must not be copied.
type Promise[T any] struct{ future Future[T] }

// NewPromise makes a promise whose future belongs to l. Any goroutine may call it.
func NewPromise[T any](l *Loop) *Promise[T] {
	p := new(Promise[T])
	p.Init(l)
	return p
}

// Init makes p, which must be new, a promise whose future belongs to l: for a promise that is kept within
// another struct and so costs no allocation of its own. The future keeps that struct from being collected, and an error
// that nobody looks at is reported when the struct is. Others call [NewPromise]. Any goroutine may call it.
func (p *Promise[T]) Init(l *Loop) {
	p.future.loop = l
	if l.debug.on {
		p.future.report = &report{made: newTrace()}
	}
}

// Resolved is a future that has the result v already. Any goroutine may call it.
func Resolved[T any](l *Loop, v T) *Future[T] {
	f := NewPromise[T](l).Future()
	f.value, f.done = v, true
	f.stage.Store(isPublic)
	return f
}

// Rejected is a future that has failed already. Any goroutine may call it. It panics if err is nil.
func Rejected[T any](l *Loop, err error) *Future[T] {
	f := NewPromise[T](l).Future()
	f.err, f.done = mustErr(err), true
	f.guardError()
	f.stage.Store(isPublic)
	return f
}

func mustErr(err error) error {
	if err == nil {
		panic("rondo: rejecting a promise needs an error")
	}
	return err
}

// Future returns the promise's future.
func (p *Promise[T]) Future() *Future[T] { return &p.future }

// Resolve gives the result. The first Resolve or Reject counts: it reports whether it was that.
func (p *Promise[T]) Resolve(v T) bool { return p.settle(v, nil, nil) }

// Reject gives an error in place of a result. The first Resolve or Reject counts: it reports whether
// it was that. It panics if err is nil.
func (p *Promise[T]) Reject(err error) bool {
	var none T
	return p.settle(none, mustErr(err), nil)
}

// settle gives the result from any goroutine. The error was first given at that place; nil is here.
func (p *Promise[T]) settle(v T, err error, at *trace) bool {
	f := &p.future
	if !f.claim() {
		return false
	}
	f.value, f.err = v, err
	if err != nil {
		if at == nil {
			at = newTrace() // where it happens: the loop could not tell
		}
		f.place(at)
	}
	f.loop.add(p) // a loop that has ended has nobody left to tell; Wait sees that it has
	return true
}

// run carries the result onto the loop.
func (p *Promise[T]) run(l *Loop) {
	before := len(l.queue)
	p.future.complete()
	l.todo += len(l.queue) - before // who waits for what was posted need not wait for another turn
}

// ResolveOnLoop is Resolve for code that runs on the loop: it takes effect at once, without the way through the loop's
// inbox. Functions given to OnDone are still called later.
func (p *Promise[T]) ResolveOnLoop(v T) bool {
	p.future.loop.mustOwn("Promise.ResolveOnLoop", "Promise.Resolve")
	return p.settleOnLoop(v, nil, nil)
}

// RejectOnLoop is Reject likewise.
func (p *Promise[T]) RejectOnLoop(err error) bool {
	f := &p.future
	f.loop.mustOwn("Promise.RejectOnLoop", "Promise.Reject")
	var at *trace
	if _, ok := f.canceller.(*cancelled); !ok && f.stage.Load() == isPending {
		at = newTrace()
	}
	var none T
	return p.settleOnLoop(none, mustErr(err), at)
}

// settleOnLoop gives the result on the loop. The error was first given at that place, if that is known.
func (p *Promise[T]) settleOnLoop(v T, err error, at *trace) bool {
	f := &p.future
	if !f.claim() {
		return false
	}
	f.value, f.err = v, err
	if at != nil {
		f.place(at)
	}
	f.complete()
	return true
}
