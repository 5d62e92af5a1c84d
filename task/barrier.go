package task

import (
	"errors"
	"fmt"
)

// ErrBarrierBroken is the error of [Barrier.Wait] when the barrier is broken by [Barrier.Abort], or was reset meanwhile.
var ErrBarrierBroken = errors.New("task: the barrier is broken")

// Barrier holds tasks up until there are so many of them, and then lets all of them go on; again and again.
type Barrier struct {
	parties, count int
	broken         bool
	line           line
}

// NewBarrier makes a barrier for so many tasks. It panics if that is less than one.
func NewBarrier(parties int) *Barrier {
	if parties < 1 {
		panic("task: a barrier needs at least one party")
	}
	return &Barrier{parties: parties}
}

// Wait waits until as many tasks wait as the barrier is for. It returns the task's place among them, in the order in which they came, from
// 0; so one of them, and only one, gets 0. The error is the reason if the task is cancelled before that: it then leaves, and the others
// wait for another in its place (as asyncio's do; threading's barrier would break). Or it is [ErrBarrierBroken].
func (b *Barrier) Wait(t *Task) (index int, err error) {
	if reason := t.checkpoint(); reason != nil {
		return 0, reason
	}
	if b.broken {
		return 0, ErrBarrierBroken
	}
	if b.count+1 == b.parties {
		for i := range b.count {
			b.line.serve().n = i
		}
		b.count = 0
		return b.parties - 1, nil
	}
	b.count++
	index, reason := b.line.wait(t, b, 0)
	switch {
	case reason != nil:
		return 0, reason
	case index < 0:
		return 0, ErrBarrierBroken
	}
	return index, nil
}

// Waiting is how many tasks wait.
func (b *Barrier) Waiting() int {
	b.line.mustOwn("Barrier.Waiting")
	return b.count
}

// Reset makes the barrier what it was at first. Tasks that wait get [ErrBarrierBroken].
func (b *Barrier) Reset() {
	b.line.mustOwn("Barrier.Reset")
	b.turnAway()
	b.broken = false
}

// Abort breaks the barrier: tasks that wait, and all to come, get [ErrBarrierBroken], until Reset is called. It is for a party that
// finds that it will not come.
func (b *Barrier) Abort() {
	b.line.mustOwn("Barrier.Abort")
	b.turnAway()
	b.broken = true
}

func (b *Barrier) turnAway() {
	for b.line.first != nil {
		b.line.serve().n = -1
	}
	b.count = 0
}

func (b *Barrier) left() { b.count-- }

// String says what it is, for lists of tasks.
func (b *Barrier) String() string {
	return fmt.Sprintf("a barrier for %d, with %d there", b.parties, b.count)
}
