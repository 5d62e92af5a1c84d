package sim

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/rondo-go/rondo"
)

// Peer is the other end of a connection whose protocol is under test: it says what a script has it say, in pieces that the protocol sees
// as such, and keeps what it hears. Its methods are for the world's goroutines.
type Peer struct {
	w        *World
	name     string
	loop     *rondo.Loop
	conn     *rondo.Conn
	received buffer
	total    int
	ended    bool // the other side has ended its direction
	lost     bool
	err      error
}

// Attach gives p a connection on engine e, which is one of this world's, and returns the peer at its other end, a host of its own. It waits until the connection stands.
func (w *World) Attach(e *rondo.Engine, p rondo.Protocol) *Peer {
	w.peers++
	peer := &Peer{w: w, name: fmt.Sprintf("peer%d", w.peers)}
	h := w.Host(peer.name)
	engine := h.Engine()
	peer.loop = engine.Loop()
	if _, err := engine.Listen("tcp", ":1", func() rondo.Protocol { return peer }); err != nil {
		w.Fatalf("sim: attaching a peer: %v", err)
	}
	if _, err := e.Dial(background, "tcp", peer.name+":1", p).Wait(background); err != nil {
		w.Fatalf("sim: attaching a peer: %v", err)
	}
	w.Wait(func() bool { return peer.conn != nil })
	return peer
}

// ConnectionMade implements rondo.Protocol.
func (p *Peer) ConnectionMade(c *rondo.Conn) { p.conn = c }

// DataReceived implements rondo.Protocol.
func (p *Peer) DataReceived(_ *rondo.Conn, b []byte) int {
	p.received.add(b)
	p.total += len(b)
	return len(b)
}

// EOFReceived implements rondo.EOFReceiver: the script says when the peer ends its own direction.
func (p *Peer) EOFReceived(*rondo.Conn) { p.ended = true }

// ConnectionLost implements rondo.Protocol.
func (p *Peer) ConnectionLost(_ *rondo.Conn, err error) { p.lost, p.err = true, err }

// on runs fn on the peer's loop.
func (p *Peer) on(fn func()) {
	done := false
	if !p.loop.Post(func() { fn(); done = true }) {
		return
	}
	p.w.Wait(func() bool { return done })
}

// Send sends one piece, and waits until it has arrived, and all that follows from that has happened.
func (p *Peer) Send(piece []byte) {
	p.on(func() { _, _ = p.conn.Write(piece) })
	p.Settle()
}

// CloseWrite ends the peer's direction, and waits as Send does.
func (p *Peer) CloseWrite() {
	p.on(func() { _ = p.conn.CloseWrite() })
	p.Settle()
}

// Reset resets the connection, and waits as Send does.
func (p *Peer) Reset() {
	p.on(func() { p.conn.Abort() })
	p.Settle()
}

// PauseReading has the peer read nothing until ResumeReading is called, so that the other side can send only so much.
func (p *Peer) PauseReading() { p.on(p.conn.PauseReading) }

// ResumeReading undoes PauseReading.
func (p *Peer) ResumeReading() { p.on(p.conn.ResumeReading) }

// Settle waits a moment of virtual time: a second, which is more than anything takes that needs no waiting.
func (p *Peer) Settle() { p.w.Sleep(time.Second) }

// Received is what has come and was not taken by Expect.
func (p *Peer) Received() []byte {
	return bytes.Clone(p.received.bytes[p.received.head:])
}

// Ended reports whether the other side has ended its direction, or the connection.
func (p *Peer) Ended() bool { return p.ended || p.lost }

// Err is how the connection has ended: nil if it has not or did so in good order.
func (p *Peer) Err() error {
	if p.err == io.EOF { //nolint:errorlint // documented to be bare
		return nil
	}
	return p.err
}

// Expect takes what comes next, and says so by World.Errorf if it is not that. It waits for as many bytes, at most for an hour of virtual time.
func (p *Peer) Expect(want []byte) {
	late := false
	stop := p.w.After(time.Hour, func() { late = true })
	defer stop()
	p.w.Wait(func() bool { return late || p.received.len() >= len(want) || p.Ended() })
	got := p.received.take(min(len(want), p.received.len()))
	if !bytes.Equal(got, want) {
		p.w.Errorf("sim: the peer got %q in place of %q", got, want)
	}
}
