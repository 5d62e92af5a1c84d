package http1

import (
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
)

// workers are the goroutines of a shard's handlers, and the line in which those wait for one. A handler that does not block leaves its goroutine, whose stack is
// grown and warm, to the next in line; only if the line stands is there another. So a thousand requests that have come at once need few, and a thousand that wait for a database have a thousand.
type workers struct {
	loop  *rondo.Loop
	pumps bool // pump will be called
	timed bool // trim will be

	mu     sync.Mutex
	line   []*handling // from head on
	head   int
	begun  uint // how many have left the line
	seen   uint // begun when pump looked last
	step   int  // how many workers it starts
	idle   []*worker
	least  int // how many of them were idle all the time since trim was called
	closed bool
}

// worker is one of them. It keeps what an answer is made with.
type worker struct {
	header http.Header
	body   []byte
	names  []string

	of    *workers
	ready bool // it is not idle any more
	ends  bool // because nobody needs it
	cond  sync.Cond
}

const keepWorkers = 10 * time.Second // those that nobody has needed for so long end

func (ws *workers) init(l *rondo.Loop) {
	ws.loop = l
	l.OnStop(func() {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		ws.closed = true
		ws.rouse(len(ws.idle))
	})
}

// do has x run. Only on the loop.
func (ws *workers) do(x *handling) {
	ws.mu.Lock()
	ws.line = append(ws.line, x)
	ws.mu.Unlock()
	if !ws.pumps {
		ws.pumps = true
		ws.loop.Defer(ws.pump)
	}
}

// pump lets the workers run, and sees to it that the line moves: if nobody has left it meanwhile, twice as many are started as before.
func (ws *workers) pump() {
	ws.mu.Lock()
	waiting := len(ws.line) - ws.head
	switch {
	case waiting == 0:
		ws.pumps, ws.step = false, 0
		ws.mu.Unlock()
		return
	case ws.step > 0 && ws.begun == ws.seen:
		ws.step *= 2
	default:
		ws.step = 1
	}
	ws.seen = ws.begun
	ws.start(min(ws.step, waiting))
	ws.mu.Unlock()
	ws.loop.Defer(ws.pump)
	runtime.Gosched()
}

// start has n more workers look at the line, with the lock held.
func (ws *workers) start(n int) {
	roused := ws.rouse(n)
	for range n - roused {
		w := &worker{header: http.Header{}, of: ws}
		w.cond.L = &ws.mu
		ws.loop.Engine().Go(w.run)
	}
	if !ws.timed {
		ws.timed = true
		ws.loop.After(keepWorkers, ws.trim)
	}
}

// rouse wakes n idle workers, the last that became idle first, with the lock held. It returns how many there were.
func (ws *workers) rouse(n int) int {
	n = min(n, len(ws.idle))
	for range n {
		last := len(ws.idle) - 1
		w := ws.idle[last]
		ws.idle[last] = nil
		ws.idle = ws.idle[:last]
		w.wake()
	}
	ws.least = min(ws.least, len(ws.idle))
	return n
}

// run is the goroutine.
func (w *worker) run() {
	for x := w.next(); x != nil; x = w.next() {
		x.run(w)
	}
}

// next waits for a handling; nil is the end.
func (w *worker) next() *handling {
	ws := w.of
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for {
		if ws.head < len(ws.line) {
			x := ws.line[ws.head]
			ws.line[ws.head] = nil
			ws.begun++
			if ws.head++; ws.head == len(ws.line) {
				ws.line, ws.head = ws.line[:0], 0
			}
			return x
		}
		if ws.closed || w.ends {
			return nil
		}
		w.ready = false
		ws.idle = append(ws.idle, w)
		for !w.ready {
			w.block()
			if !w.ready {
				w.cond.Wait()
			}
		}
	}
}

func (w *worker) block() {
	ws := w.of
	ws.mu.Unlock()
	defer ws.mu.Lock() // also when Block does not return, since the goroutine is killed
	ws.loop.Engine().Block(func() bool {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		return w.ready
	}, w)
}

// wake is called with the lock held, and when w is not among the idle any more.
func (w *worker) wake() {
	w.ready = true
	w.cond.Signal()
	w.of.loop.Engine().Wake(w)
}

// trim ends those that nobody has needed since it was last called, which have been idle for longest.
func (ws *workers) trim() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.idle[:ws.least] {
		w.ends = true
		w.wake()
	}
	ws.idle = append(ws.idle[:0], ws.idle[ws.least:]...)
	clear(ws.idle[len(ws.idle):cap(ws.idle)])
	ws.least = len(ws.idle)
	if ws.timed = ws.least > 0; ws.timed {
		ws.loop.After(keepWorkers, ws.trim)
	}
}
