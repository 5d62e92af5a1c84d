package task

// line is where tasks wait for their turn, in the order in which they came. The zero line is empty.
type line struct{ first, last *spot }

// maxSpots is how many free spots a scheduler keeps.
const maxSpots = 1024

// spot is where a task stands in a line. Those that are free are kept by the scheduler, up to maxSpots, so that to wait costs no allocation.
type spot struct {
	worker     *worker
	line       *line
	next, prev *spot
	thing      lined
	n          int // what the thing makes of it
}

// lined is something that has a line.
type lined interface {
	// left is called when a task has left the line without having been served, since it was cancelled.
	left()
	String() string
}

// wait has the task stand in l, the line of thing, until somebody serves it; or returns the reason for which it was cancelled. The
// caller has looked for a cancellation that was there before.
// It returns what serve has been given.
func (l *line) wait(t *Task, thing lined, n int) (served int, reason error) {
	p := l.join(t, thing, n)
	reason = t.wait(p)
	return p.free(), reason
}

// insist is wait for a task that cannot do without: if it is cancelled it hears of that in its next wait.
func (l *line) insist(t *Task, thing lined) {
	p := l.join(t, thing, 0)
	p.worker.deaf = true
	_ = t.wait(p)
	p.worker.deaf = false
	p.free()
}

func (l *line) join(t *Task, thing lined, n int) *spot {
	s := t.fiber.sched
	if l.last != nil && l.last.worker.fiber.sched != s {
		panic("task: " + thing.String() + " was used by tasks of different loops")
	}
	p := s.spots
	if p == nil {
		p = new(spot)
	} else {
		s.spots = p.next
		s.free--
	}
	p.worker, p.thing, p.n, p.next = t.fiber.worker, thing, n, nil
	l.push(p)
	return p
}

// free gives the spot back, and returns its number.
func (p *spot) free() int {
	s := p.worker.fiber.sched
	p.worker = nil
	if s.free < maxSpots {
		p.next, s.spots = s.spots, p
		s.free++
	}
	return p.n
}

// mustOwn finds calls from other goroutines, in debug builds, as far as it can: an empty line belongs to no loop.
func (l *line) mustOwn(called string) {
	if p := l.first; p != nil {
		p.worker.fiber.sched.loop.MustOwn(called, onto)
	}
}

func (l *line) push(p *spot) {
	p.line, p.prev = l, l.last
	if p.prev == nil {
		l.first = p
	} else {
		p.prev.next = p
	}
	l.last = p
}

func (l *line) remove(p *spot) {
	if p.prev == nil {
		l.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.next, p.prev, p.line = nil, nil, nil
}

// serve takes the first task out of the line, which must not be empty, and lets it go on. From then on it has what it waited for, also
// if it is cancelled before it runs.
func (l *line) serve() *spot {
	p := l.first
	l.remove(p)
	p.thing = nil
	p.worker.fiber.unpark()
	return p
}

// Abandon implements Parking.
func (p *spot) Abandon(error) {
	thing := p.thing
	p.line.remove(p)
	p.thing = nil
	thing.left()
}

// String implements Parking.
func (p *spot) String() string { return p.thing.String() }
