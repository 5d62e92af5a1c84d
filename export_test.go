package rondo

import (
	"net"
	"unsafe"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/world"
)

// NewOver is New with a world of the test's own.
func NewOver(config Config, open func(name string) (poller.Poller, error)) (*Engine, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return newEngine(config, testWorld{world.System(config.Poller), open})
}

type testWorld struct {
	world.System
	open func(name string) (poller.Poller, error)
}

func (w testWorld) Open() (poller.Poller, error) { return w.open(string(w.System)) }

// Slot is the place in its loop's table that the connection was kept in.
func (h Handle) Slot() uint32 { return h.token.index() }

// RaceEnabled says whether this build checks every call's goroutine.
const RaceEnabled = raceEnabled

// Waiting is how many connections of ListenNet's listener wait for Accept.
func Waiting(ln net.Listener) int {
	nl := ln.(*netListener)
	nl.mu.Lock()
	defer nl.mu.Unlock()
	return len(nl.queue)
}

// SamePlace reports whether two timers were kept in the same place.
func SamePlace(a, b Timer) bool { return a.node == b.node }

// Waits is the number of calls of Wait that f keeps.
func Waits[T any](f *Future[T]) int {
	n := 0
	for w := f.waiters.first; w != nil; w = w.next {
		n++
	}
	return n
}

// Timers is the number of timers that wait on l. Only on the loop.
func (l *Loop) Timers() int { return l.timers.Len() }

// QueueRoom is how much work l can queue without allocating, in the larger of the two slices that take turns.
// Only on the loop.
func (l *Loop) QueueRoom() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(cap(l.queue), cap(l.inbox))
}

// MaxQueue is the most room that is kept.
const MaxQueue = maxQueue

// Held is how many bytes s has in its pipe. Only on the loop.
func Held(s *Splice) int { return s.held }

// Awaits says what the poller watches c for. Only on the loop.
func Awaits(c *Conn) (read, write bool) { return c.flags&watchesRead != 0, c.flags&watchesWrite != 0 }

// Interleave is the order in which addresses are tried.
var Interleave = interleave

// OriginOf is what an address is counted as.
var OriginOf = originOf

// Origins is how many addresses ln counts.
func Origins(ln *Listener) int {
	ln.counts.mu.Lock()
	defer ln.counts.mu.Unlock()
	return len(ln.counts.origin)
}

// Sizes are those of what a connection with a timeout has beside itself.
func Sizes() (s, t uintptr) { return unsafe.Sizeof(settings{}), unsafe.Sizeof(timeouts{}) }
