package poetry

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
)

// An AsyncServer serves all its clients at once, on the loops of an engine: a client that waits for its next piece is a
// timer and a few hundred bytes, so ten thousand of them are an ordinary load. It is the document's server with the
// document's lines; only the queue at the door is gone. Safe from any goroutine.
type AsyncServer struct {
	attendant
	listener *rondo.Listener
	shelf    shelf
}

// ListenAsync checks the options, listens, says so ("Serving poetry/ecstasy.txt on port 10000.") and serves from then on,
// until it is closed or the engine ends. A Shutdown of the engine lets the poems that are being sent go on to their
// ends, as long as its context allows; what is cut off after that is reset, so that no client takes a part for the
// whole. An error is a [UsageError], or says that the address cannot be listened on, or that Out did not take the first
// line.
//
// It reads the poem, and may look a name up: do not call it on a loop.
func ListenAsync(e *rondo.Engine, o Options) (*AsyncServer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	out := o.Out
	if out == nil {
		out = io.Discard
	}
	// A client may come before it is said that we listen. Its lines wait while the gatherer believes that it is writing.
	lines := &gatherer{engine: e, out: out, writing: true}
	s := newAsync(lines, o)
	cfg := rondo.ListenConfig{MaxConns: o.Connections}
	if o.TLS != nil {
		cfg.Wrap = secure.Config{TLS: o.TLS, HandshakeTimeout: handshakeTimeout}.Server
	}
	ln, err := cfg.Listen(e, "tcp", o.listenAddress(), s.Accept)
	if err != nil {
		return nil, fmt.Errorf("listening for poetry lovers: %w", err)
	}
	s.listener = ln
	err = newAnnouncer(out).serving(o.Source.Name, ln.Addr())
	lines.write(context.Background())
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	return s, nil
}

// NewAsync makes a server that does not listen itself: its Accept is for a listener of any kind, at any endpoint. Where that is, how many clients it lets in and how it encrypts is the listener's business: Port, Iface, Connections and
// TLS are not looked at, and no line says where it serves. The error is a [UsageError], or the poem's. It reads the poem: do not call it on a loop.
func NewAsync(e *rondo.Engine, o Options) (*AsyncServer, error) {
	o.Port, o.Iface, o.Connections, o.TLS = 0, "", 0, nil
	if err := o.Validate(); err != nil {
		return nil, err
	}
	out := o.Out
	if out == nil {
		out = io.Discard
	}
	return newAsync(&gatherer{engine: e, out: out}, o), nil
}

func newAsync(lines io.Writer, o Options) *AsyncServer {
	return &AsyncServer{attendant: attendant{o, newAnnouncer(lines), farewell}}
}

// Accept makes the protocol of a client: what [rondo.Engine.Listen] takes.
func (s *AsyncServer) Accept() rondo.Protocol { return &recital{server: s} }

// Addr returns the address it listens on, with the port it was given; nil for one of [NewAsync].
func (s *AsyncServer) Addr() net.Addr {
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Close stops listening; what it does for one of [NewAsync] is nothing. Poems that are being sent go on to their ends. The error is always nil.
func (s *AsyncServer) Close() error {
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// read reads the poem anew. It blocks.
func (s *AsyncServer) read() ([]byte, error) { return s.shelf.read(s.options.Source.Read) }
