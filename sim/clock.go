package sim

import "time"

// Clock is a virtual clock without a network, for code that is given its time: nothing happens but in Advance. It is for one goroutine.
// The zero Clock says the beginning of the year 2000.
type Clock struct {
	now    time.Duration
	events eventQueue
}

// Now is the time.
func (c *Clock) Now() time.Time { return beginning.Add(c.now) }

// Elapsed is how far the clock has been advanced.
func (c *Clock) Elapsed() time.Duration { return c.now }

// After has fn called when the clock has been advanced by d, unless stop is called before. Stop reports whether it was in time.
func (c *Clock) After(d time.Duration, fn func()) (stop func() bool) {
	e := &call{fn: fn}
	c.events.push(event{at: int64(c.now + max(0, d)), what: e})
	return func() bool {
		in := e.fn != nil
		e.fn = nil
		return in
	}
}

// Advance lets d pass, and calls what is due, in the order of its time; also what that asks for, if it is due by then.
func (c *Clock) Advance(d time.Duration) {
	end := c.now + max(0, d)
	for len(c.events.heap) > 0 && time.Duration(c.events.heap[0].at) <= end {
		c.next()
	}
	c.now = max(c.now, end) // what was called may have advanced it further
}

// AdvanceToNext lets as much time pass as there is until something is due, and calls that. It reports whether there is anything.
func (c *Clock) AdvanceToNext() bool {
	for len(c.events.heap) > 0 {
		if c.next() {
			return true
		}
	}
	return false
}

// next calls what is due next; false means that it was stopped.
func (c *Clock) next() bool {
	e, _ := c.events.pop()
	w := e.what.(*call)
	if w.fn == nil {
		return false
	}
	c.now = max(c.now, time.Duration(e.at))
	fn := w.fn
	w.fn = nil
	fn()
	return true
}
