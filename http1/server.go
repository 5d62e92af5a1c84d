package http1

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
	"github.com/rondo-go/rondo/task"
)

// Server answers HTTP/1.1 and HTTP/1.0. Handler is all that it needs; the fields have the names that they have in net/http, and are not to be changed once a connection has
// been accepted. Any goroutine may use it.
type Server struct {
	// Handler is called for each request, on a goroutine of its own while that lasts; [NonBlocking] says that it may be called on the loop. Nil means http.DefaultServeMux.
	Handler http.Handler

	// ReadHeaderTimeout is how long a request's head may take from its first byte to its last. Zero means 10 seconds; less than zero no limit. A second of grace is possible with this one and
	// those below: they are looked after once a second.
	ReadHeaderTimeout time.Duration

	// IdleTimeout is how long a connection may wait for its first request, and for its next. Zero means 2 minutes; less than zero no limit.
	IdleTimeout time.Duration

	// ReadTimeout is how long a whole request may take, its body included; WriteTimeout how long after the end of its head its answer may take to be written. Zero or less means no limit.
	ReadTimeout, WriteTimeout time.Duration

	// MaxHeaderBytes is how long a request's head may be, its first line and its empty last one included; longer ones are answered with 431. Zero means 64 KiB. It must be less than the engine's
	// MaxReadBuffer.
	MaxHeaderBytes int

	// MaxHeaderFields is how many fields it may have. Zero means 1,000.
	MaxHeaderFields int

	// MaxBufferedBody is how long a body may be that is gathered before a NonBlocking handler is called; longer ones are answered with 413. Zero means 1 MiB.
	MaxBufferedBody int

	// ErrorLog is told of panics in handlers and of what else no answer can tell. Nil means the engine's logger.
	ErrorLog *slog.Logger

	// AccessLog is told of every request when its answer is complete, at level Info. Nil means that nobody is.
	AccessLog *slog.Logger
}

const (
	defaultReadHeaderTimeout = 10 * time.Second
	defaultIdleTimeout       = 2 * time.Minute
	defaultMaxHeaderBytes    = 64 << 10
	defaultMaxBufferedBody   = 1 << 20
)

func (s *Server) handler() http.Handler {
	if s.Handler == nil {
		return http.DefaultServeMux
	}
	return s.Handler
}

func (s *Server) limits() wire.Limits {
	return wire.Limits{Head: cmp.Or(s.MaxHeaderBytes, defaultMaxHeaderBytes), Fields: s.MaxHeaderFields}
}

// limit is a timeout; 0 if there is none.
func limit(d, zero time.Duration) time.Duration { return max(0, cmp.Or(d, zero)) }

// Protocol makes the protocol of one connection: give it to Engine.Listen, or to whatever else makes connections, secure ones too.
func (s *Server) Protocol() rondo.Protocol { return &conn{server: s} }

// Serve accepts connections of ln until ln is closed or the engine shuts down.
func (s *Server) Serve(ln *rondo.Listener) error { return ln.Serve(s.Protocol) }

// ListenAndServe is the function of net/http over rondo: it starts an engine with a loop for each processor, serves addr, ":http" if that is empty, with handler, and returns only on an error.
// A program that has more to do makes an engine and a [Server] instead.
func ListenAndServe(addr string, handler http.Handler) error {
	e, err := rondo.New(rondo.Config{})
	if err != nil {
		return err
	}
	s := &Server{Handler: handler}
	if _, err := e.Listen("tcp", cmp.Or(addr, ":http"), s.Protocol); err != nil {
		return errors.Join(err, e.Close())
	}
	<-e.Done()
	return http.ErrServerClosed
}

// logger is where errors go.
func (s *shard) logger() *slog.Logger {
	if l := s.server.ErrorLog; l != nil {
		return l
	}
	return s.loop.Engine().Logger()
}

// mode is where handlers run.
type mode uint8

const (
	onGoroutine mode = iota
	onLoop
	inTask
)

// marked is a handler of which it is known where it may run.
type marked struct {
	http.Handler
	mode mode
}

// NonBlocking says of h that it never waits: for no other goroutine, no disk, no network, not even a lock that is held for long. It is then called on the connection's loop, when all of the request's body is there, and
// costs no goroutine. Neither the request nor the ResponseWriter may be used after it has returned: both serve the next request. What is written is kept until it returns.
//
// It is for the handler of a [Server]. Elsewhere it is h.
func NonBlocking(h http.Handler) http.Handler { return marked{h, onLoop} }

// Task has h run in a task on the connection's loop (package task), which [TaskOf] finds: straight-line code that costs no goroutine and needs no locks. Reading the body and writing the answer wait as a goroutine would,
// and leave the loop to others. When the client leaves, what the task awaits is cancelled. It must not wait for anything else than its task can await.
//
// It is for the handler of a [Server]. Elsewhere it is h, and TaskOf finds nothing.
func Task(h http.Handler) http.Handler { return marked{h, inTask} }

// TaskOf is the task in which a request's handler runs; nil if it is none of Task's.
func TaskOf(r *http.Request) *task.Task {
	t, _ := r.Context().Value(taskKey{}).(*task.Task)
	return t
}

// shard is a server's part on one loop.
type shard struct {
	server  *Server
	loop    *rondo.Loop
	handler http.Handler
	mode    mode
	kits    []*worker // what tasks make answers with
	limits  wire.Limits
	head    *wire.Request // of the request that is being parsed
	host    string        // the last one
	clock   clock
	wheel   wheel
	free    []*inline // for the next requests
	workers workers
	buffers [][]byte // for answers, likewise

	idle, header, read, write time.Duration
}

// shards are those of a loop.
var shards = rondo.NewLocal(func(*rondo.Loop) *map[*Server]*shard { return &map[*Server]*shard{} })

func (s *Server) shard(l *rondo.Loop) *shard {
	all := *shards.On(l)
	if h := all[s]; h != nil {
		return h
	}
	h := &shard{
		server: s, loop: l, handler: s.handler(), limits: s.limits(), head: new(wire.Request),
		idle: limit(s.IdleTimeout, defaultIdleTimeout), header: limit(s.ReadHeaderTimeout, defaultReadHeaderTimeout),
		read: limit(s.ReadTimeout, 0), write: limit(s.WriteTimeout, 0),
	}
	if m, ok := h.handler.(marked); ok {
		h.handler, h.mode = m.Handler, m.mode
	}
	h.clock.loop = l
	h.wheel.init(l)
	h.workers.init(l)
	all[s] = h
	return h
}

// buffer is one for an answer; putBuffer gives it back. A handler's goroutine has it in between.
func (s *shard) buffer() []byte {
	if n := len(s.buffers); n > 0 {
		p := s.buffers[n-1]
		s.buffers = s.buffers[:n-1]
		return p
	}
	return make([]byte, 0, newBuffer)
}

func (s *shard) putBuffer(p []byte) {
	if len(s.buffers) < maxBuffers && cap(p) <= maxKept {
		s.buffers = append(s.buffers, p[:0])
	}
}

const (
	newBuffer  = 512
	maxBuffers = 64
)
