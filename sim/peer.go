package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/rondo-go/rondo"
)

// Peer is the other end of a connection whose protocol is under test. Its methods are a script's lines: each sends something, or waits
// for something, and returns when that has come to pass in virtual time; what does not come is noted by World.Errorf, with the line of the
// script. They are for the function given to [Run], and others of the world's goroutines; not for tasks and callbacks.
type Peer struct {
	w        *World
	host     *Host
	loop     *rondo.Loop
	conn     *rondo.Conn
	received buffer
	ended    bool // the other side has ended its direction
	lost     bool
	err      error
}

// patience is how long a peer waits for what it expects.
const patience = time.Hour

// Attach gives p a connection that it has dialed, on engine e, which is one of this world's. The peer is what it has reached, on a host of its own
// (peer1, peer2, ...). Attach waits until the connection stands; if it does not come to that, the run ends.
func (w *World) Attach(e *rondo.Engine, p rondo.Protocol) *Peer {
	peer := w.newPeer()
	w.attach(peer, e, ":1", p)
	return peer
}

// AttachAccepted is Attach for a protocol that was dialed: by the peer.
func (w *World) AttachAccepted(e *rondo.Engine, p rondo.Protocol) *Peer {
	peer := w.newPeer()
	host := w.hostOf(e)
	accepted := false
	ln, err := e.Listen("tcp", ":0", func() rondo.Protocol {
		accepted = true
		return p
	})
	if err != nil {
		w.Fatalf("sim: attaching a peer: %v", err)
	}
	peer.dial(peer.loop.Engine(), net.JoinHostPort(host.name, portOf(ln)), peer)
	w.Wait(func() bool { return accepted })
	_ = ln.Close()
	return peer
}

func (w *World) newPeer() *Peer {
	w.peers++
	h := w.Host(fmt.Sprintf("peer%d", w.peers))
	return &Peer{w: w, host: h, loop: h.Engine().Loop()}
}

// attach has p dial the peer, at this port of its host's.
func (w *World) attach(peer *Peer, e *rondo.Engine, at string, p rondo.Protocol) {
	w.hostOf(e)
	ln, err := peer.loop.Engine().Listen("tcp", at, func() rondo.Protocol { return peer })
	if err != nil {
		w.Fatalf("sim: attaching a peer: %v", err)
	}
	peer.dial(e, net.JoinHostPort(peer.host.name, portOf(ln)), p)
	w.Wait(func() bool { return peer.conn != nil })
	_ = ln.Close()
}

