package rondo

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/rondo-go/rondo/internal/goid"
)

// debugInfo lets a loop find calls from goroutines that are not its own. It works with Config.Debug
// or under the race detector only, since asking for the goroutine's number takes a microsecond.
type debugInfo struct {
	on    bool
	owner atomic.Uint64 // the goroutine that is the loop now

	mu         sync.Mutex
	coroutines map[uint64]struct{} // that run only while the loop's own goroutine waits for them
}

// adopt makes the calling goroutine the loop's.
func (d *debugInfo) adopt() { d.owner.Store(goid.Get()) }

// mustOwn panics if debugging is on and the caller is not on the loop.
func (l *Loop) mustOwn(called, instead string) {
	if l.debug.on {
		l.checkOwner(called, instead)
	}
}

func (l *Loop) checkOwner(called, instead string) {
	if id := goid.Get(); !l.debug.owns(id) {
		panic(fmt.Sprintf("rondo: %s was called by goroutine %d, which is not loop %d: only code that runs on the loop may call it; elsewhere use %s",
			called, id, l.index, instead))
	}
}

// onLoop reports whether the calling goroutine is l's. It is slow.
func (l *Loop) onLoop() bool { return l.debug.owns(goid.Get()) }

func (d *debugInfo) owns(id uint64) bool {
	if id == d.owner.Load() {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.coroutines[id]
	return ok
}

// OnLoop reports whether the caller runs on the loop: for calls that wait for the loop, which would wait for themselves there and return
// ErrOnLoop instead. It takes about a microsecond. Any goroutine may call it.
func (l *Loop) OnLoop() bool { return l.onLoop() }

// EnterCoroutine says that the calling goroutine is a coroutine (iter.Pull) which only ever runs while the loop's own
// goroutine waits for it: what runs there runs on the loop. LeaveCoroutine, called by the same goroutine, ends that.
// Package task does it for its tasks.
func (l *Loop) EnterCoroutine() {
	l.debug.mu.Lock()
	defer l.debug.mu.Unlock()
	if l.debug.coroutines == nil {
		l.debug.coroutines = map[uint64]struct{}{}
	}
	l.debug.coroutines[goid.Get()] = struct{}{}
}

// LeaveCoroutine undoes EnterCoroutine.
func (l *Loop) LeaveCoroutine() {
	l.debug.mu.Lock()
	defer l.debug.mu.Unlock()
	delete(l.debug.coroutines, goid.Get())
}

// MustOwn panics, if debugging is on, unless it is called on the loop: for packages whose own types belong to
// loops. The words are the name of what was called, and of what to use instead.
func (l *Loop) MustOwn(called, instead string) { l.mustOwn(called, instead) }

// Debug reports whether the loop checks who calls: Config.Debug is set, or the race detector is on. Any goroutine may call it.
func (l *Loop) Debug() bool { return l.debug.on }

func stack() []byte { return debug.Stack() }
