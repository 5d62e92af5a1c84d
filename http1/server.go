package http1

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
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

	// ReadTimeout is how long a request's body may take from the end of its head; if ReadHeaderTimeout is zero and this is less than 10 seconds, it holds for the head too. When it has passed, reading the
	// body fails with os.ErrDeadlineExceeded, and the answer is the connection's last. WriteTimeout is how long the handler may take from there, and then, again, the client for what is not sent
	// yet; then the connection is reset. Zero or less means no limit. What is left of a body when its handler has returned gets no longer than a head.
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

// shard is a server's part on one loop.
type shard struct {
	server   *Server
	standard *http.Server // what handlers find under http.ServerContextKey: it says what Server does, and does nothing
	loop     *rondo.Loop
	handler  http.Handler
	mode     mode
	router   Router    // if mode is byRoute
	kits     []*worker // what tasks make answers with
	limits   wire.Limits
	head     *wire.Request // of the request that is being parsed
	host     string        // the last one
	clock    clock
	wheel    wheel
	free     []*inline // for the next requests
	workers  workers
	buffers  [][]byte // for answers, likewise

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
		h.router, _ = m.Handler.(Router)
	}
	if s.ReadHeaderTimeout == 0 && h.read > 0 {
		h.header = min(h.header, h.read)
	}
	h.standard = &http.Server{
		Handler: h.handler, ReadHeaderTimeout: h.header, ReadTimeout: h.read, WriteTimeout: h.write, IdleTimeout: h.idle, MaxHeaderBytes: h.limits.Head,
	}
	h.clock.loop = l
	h.wheel.init(l)
	h.workers.init(l)
	l.OnStop(h.stop)
	all[s] = h
	return h
}

// stop tells handlers that their connections have ended. ConnectionLost would do so, but at the end of the turn, in which tasks have been told already not to wait for anything any more.
func (s *shard) stop() {
	for i := range s.wheel.lists {
		list := &s.wheel.lists[i]
		for c := list.next; c != list; c = c.next {
			if x, ok := c.x.(*handling); ok {
				x.lost(rondo.ErrEngineClosed)
			}
		}
	}
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
