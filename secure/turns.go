package secure

import (
	"container/heap"
	"crypto/tls"
	"errors"
	"runtime"

	"github.com/rondo-go/rondo"
)

// ErrTooManyHandshakes is why a handshake was given up for a younger one: see Config.MaxHandshakes.
var ErrTooManyHandshakes = errors.New("secure: more handshakes than Config.MaxHandshakes were under way, and this one had waited for its peer longest")

// defaultMost is how many handshakes of a server may hold a goroutine: some 80 MB.
const defaultMost = 4096

// turns lets few of a loop's handshakes compute at a time, in the order in which they have something to compute.
type turns struct {
	taken int
	most  int
	line  []*handshake
	rooms map[*tls.Config]*room // those in which somebody is
	begun uint64                // handshakes that have got a place
}

var turnsOf = rondo.NewLocal(func(l *rondo.Loop) *turns {
	return &turns{most: max(1, runtime.GOMAXPROCS(0)/len(l.Engine().Loops())), rooms: make(map[*tls.Config]*room)}
})

// ask lets h have its turn, or wait for it.
func (ts *turns) ask(h *handshake) {
	h.mu.Lock()
	h.state = queued
	h.mu.Unlock()
	if h.index > 0 {
		heap.Remove(&h.room.waiting, h.index-1)
	}
	ts.give(h) // it waits, and has not said so
	ts.line = append(ts.line, h)
	ts.next()
}

func (ts *turns) next() {
	for ts.taken < ts.most && len(ts.line) > 0 {
		h := ts.line[0]
		ts.line[0] = nil
		ts.line = ts.line[1:]
		if h.over || !ts.admit(h) {
			continue
		}
		ts.taken++
		h.turn = true
		h.begin()
	}
}

// give ends a turn.
func (ts *turns) give(h *handshake) {
	if h.turn {
		h.turn = false
		ts.taken--
		ts.next()
	}
}

// rest is when h waits for its peer. It can be said more than once.
func (ts *turns) rest(h *handshake) {
	if h.room != nil && h.index == 0 {
		heap.Push(&h.room.waiting, h)
		ts.unpark(h.room)
	}
	ts.give(h)
	ts.next() // also if it had no turn any more
}

// leave is when h is over, or as good as over.
func (ts *turns) leave(h *handshake) {
	if r := h.room; r != nil {
		if h.index > 0 {
			heap.Remove(&r.waiting, h.index-1)
		}
		h.room = nil
		r.taken--
		ts.unpark(r)
		if r.taken == 0 {
			delete(ts.rooms, h.config)
		}
	}
	ts.give(h)
	ts.next()
}

// room is where a server's handshakes have a place each for as long as they hold a goroutine. A peer that sends a hello and then nothing keeps
// its own only until somebody needs it.
type room struct {
	taken   int
	waiting oldest
	parked  []*handshake // whose turn had come while nobody could be given up for them
}

// admit gives h a place, if it needs one and has none. It reports whether h may begin.
func (ts *turns) admit(h *handshake) bool {
	if h.launched || h.room != nil || !h.server || h.most < 0 {
		return true
	}
	r := ts.rooms[h.config]
	if r == nil {
		r = new(room)
		ts.rooms[h.config] = r
	}
	if ts.enter(r, h) {
		return true
	}
	r.parked = append(r.parked, h)
	return false
}

// enter gives h a place in r: a free one, or that of the oldest which waits. One that computes, or is to, keeps its own.
func (ts *turns) enter(r *room, h *handshake) bool {
	switch {
	case r.taken < h.most:
		r.taken++
	case len(r.waiting) > 0:
		heap.Pop(&r.waiting).(*handshake).giveWay() //nolint:forcetypeassert // there are no others
	default:
		return false
	}
	ts.begun++
	h.room, h.age = r, ts.begun
	return true
}

// unpark lets those in who have waited for a place.
func (ts *turns) unpark(r *room) {
	for len(r.parked) > 0 {
		h := r.parked[0]
		if !h.over {
			if !ts.enter(r, h) {
				return
			}
			ts.line = append(ts.line, h)
		}
		r.parked[0] = nil
		r.parked = r.parked[1:]
	}
}

// giveWay ends a handshake that waits. Its goroutine does the rest.
func (h *handshake) giveWay() {
	h.room = nil
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = ErrTooManyHandshakes
		h.wake()
	}
}

// oldest are handshakes that wait for their peer, as a heap whose first is the one that began first. What a peer sends in between does not make its
// handshake younger, or a byte now and then would keep it.
type oldest []*handshake

func (w oldest) Len() int           { return len(w) }
func (w oldest) Less(i, j int) bool { return w[i].age < w[j].age }
func (w oldest) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i+1, j+1
}

func (w *oldest) Push(x any) {
	h := x.(*handshake) //nolint:forcetypeassert // there are no others
	*w = append(*w, h)
	h.index = len(*w)
}

func (w *oldest) Pop() any {
	last := len(*w) - 1
	h := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	h.index = 0
	return h
}