func portOf(ln *rondo.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

func (p *Peer) dial(e *rondo.Engine, to string, proto rondo.Protocol) {
	if _, err := e.Dial(background, "tcp", to, proto).Wait(background); err != nil {
		p.w.Fatalf("sim: attaching a peer: %v", err)
	}
}

// hostOf finds the host that an engine is on.
func (w *World) hostOf(e *rondo.Engine) *Host {
	for _, h := range w.hosts {
		if h.up != nil && slices.Contains(h.up.engines, e) {
			return h
		}
	}
	panic("sim: a peer is attached to an engine that is not this world's: Host.Engine and Host.New start those that are")
}

// Host is the host that the peer is on: for World.SetLink, World.Partition and the like.
func (p *Peer) Host() *Host { return p.host }

// ConnectionMade implements rondo.Protocol, as the next three do. They are for the engine.
func (p *Peer) ConnectionMade(c *rondo.Conn) { p.conn = c }

// DataReceived implements rondo.Protocol.
func (p *Peer) DataReceived(_ *rondo.Conn, b []byte) int {
	p.received.add(b)
	return len(b)
}

// EOFReceived implements rondo.EOFReceiver: the script says when the peer ends its own direction.
func (p *Peer) EOFReceived(*rondo.Conn) { p.ended = true }

// ConnectionLost implements rondo.Protocol.
func (p *Peer) ConnectionLost(_ *rondo.Conn, err error) { p.lost, p.err = true, err }

// on runs fn on the peer's loop.
func (p *Peer) on(fn func()) {
	done := false
	if p.loop.Post(func() { fn(); done = true }) {
		p.w.Wait(func() bool { return done })
	}
}

// Send sends the pieces, each when the one before has arrived and what follows from it has happened (see Settle): so that the protocol sees each as it is, if
// it has room (Config.ReadBuffer, which is 16 KiB on a host if it is zero). On a connection that has ended it sends nothing.
func (p *Peer) Send(pieces ...string) { p.SendEvery(0, pieces...) }

// SendEvery is Send with so much virtual time after each piece, over what Send takes.
func (p *Peer) SendEvery(d time.Duration, pieces ...string) {
	for _, piece := range pieces {
		p.on(func() { _, _ = p.conn.Write([]byte(piece)) })
		p.Settle()
		if d > 0 {
			p.w.Sleep(d)
		}
	}
}

// CloseWrite ends the peer's direction: the protocol receives the end of the stream, and may go on sending. It waits as Send does.
func (p *Peer) CloseWrite() {
	p.on(func() { _ = p.conn.CloseWrite() })
	p.Settle()
}

// Close closes the connection in good order, and waits as Send does.
func (p *Peer) Close() {
	p.on(func() { p.conn.Close() })
	p.Settle()
}

// Reset resets the connection, so that the protocol's next use of it fails, and waits as Send does.
func (p *Peer) Reset() {
	p.on(func() { p.conn.Abort() })
	p.Settle()
}

// PauseReading has the peer read nothing until ResumeReading is called, so that the other side can send only as much as the
// network has room for (a quarter of a megabyte), and must keep the rest.
func (p *Peer) PauseReading() { p.on(p.conn.PauseReading) }

// ResumeReading undoes PauseReading.
func (p *Peer) ResumeReading() { p.on(p.conn.ResumeReading) }

// Settle waits until what was sent has arrived and been answered, if the answer needs no time of its own: a way there and a
// way back, and half as much again, but a millisecond at the least. With a zero Config that is two milliseconds and a half.
func (p *Peer) Settle() {
	way := time.Duration(0)
	for ends, l := range p.w.links {
		if ends.a == p.host || ends.b == p.host {
			way = max(way, l.Latency+l.Jitter)
		}
	}
	p.w.Sleep(3*way + time.Millisecond)
}

// Received is what has come and no Expect has taken.
func (p *Peer) Received() string { return string(p.received.bytes[p.received.head:]) }

// Ended reports whether the other side has ended its direction, or the connection.
func (p *Peer) Ended() bool { return p.ended || p.lost }

// Err is how the connection has ended: nil if it has not, or did so in good order.
func (p *Peer) Err() error {
	if p.err == io.EOF { //nolint:errorlint // documented to be bare
		return nil
	}
	return p.err
}

// Expect takes what comes next, which is to be want. It waits for as many bytes, at most for an hour.
func (p *Peer) Expect(want string) {
	p.until(func() bool { return p.received.len() >= len(want) || p.Ended() })
	got := bytes.Clone(p.received.take(min(len(want), p.received.len())))
	if string(got) != want {
		p.errorf("the peer got %q%s, want %q", got, p.state(), want)
	}
}

// ExpectNothing lets d pass, in which nothing is to come: no bytes, and no end. What has come before must have been taken.
func (p *Peer) ExpectNothing(d time.Duration) {
	begun := p.w.now
	ended := p.Ended()
	late := false
	defer p.w.After(d, func() { late = true })()
	p.w.Wait(func() bool { return late || p.received.len() > 0 || p.Ended() != ended })
	if !late {
		p.errorf("the peer got %q%s after %v, want nothing for %v", p.Received(), p.state(), time.Duration(p.w.now-begun), d)
	}
}

// ExpectEnd waits, at most for an hour, until the other side has ended its direction or the connection, which is to be in good order and with nothing before it
// that no Expect has taken. It returns how long that took: what a timeout of the protocol's is.
func (p *Peer) ExpectEnd() time.Duration {
	begun := p.w.now
	p.until(func() bool { return p.Ended() || p.received.len() > 0 })
	if !p.Ended() || p.received.len() > 0 || p.Err() != nil {
		p.errorf("the peer got %q%s, want the end", p.Received(), p.state())
	}
	return time.Duration(p.w.now - begun)
}

// ExpectReset waits, at most for an hour, until the other side has reset the connection. It returns how long that took.
func (p *Peer) ExpectReset() time.Duration {
	begun := p.w.now
	p.until(p.Ended)
	if !errors.Is(p.err, syscall.ECONNRESET) {
		p.errorf("the peer got %q%s, want a reset", p.Received(), p.state())
	}
	return time.Duration(p.w.now - begun)
}

// until waits until done says true, but not for ever.
func (p *Peer) until(done func() bool) {
	late := false
	defer p.w.After(patience, func() { late = true })()
	p.w.Wait(func() bool { return late || done() })
}

// state says how the connection stands, as the end of a sentence about what has come.
func (p *Peer) state() string {
	switch {
	case p.Err() != nil:
		return " and the error " + p.Err().Error()
	case p.Ended():
		return " and the end"
	}
	return ""
}

// errorf is World.Errorf, with the place in the script.
func (p *Peer) errorf(format string, args ...any) {
	where := ""
	if _, file, line, ok := runtime.Caller(2); ok {
		where = fmt.Sprintf("%s:%d: ", filepath.Base(file), line)
	}
	p.w.Errorf("%ssim: %s", where, fmt.Sprintf(format, args...))
}
