package rondo

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
)

// debugInfo lets a loop find calls from goroutines that are not its own. It works with Config.Debug
// or under the race detector only, since asking for the goroutine's number takes a microsecond.
type debugInfo struct {
	on    bool
	owner atomic.Uint64 // the goroutine that is the loop now
}

// adopt makes the calling goroutine the loop's.
func (d *debugInfo) adopt() { d.owner.Store(goroutineID()) }

// mustOwn panics if debugging is on and the caller is not on the loop.
func (l *Loop) mustOwn(called, instead string) {
	if l.debug.on {
		l.checkOwner(called, instead)
	}
}

func (l *Loop) checkOwner(called, instead string) {
	if id := goroutineID(); id != l.debug.owner.Load() {
		panic(fmt.Sprintf("rondo: %s was called by goroutine %d, which is not loop %d: only code that runs on the loop may call it; elsewhere use %s",
			called, id, l.index, instead))
	}
}

// onLoop reports whether the calling goroutine is l's. It is slow.
func (l *Loop) onLoop() bool { return goroutineID() == l.debug.owner.Load() }

// goroutineID reads the number from the stack's first line, "goroutine 18 [running]:". The
// runtime offers no other way, and rondo wants it for debugging only.
func goroutineID() uint64 {
	var buf [64]byte
	line := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	id, _, _ := bytes.Cut(line, []byte(" "))
	n, _ := strconv.ParseUint(string(id), 10, 64)
	return n
}

func stack() []byte { return debug.Stack() }
