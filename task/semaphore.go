package task

import "fmt"

// Semaphore lets tasks have so many of something at a time, and no more. Who waits is served in the order of asking: one that
// wants much is not overtaken by those that want little.
type Semaphore struct {
	size, free int
	line       line
}

// NewSemaphore makes a semaphore of n, all of them free. It panics if n is negative.
func NewSemaphore(n int) *Semaphore {
	if n < 0 {
		panic("task: a semaphore's size must not be negative")
	}
	return &Semaphore{size: n, free: n}
}

// Acquire takes n, when its time has come. It returns nil, or the reason if the task is cancelled before that; then it has
// taken none. It panics if n is more than there are in all, since it would wait for ever, or negative.
func (s *Semaphore) Acquire(t *Task, n int) error {
	s.check(n)
	if reason := t.checkpoint(); reason != nil {
		return reason
	}
	if s.TryAcquire(n) {
		return nil
	}
	_, reason := s.line.wait(t, s, n)
	return reason
}

// TryAcquire takes n if so many are free and nobody waits.
func (s *Semaphore) TryAcquire(n int) bool {
	s.line.mustOwn("Semaphore.TryAcquire")
	s.check(n)
	if s.line.first != nil || s.free < n {
		return false
	}
	s.free -= n
	return true
}

func (s *Semaphore) check(n int) {
	if n < 0 || n > s.size {
		panic(fmt.Sprintf("task: a semaphore of %d was asked for %d", s.size, n))
	}
}

// Release gives n back. It panics if that would be more than were taken, so that a mistake does not widen what the semaphore
// is there to bound.
func (s *Semaphore) Release(n int) {
	s.line.mustOwn("Semaphore.Release")
	if n < 0 || n > s.size-s.free {
		panic(fmt.Sprintf("task: Release of %d of a semaphore of which %d are taken", n, s.size-s.free))
	}
	s.free += n
	s.serve()
}

// serve gives those who have waited longest what is free.
func (s *Semaphore) serve() {
	for p := s.line.first; p != nil && p.n <= s.free; p = s.line.first {
		s.free -= p.n
		s.line.serve()
	}
}

// Free is how many can be had.
func (s *Semaphore) Free() int {
	s.line.mustOwn("Semaphore.Free")
	return s.free
}

// left serves those behind one that wanted more than they do.
func (s *Semaphore) left() { s.serve() }

// String says what it is, for lists of tasks.
func (s *Semaphore) String() string { return fmt.Sprintf("a semaphore of %d", s.size) }
