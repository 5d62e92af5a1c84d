package task

// Condition is for tasks that wait until something which a lock protects has changed. L is that lock; who calls Wait holds it. To change
// it and call Notify without the lock is allowed where the change needs no lock.
type Condition struct {
	L    *Lock
	line line
}

// NewCondition makes a condition of lock l; nil means a lock of its own.
func NewCondition(l *Lock) *Condition {
	if l == nil {
		l = new(Lock)
	}
	return &Condition{L: l}
}

// Wait gives up the lock, waits for a Notify, and takes the lock again. It returns nil, or the reason if the task is cancelled before it is
// notified; in either case the task has the lock when Wait returns, however long that takes. If the task is cancelled after it was
// notified, while it waits for the lock, its next wait says so. Wait panics if the lock is not held.
func (c *Condition) Wait(t *Task) error {
	if reason := t.checkpoint(); reason != nil {
		return reason
	}
	c.L.Unlock()
	_, reason := c.line.wait(t, c, 0)
	if reason != nil {
		c.L.relock(t) // Notify has not done it
	}
	t.fiber.worker.deaf = false
	return reason
}

// WaitFor waits until pred says true, which it is asked at once and after each Notify, with the lock held. For the rest it is Wait.
func (c *Condition) WaitFor(t *Task, pred func() bool) error {
	for !pred() {
		if reason := c.Wait(t); reason != nil {
			return reason
		}
	}
	return nil
}

// Notify lets the n tasks that have waited longest go on, as soon as each gets the lock; all of them, if there are fewer. They
// stand in line for the lock from now on, so none of them runs only to wait again.
func (c *Condition) Notify(n int) {
	c.line.mustOwn("Condition.Notify")
	for ; n > 0 && c.line.first != nil; n-- {
		p := c.line.first
		p.worker.deaf = true // it has heard what it waited for
		if c.L.TryLock() {
			c.line.serve()
			continue
		}
		c.line.remove(p)
		p.thing = c.L
		c.L.line.push(p)
	}
}

// NotifyAll lets all tasks that wait go on.
func (c *Condition) NotifyAll() {
	c.line.mustOwn("Condition.NotifyAll")
	for c.line.first != nil {
		c.Notify(1)
	}
}

func (c *Condition) left() {}

// String says what it is, for lists of tasks.
func (c *Condition) String() string { return "a condition" }
