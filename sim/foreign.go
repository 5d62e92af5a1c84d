package sim

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rondo-go/rondo/internal/goid"
)

// own is what tells the world's goroutines from those of the go statement, which may call at any time: all of it is safe for them.
type own struct {
	calls     atomic.Uint64
	complaint atomic.Pointer[error]

	mu  sync.Mutex
	ids map[uint64]struct{} // goroutines that are the world's
}

// To ask which goroutine calls takes some ten microseconds: so the first calls of a world are asked, and after them one of so many.
const (
	askedCalls = 64
	everyNth   = 64
)

// called reports whether the world's may be touched: false means that the caller is none of its goroutines, and that the run will fail.
func (w *World) called() bool {
	n := w.own.calls.Add(1)
	if !raceEnabled && n > askedCalls && n%everyNth != 0 {
		return true
	}
	return w.own.has(goid.Get()) || w.own.tells()
}

func (o *own) add(id uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids == nil {
		o.ids = map[uint64]struct{}{}
	}
	o.ids[id] = struct{}{}
}

func (o *own) remove(id uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.ids, id)
}

func (o *own) has(id uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.ids[id]
	return ok
}

// tells reports whether the caller is a coroutine, as tasks are and what a program makes by iter.Pull, which only runs when one of the world's goroutines lets it.
// Else it notes the complaint.
func (o *own) tells() bool {
	stack := debug.Stack()
	if bytes.Contains(stack, []byte("\ncreated by iter.Pull")) {
		o.add(goid.Get())
		return true
	}
	err := foreign(string(stack))
	o.complaint.CompareAndSwap(nil, &err)
	return false
}

// foreign is what is said of a goroutine with that stack.
func foreign(stack string) error {
	if lines := strings.SplitAfterN(stack, "\n", 4); len(lines) == 4 {
		stack = lines[0] + lines[3] // without debug.Stack's own
	}
	where := placeOf(stack)
	function, callers, _ := strings.Cut(strings.TrimPrefix(where, " in "), ", called by ")
	if callers != "" {
		callers = " (" + callers + ")"
	}
	if where == "" {
		function = "a function of the world's"
	}
	return fmt.Errorf("sim: a goroutine of the go statement calls %s, with other results each time: start it with World.Go, Host.Go or Engine.Go, whose goroutines take turns%s",
		function, callers)
}

// complains reports whether a goroutine has called that is none of the world's, which ends the run.
func (w *World) complains() bool {
	err := w.own.complaint.Load()
	if err == nil {
		return false
	}
	w.fail(*err)
	return true
}
