package framed

import (
	"io"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
)

// Handler is one connection's side of a conversation in frames. Its methods are called as those of a [rondo.Protocol] are: on the
// connection's loop, one at a time, ConnectionMade first and ConnectionLost last. They must not block.
type Handler interface {
	// ConnectionMade says that the connection stands.
	ConnectionMade(c *Conn)

	// FrameReceived gets a frame, without what is around it. It is valid until the call returns: copy what must be kept.
	FrameReceived(c *Conn, frame []byte)

	// ConnectionLost says that the connection has ended. The reason is that of rondo.Protocol, but for these:
	//
	//   - *frame.LimitError, *frame.SyntaxError: the peer has sent what is no frame, and the connection was closed for it;
	//   - io.ErrUnexpectedEOF: the peer has ended its direction within a frame, or before so many bytes as SetRaw was told.
	ConnectionLost(c *Conn, err error)
}

// RawReceiver is implemented by handlers that call [Conn.SetRaw].
type RawReceiver interface {
	// RawReceived gets bytes as they come, none that belong to what follows (if SetRaw was told how many there are), and returns
	// how many it has consumed, from the front, as DataReceived of a rondo.Protocol does: the others come again, in front of the next bytes, or
	// as frames if SetFraming was called. They are valid until the call returns.
	RawReceived(c *Conn, p []byte) (consumed int)
}

// EOFReceiver is implemented by handlers that keep talking after the peer has ended its direction, as [rondo.EOFReceiver] is by
// protocols. EOFReceived is called once, after the last frame; an end within a frame closes the connection instead.
type EOFReceiver interface {
	EOFReceived(c *Conn)
}

// WritePauser is implemented by handlers that send much: see [rondo.WritePauser].
type WritePauser interface {
	PauseWriting(c *Conn)
	ResumeWriting(c *Conn)
}

// Drainer is implemented by handlers that have work to finish when the engine shuts down: see [rondo.Drainer].
type Drainer interface {
	Drain(c *Conn)
}

// Refuser is implemented by handlers that have something to say to a peer whose bytes are no frame. FrameRefused is called once, before the
// connection is closed. What it sends is the last, and may not arrive if the peer goes on sending: see [rondo.Conn.Close].
type Refuser interface {
	FrameRefused(c *Conn, err error)
}

// Handle makes what [rondo.Engine.Listen] and [rondo.ListenConfig] take: for each connection a handler that make has made, of frames of
// f. Make is called on the connection's loop.
func Handle(f frame.Framing, make func() Handler) func() rondo.Protocol {
	if make == nil {
		panic("framed: Handle needs a function that makes handlers")
	}
	return func() rondo.Protocol { return New(f, make()) }
}

// New makes a protocol for one connection, of [rondo.Engine.Dial] for example, or to be given to [rondo.Conn.SetProtocol]. It panics if
// f or h is nil.
func New(f frame.Framing, h Handler) rondo.Protocol {
	if f == nil || h == nil {
		panic("framed: New needs a framing and a handler")
	}
	p := &protocol{framing: f, handler: h}
	// The engine looks at what a protocol implements; it must be what the handler does.
	_, hearsEOF := h.(EOFReceiver)
	_, hearsPause := h.(WritePauser)
	_, drains := h.(Drainer)
	switch e, w, d := (eofs{p}), (pauses{p}), (drain{p}); {
	case hearsEOF && hearsPause && drains:
		return struct {
			*protocol
			eofs
			pauses
			drain
		}{p, e, w, d}
	case hearsEOF && hearsPause:
		return struct {
			*protocol
			eofs
			pauses
		}{p, e, w}
	case hearsEOF && drains:
		return struct {
			*protocol
			eofs
			drain
		}{p, e, d}
	case hearsPause && drains:
		return struct {
			*protocol
			pauses
			drain
		}{p, w, d}
	case hearsEOF:
		return struct {
			*protocol
			eofs
		}{p, e}
	case hearsPause:
		return struct {
			*protocol
			pauses
		}{p, w}
	case drains:
		return struct {
			*protocol
			drain
		}{p, d}
	}
	return p
}

type (
	eofs   struct{ to *protocol }
	pauses struct{ to *protocol }
	drain  struct{ to *protocol }
)

// EOFReceived implements rondo.EOFReceiver.
func (x eofs) EOFReceived(*rondo.Conn) {
	c := (*Conn)(x.to)
	if c.within() {
		c.fail(io.ErrUnexpectedEOF)
		return
	}
	c.handler.(EOFReceiver).EOFReceived(c) //nolint:errcheck // New has asked
}

// PauseWriting implements rondo.WritePauser.
func (x pauses) PauseWriting(*rondo.Conn) {
	x.to.handler.(WritePauser).PauseWriting((*Conn)(x.to)) //nolint:errcheck // likewise
}

// ResumeWriting implements rondo.WritePauser.
func (x pauses) ResumeWriting(*rondo.Conn) {
	x.to.handler.(WritePauser).ResumeWriting((*Conn)(x.to)) //nolint:errcheck // likewise
}

// Drain implements rondo.Drainer.
func (x drain) Drain(*rondo.Conn) {
	x.to.handler.(Drainer).Drain((*Conn)(x.to)) //nolint:errcheck // likewise
}
