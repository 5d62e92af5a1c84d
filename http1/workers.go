package http1

import (
	"net/http"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
)

// workers are the goroutines of a shard's handlers. Those that have nothing to do are kept for a while: a new goroutine begins with a small stack, which every handler would first have to grow.
type workers struct {
	loop  *rondo.Loop
	timer rondo.Timer // the loop's: until there are fewer
	timed bool        // it runs

	mu    sync.Mutex
	idle  []*worker
	least int  // how many were idle all the time since the timer was set
	over  bool // the engine no longer waits
}

// worker is one of them. It waits for its next handling, for which it keeps what an answer is made with.
type worker struct {
	header http.Header
	body   []byte
	names  []string

	of   *workers
	next *handling
	ends bool
	cond sync.Cond
}

const (
	maxIdleWorkers = 4096             // some 8 KiB each
	keepWorkers    = 10 * time.Second // those that nobody has needed meanwhile end
)

func (ws *workers) init(l *rondo.Loop) {
	ws.loop = l
	l.OnStop(func() { ws.end(maxIdleWorkers) })
}

// do has a worker run x. Only on the loop.
func (ws *workers) do(x *handling) {
	ws.mu.Lock()
	if n := len(ws.idle); n > 0 {
		w := ws.idle[n-1]
		ws.idle = ws.idle[:n-1]
		ws.least = min(ws.least, n-1)
		w.next = x
		w.wake()
		ws.mu.Unlock()
		return
	}
	ws.mu.Unlock()
	w := &worker{of: ws, next: x, header: http.Header{}}
	w.cond.L = &ws.mu
	if !ws.timed {
		ws.timed = true
		ws.timer = ws.loop.After(keepWorkers, ws.trim)
	}
	ws.loop.Engine().Go(w.run)
}

// run is the goroutine.
func (w *worker) run() {
	for x := w.next; x != nil; x = w.wait() {
		x.run(w)
	}
}

// wait is between two handlings; nil is the end.
func (w *worker) wait() *handling {
	ws := w.of
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.over || len(ws.idle) >= maxIdleWorkers {
		return nil
	}
	w.next = nil
	ws.idle = append(ws.idle, w)
	for w.next == nil && !w.ends {
		w.block()
		if w.next == nil && !w.ends {
			w.cond.Wait()
		}
	}
	return w.next
}

func (w *worker) block() {
	ws := w.of
	ws.mu.Unlock()
	defer ws.mu.Lock() // also when Block does not return, since the goroutine is killed
	ws.loop.Engine().Block(func() bool {
		ws.mu.Lock()
		defer ws.mu.Unlock()
		return w.next != nil || w.ends
	}, w)
}

// wake is called with the lock held.
func (w *worker) wake() {
	w.cond.Signal()
	w.of.loop.Engine().Wake(w)
}

// trim ends those that nobody has needed since it was last called.
func (ws *workers) trim() {
	ws.mu.Lock()
	least := ws.least
	ws.mu.Unlock()
	ws.end(least)
	ws.mu.Lock()
	ws.least = len(ws.idle)
	again := len(ws.idle) > 0
	ws.mu.Unlock()
	if ws.timed = again; again {
		ws.timer = ws.loop.After(keepWorkers, ws.trim)
	}
}

// end ends n idle ones, those that have been idle for longest.
func (ws *workers) end(n int) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.over = ws.loop.Stopping()
	n = min(n, len(ws.idle))
	for _, w := range ws.idle[:n] {
		w.ends = true
		w.wake()
	}
	ws.idle = append(ws.idle[:0], ws.idle[n:]...)
	clear(ws.idle[len(ws.idle):cap(ws.idle)])
}
