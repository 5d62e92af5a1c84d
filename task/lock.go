package task

// Lock is held by one task at a time: for what a task does in several steps, between which it waits. (What it does without waiting needs no
// lock: nobody else runs meanwhile.) Who waits for it gets it in the order of asking, and nobody overtakes. It belongs to no task in
// particular: one may lock and another unlock it. The zero Lock is not held. It is for the tasks of one loop, as all of this
// package that tasks share; other code on that loop may use what does not take a Task.
type Lock struct {
	held bool
	line line
}

// Lock takes the lock, when its time has come. It returns nil, or the reason if the task is cancelled before that; then the task does not
// have the lock. A task that is given the lock and cancelled in the same turn has the lock, and is told in its next wait.
func (l *Lock) Lock(t *Task) error {
	if reason := t.checkpoint(); reason != nil {
		return reason
	}
	if !l.held {
		l.held = true
		return nil
	}
	_, reason := l.line.wait(t, l, 0)
	return reason
}

// TryLock takes the lock if it is free.
func (l *Lock) TryLock() bool {
	l.line.mustOwn("Lock.TryLock")
	if l.held {
		return false
	}
	l.held = true
	return true
}

// Unlock gives the lock to the task that has waited longest, or leaves it free. It panics if the lock is not held.
func (l *Lock) Unlock() {
	l.line.mustOwn("Lock.Unlock")
	if !l.held {
		panic("task: Unlock of a lock that is not held")
	}
	if l.line.first == nil {
		l.held = false
		return
	}
	l.line.serve()
}

// Locked reports whether the lock is held.
func (l *Lock) Locked() bool {
	l.line.mustOwn("Lock.Locked")
	return l.held
}

// relock takes the lock whether the task is cancelled or not.
func (l *Lock) relock(t *Task) {
	if !l.TryLock() {
		l.line.insist(t, l)
	}
}

func (l *Lock) left() {}

// String says what it is, for lists of tasks.
func (l *Lock) String() string { return "a lock" }
