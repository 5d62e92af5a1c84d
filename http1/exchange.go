package http1

import (
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

var errClientGone = errors.New("http1: the client has ended its direction of the connection")

// exchange is a request that is under way, and its answer. There are two kinds: inline is of a NonBlocking handler, handling of all others. Its methods are called on the loop.
type exchange interface {
	// received is given what follows the head, and returns how much of it belongs to the body and was taken.
	received(c *rondo.Conn, p []byte) int
	// receives reports whether it takes any more.
	receives() bool
	// pause says that the peer does not read the answer, or does again.
	pause(on bool)
	// ended says that nothing more comes from the client.
	ended(err error)
	// lost says that the connection is gone.
	lost(err error)
	// drain says that it is the connection's last.
	drain()
	// timeOut says that ReadTimeout or WriteTimeout has passed.
	timeOut(c *rondo.Conn)
}

// start begins the exchange of a head, which is the first n bytes of p.
func (h *conn) start(c *rondo.Conn, r *wire.Request, p []byte) {
	if string(r.Target) == "*" && string(r.Method) == http.MethodOptions && r.Body == (wire.Framing{}) { // a ping, in the words of RFC 9110, section 9.3.7
		out := wire.AppendStatusLine(h.shard.buffer(), r.Minor, http.StatusOK)
		out = append(out, h.shard.clock.field(h.shard.clock.elapsed())...)
		out = append(out, "Content-Length: 0\r\n\r\n"...)
		_, _ = c.Write(out) // what fails ends the connection
		h.shard.putBuffer(out)
		h.done(c, true, !r.Close)
		return
	}
	switch mode := h.shard.mode; mode {
	case onLoop, byRoute:
		h.startInline(c, r, p)
	default:
		h.startHandling(c, r, p, mode)
	}
}

// frame tells where a body ends.
type frame struct {
	left   int64 // bytes of a body of known length
	chunks *wire.Chunks
}

func (f *frame) begin(b wire.Framing) {
	f.left = max(0, b.Length)
	f.chunks = nil
	if b.Chunked {
		f.chunks = new(wire.Chunks)
	}
}

func (f *frame) done() bool {
	if f.chunks != nil {
		return f.chunks.Done()
	}
	return f.left == 0
}

// next is the first piece of the body in p, and how many bytes it and what is around it take. 0 of them say that more is needed.
func (f *frame) next(p []byte) (data []byte, n int, err error) {
	if f.chunks != nil {
		return f.chunks.Next(p)
	}
	n = int(min(int64(len(p)), f.left))
	f.left -= int64(n)
	return p[:n], n, nil
}

// trailer is what came behind the body.
func (f *frame) trailer() http.Header {
	if f.chunks == nil || len(f.chunks.Trailers()) == 0 {
		return nil
	}
	h := http.Header{}
	for _, t := range f.chunks.Trailers() {
		h.Add(string(t.Name), string(t.Value))
	}
	return h
}

// call calls the handler. It reports false if that has panicked, which is told to the log unless it is http.ErrAbortHandler.
func (s *shard) call(w http.ResponseWriter, r *http.Request, remote string) (ok bool) {
	defer func() {
		if ok {
			return
		}
		v := recover()
		if v == nil { // runtime.Goexit, as t.FailNow calls it, or a task that is no longer waited for
			return
		}
		if err, is := v.(error); is && err == http.ErrAbortHandler { //nolint:errorlint // as net/http has it
			return
		}
		s.logger().Error("http1: a handler did not return", "peer", remote, "error", &rondo.PanicError{Value: v, Stack: debug.Stack()})
	}()
	s.handler.ServeHTTP(w, r)
	return true
}

// log tells the access log of an answer.
func (s *shard) log(r *http.Request, w *response, began time.Duration) {
	if l := s.server.AccessLog; l != nil {
		l.Info("request", "peer", r.RemoteAddr, "method", r.Method, "target", r.RequestURI, "proto", r.Proto, "status", w.status, "bytes", w.written,
			"took", s.loop.Elapsed()-began)
	}
}
