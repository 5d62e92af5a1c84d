package poetry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second // for TLS, and for the head of an HTTP request
	writeTimeout     = time.Minute      // for one piece, so that a client that never reads does not hold the server for ever
	acceptPause      = 50 * time.Millisecond

	// How long a client is listened to that has all of its poem and does not leave. With blocking calls all others wait meanwhile.
	farewell      = 2 * time.Second
	shortFarewell = 500 * time.Millisecond
	farewellBytes = 1 << 20 // and how much it may say
)

// A BlockingServer serves one client at a time: while it sends to one, and while it waits between two pieces, every
// other client waits for its first line. It is the document's server, and slow in both senses.
type BlockingServer struct {
	attendant
	listener net.Listener
}

// An attendant serves one client at a time over a net.Conn, with calls that block. The asynchronous server has one for
// each client that speaks TLS.
type attendant struct {
	options  Options
	say      *announcer
	farewell time.Duration
}

// ListenBlocking checks the options, listens, and says so ("Serving poetry/ecstasy.txt on port 10000."). Clients can
// connect from then on, and wait until [BlockingServer.Serve] is called. An error is a [UsageError], or says that the
// address cannot be listened on, or that Out did not take this first line.
func ListenBlocking(ctx context.Context, o Options) (*BlockingServer, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", o.listenAddress())
	if err != nil {
		return nil, fmt.Errorf("listening for poetry lovers: %w", err)
	}
	s := &BlockingServer{attendant: attendant{o, newAnnouncer(o.Out), shortFarewell}, listener: listener}
	if err := s.say.serving(o.Source.Name, listener.Addr()); err != nil {
		_ = listener.Close()
		return nil, err
	}
	return s, nil
}

// NewBlocking makes a server of a listener of any kind, as package net's, or endpoint.ListenNet's. Port, Iface and Connections are not looked at, and no line says where it serves; TLS, if there is one, is spoken over what the listener has
// accepted. The error is a [UsageError], or the poem's; then the listener stays open.
func NewBlocking(ln net.Listener, o Options) (*BlockingServer, error) {
	o.Port, o.Iface, o.Connections = 0, "", 0
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &BlockingServer{attendant{o, newAnnouncer(o.Out), shortFarewell}, ln}, nil
}

// Addr returns the address it listens on, with the port it was given. Safe from any goroutine.
func (s *BlockingServer) Addr() net.Addr { return s.listener.Addr() }

// Close stops listening, and ends a Serve that waits for a client. A poem that is being sent goes on to its end. Needed
// only if Serve is never called. Safe from any goroutine.
func (s *BlockingServer) Close() error { return s.listener.Close() }

// Serve serves clients, one after the other, until ctx ends, in mid-poem if need be (the client is reset then, so that it does not take
// a part for the whole), and returns nil then and after Close. Any other error is the listener's. That accepting is paused for want of descriptors goes to [slog.Default]. Call it once; it closes the listener.
func (s *BlockingServer) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer stop()
	defer s.listener.Close()
	paused := false
	for {
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			paused = false
			s.serve(ctx, conn)
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		case isTemporary(err):
			// Out of descriptors: they come back when somebody else closes some, so this is no end.
			if !paused {
				paused = true
				slog.Warn("poetry: accepting is paused until descriptors or memory are free again", "address", s.Addr(), "error", err)
			}
			_ = s.options.sleep(ctx, acceptPause)
		default:
			return fmt.Errorf("accepting a poetry lover: %w", err)
		}
	}
}

// isTemporary asks in the way that net/http does: Temporary is deprecated for its vagueness, but for accept there is
// nothing else that is right on every system.
func isTemporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// serve gives one client its poem. Whatever goes wrong in it concerns this client alone.
func (s attendant) serve(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	// Closing is what reaches a Read or Write that is blocked when the context ends; and an end in good order would pass for the poem's.
	stop := context.AfterFunc(ctx, func() { reset(raw) })
	defer stop()
	s.say.somebody(raw.RemoteAddr())

	conn := raw
	if s.options.TLS != nil {
		secure := tls.Server(raw, s.options.TLS)
		handshakeCtx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		err := secure.HandshakeContext(handshakeCtx)
		cancel()
		if err != nil {
			s.say.trouble(raw.RemoteAddr(), err)
			return
		}
		conn = secure
	}
	poem, err := s.options.Source.Read()
	if err != nil {
		s.say.trouble(raw.RemoteAddr(), err)
		reset(raw) // an end in good order would pass for an empty poem
		return
	}
	d := newDelivery(poem, &s.options)
	if !s.readRequest(conn, d) {
		return
	}
	switch s.send(ctx, conn, d) {
	case EndClose:
		if stop() { // what is cut off from now on is no poem
			s.sayFarewell(ctx, conn, raw)
		}
	case EndStall:
		waitUntilGone(conn)
	case EndReset:
		reset(raw)
	}
}

// sayFarewell ends the outgoing direction, and hears the client out before the other one is closed: closing while there is something
// unread resets the connection, and a reset may overtake the end of the poem.
func (s attendant) sayFarewell(ctx context.Context, conn, raw net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if conn != raw {
		_ = conn.(*tls.Conn).CloseWrite() // tells the client that this was the whole poem
	}
	half, ok := raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || raw.SetReadDeadline(s.options.now().Add(s.farewell)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, raw, farewellBytes)
}

// send writes the poem at its pace. A client that has left or does not read, or a context that has ended, ends it early, by a reset.
func (s attendant) send(ctx context.Context, conn net.Conn, d *delivery) End {
	if s.write(conn, d.begin()) != nil {
		return EndReset
	}
	for {
		wire, n, wait, ok := d.next()
		if !ok {
			break
		}
		if n > 0 {
			s.say.sending(n)
		}
		if s.write(conn, wire) != nil || s.options.sleep(ctx, wait) != nil {
			return EndReset
		}
	}
	wire, end := d.finish()
	if s.write(conn, wire) != nil {
		return EndReset
	}
	return end
}

func (s attendant) write(conn net.Conn, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if err := conn.SetWriteDeadline(s.options.now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := conn.Write(p)
	return err
}

// readRequest reads until the delivery can begin, which without HTTP is at once.
func (s attendant) readRequest(conn net.Conn, d *delivery) bool {
	if d.request(nil) {
		return true
	}
	if conn.SetReadDeadline(s.options.now().Add(handshakeTimeout)) != nil {
		return false
	}
	buf := make([]byte, maxRequestBytes)
	for got := 0; ; {
		n, err := conn.Read(buf[got:])
		got += n
		if d.request(buf[:got]) {
			return conn.SetReadDeadline(time.Time{}) == nil
		}
		if err != nil {
			return false
		}
	}
}

// waitUntilGone returns when the client has left, or when the context has closed the connection.
func waitUntilGone(conn net.Conn) {
	var buf [512]byte
	for {
		if _, err := conn.Read(buf[:]); err != nil {
			return
		}
	}
}

// reset makes the kernel send RST instead of FIN, and so must go round TLS, which would say goodbye.
func reset(raw net.Conn) {
	switch conn := raw.(type) {
	case interface{ SetLinger(sec int) error }:
		_ = conn.SetLinger(0)
	case interface{ Abort() }:
		conn.Abort()
	}
	_ = raw.Close()
}
