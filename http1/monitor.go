package http1

import (
	"sync"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// monitor is a lock, and how a goroutine or a task waits for what is under it to change: that works in a simulation too.
type monitor struct {
	mu      sync.Mutex
	changed sync.Cond // of goroutines
	loop    *rondo.Loop
	task    *task.Task               // that waits, on the loop; nil if it is goroutines
	waiter  *rondo.Promise[struct{}] // of the task, while it does
}

func (m *monitor) init(l *rondo.Loop) {
	m.loop = l
	m.changed.L = &m.mu
}

// wake tells those that wait, with the lock held.
func (m *monitor) wake() {
	if m.waiter != nil {
		m.waiter.Resolve(struct{}{})
		m.waiter = nil
		return
	}
	m.changed.Broadcast()
	m.loop.Engine().Wake(m)
}

// wait waits until ready says so, with the lock held. A task may be cancelled meanwhile: that is the error.
func (m *monitor) wait(ready func() bool) error {
	for !ready() {
		if m.task != nil {
			if err := m.await(); err != nil && !ready() {
				return err
			}
			continue
		}
		m.block(ready)
		if !ready() {
			m.changed.Wait()
		}
	}
	return nil
}

// await is a task's way of waiting to be woken.
func (m *monitor) await() error {
	p := rondo.NewPromise[struct{}](m.loop)
	m.waiter = p
	m.mu.Unlock()
	defer m.mu.Lock()
	_, err := task.Await(m.task, p.Future())
	return err
}

func (m *monitor) block(ready func() bool) {
	m.mu.Unlock()
	defer m.mu.Lock() // also when Block does not return, since the goroutine is killed
	m.loop.Engine().Block(func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return ready()
	}, m)
}

// take reads from what has come.
func take(p []byte, from *[]byte) int {
	n := copy(p, *from)
	if *from = (*from)[n:]; len(*from) == 0 {
		*from = nil
	}
	return n
}
