package rondo

// Awaitable is a future of any type: what can be waited for without asking for its result.
type Awaitable interface {
	// Loop is the loop that it belongs to. All but this is for code on that loop.
	Loop() *Loop
	Done() bool
	// Failed reports whether it is done with an error. Unlike Err it does not count as looking.
	Failed() bool
	// Err is the error of one that has failed, ErrPending before it is done. To ask is to have looked.
	Err() error
	// Watch has w told when it is done; at once, from within Watch, if it is.
	Watch(w *Waiter)
	Cancel(reason error) bool
	// String says what is waited for.
	String() string

	leave(w *Waiter)
	waited() bool
}

// Notified is told that the future which its Waiter watches is done.
type Notified interface {
	// FutureDone is called on the loop, once, from within the call that settles the future: in the midst of
	// somebody else's work. So it only notes that the time has come, and has what there is to do done later. It must not
	// panic: others would not be told.
	FutureDone()
}

// Blind is a Notified that does not look at the error when told: if nobody else does either, it is reported.
type Blind interface {
	Notified
	// LooksAway is never called.
	LooksAway()
}

// Waiter waits for one future at a time, again and again, and costs no allocation: it is what OnDone, tasks and
// joins are made of. It is kept within the struct that it tells. The zero Waiter waits for nothing, and needs
// Init. Only code on the future's loop may use it.
type Waiter struct {
	to         Notified
	on         Awaitable // nil: none
	next, prev *Waiter
}

// Init says whom to tell.
func (w *Waiter) Init(to Notified) { w.to = to }

// blind reports whether to be told is not to look.
func (w *Waiter) blind() bool {
	_, ok := w.to.(Blind)
	return ok
}

// Waiting reports whether there is a future that w waits for.
func (w *Waiter) Waiting() bool { return w.on != nil }

// String says what is waited for.
func (w *Waiter) String() string {
	if w.on == nil {
		return "nothing"
	}
	return w.on.String()
}

// Stop ends the waiting. It reports whether there was any: false means that FutureDone was called, or
// that Watch was not.
func (w *Waiter) Stop() bool {
	if w.on == nil {
		return false
	}
	w.on.leave(w)
	return true
}

// Abandon ends the waiting and says that the result is not wanted here any more. If nobody else waits for
// it the future is cancelled with that reason. It reports what Stop does.
func (w *Waiter) Abandon(reason error) bool {
	f := w.on
	if !w.Stop() {
		return false
	}
	if !f.waited() {
		f.Cancel(reason)
	}
	return true
}

// waiterList are the waiters of one future, in the order in which they came.
type waiterList struct{ first, last *Waiter }

// Watch has w told when the future is done; at once, from within Watch, if it is. Whoever watches is taken
// to look at the error, but for a [Blind]. It panics if w waits already.
func (f *Future[T]) Watch(w *Waiter) {
	f.loop.mustOwn("Future.Watch", "Future.Wait")
	if w.on != nil {
		panic("rondo: this Waiter waits for another future")
	}
	if f.done {
		if f.report != nil && !w.blind() {
			f.report.see()
		}
		w.to.FutureDone()
		return
	}
	w.on, w.prev = f, f.waiters.last
	if w.prev == nil {
		f.waiters.first = w
	} else {
		w.prev.next = w
	}
	f.waiters.last = w
}

func (f *Future[T]) leave(w *Waiter) { f.waiters.remove(w) }

func (f *Future[T]) waited() bool { return f.waiters.first != nil }

// look reports whether one of them looks at what the future comes to.
func (l *waiterList) look() bool {
	w := l.first
	for w != nil && w.blind() {
		w = w.next
	}
	return w != nil
}

func (l *waiterList) remove(w *Waiter) {
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
	w.next, w.prev, w.on = nil, nil, nil
}

// notify tells all. What one of them does may take others out of the list.
func (l *waiterList) notify() {
	for l.first != nil {
		w := l.first
		l.remove(w)
		w.to.FutureDone()
	}
}
