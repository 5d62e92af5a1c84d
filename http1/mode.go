package http1

import (
	"net/http"

	"github.com/rondo-go/rondo/task"
)

// mode is where handlers run.
type mode uint8

const (
	onGoroutine mode = iota
	onLoop
	inTask
	byRoute // each where its route says
)

// marked is a handler of which it is known where it may run.
type marked struct {
	http.Handler
	mode mode
}

// NonBlocking says of h that it never waits: for no other goroutine, no disk, no network, not even a lock that is held for long. It is then called on the connection's loop, when all of the request's body is there, and
// costs no goroutine. Neither the request nor the ResponseWriter may be used after it has returned: both serve the next request. What is written is kept until it returns.
//
// It is for the handler of a [Server], and for those of a [Routed] router. Elsewhere, in a middleware or a router that is not Routed, it is h, and runs on a goroutine.
func NonBlocking(h http.Handler) http.Handler { return marked{h, onLoop} }

// Task has h run in a task on the connection's loop (package task), which [TaskOf] finds: straight-line code that costs no goroutine and needs no locks. Reading the body and writing the answer wait as a goroutine would,
// and leave the loop to others. When the client leaves, what the task awaits is cancelled. It must not wait for anything else than its task can await:
// a connection that it has hijacked, a net.Conn whose methods block, is for a goroutine that it starts.
//
// It is for the handler of a [Server], and for those of a [Routed] router. Elsewhere it is h, and TaskOf finds nothing.
func Task(h http.Handler) http.Handler { return marked{h, inTask} }

// TaskOf is the task in which a request's handler runs; nil if it is none of Task's.
func TaskOf(r *http.Request) *task.Task {
	t, _ := r.Context().Value(taskKey{}).(*task.Task)
	return t
}

// Router is a handler that says beforehand which one it would call. *http.ServeMux is one. Handler is called on the loop: it must not wait, and not change the request.
type Router interface {
	http.Handler
	Handler(r *http.Request) (h http.Handler, pattern string)
}

// Routed has each request run where the handler of its route may: on the loop if that is [NonBlocking], in a task if it is a [Task], and on a goroutine if it is any other.
//
//	mux.Handle("GET /ping", http1.NonBlocking(ping))
//	mux.HandleFunc("POST /orders", order)
//	server := http1.Server{Handler: http1.Routed(mux)}
//
// Each request is routed twice for that, first to know where and then by the router itself. The handler that is registered must be NonBlocking's or Task's own: one that is within another, a
// http.StripPrefix or a middleware, is not seen, and runs on a goroutine as that does. A router within is looked into if it is Routed too.
//
// It is for the handler of a [Server]. Elsewhere it is the router.
func Routed(r Router) http.Handler { return marked{r, byRoute} }

// route is the mode of the handler that a request would come to.
func route(router Router, r *http.Request) mode {
	for {
		h, _ := router.Handler(r)
		m, ok := h.(marked)
		if !ok {
			return onGoroutine
		}
		if m.mode != byRoute {
			return m.mode
		}
		router = m.Handler.(Router) //nolint:errcheck // Routed has been given one
	}
}
