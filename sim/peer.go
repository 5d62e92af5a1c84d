package sim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
)

// Peer is the other end of a connection of the program's: of a protocol under test ([World.Attach], [World.AttachAccepted]), or of a whole client or server, which
// connects to it or which it connects to ([World.ListenPeer], [World.DialPeer]). Its methods are a script's lines: each sends something, or waits
// for something, and returns when that has come to pass in virtual time; what does not come is noted by World.Errorf, with the line of the
// script. They are for the function given to [Run], and others of the world's goroutines; not for tasks and callbacks.
//
// A peer's host is spared by the faults that come by chance, as one in Faults.Spare is; its connections and links have theirs. No method waits for ever: not
// longer than the connection or the peer's host is there, nor than an hour for anything at once.
type Peer struct {
	w        *World
	host     *Host
	home     *hostWorld
	loop     *rondo.Loop
	conn     *rondo.Conn // nil: it has not come to that
	sock     *socket     // the connection's
	received buffer
	ended    bool // the other side has ended its direction
	lost     bool
	err      error
}

// patience is how long a peer waits for what it expects.
const patience = time.Hour

// Host is the host that the peer is on: for World.SetLink, World.Partition and the like.
func (p *Peer) Host() *Host { return p.host }

// ConnectionMade implements rondo.Protocol, as the next three do. They are for the engine.
func (p *Peer) ConnectionMade(c *rondo.Conn) {
	p.conn = c
	local, remote := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
	for _, s := range p.home.table {
		if s != nil && s.plan != nil && s.local == local && s.remote == remote {
			p.sock = s
		}
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if a, ok := a.(*net.TCPAddr); ok {
		return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// DataReceived implements rondo.Protocol.
func (p *Peer) DataReceived(_ *rondo.Conn, b []byte) int {
	p.received.add(b)
	return len(b)
}

// EOFReceived implements rondo.EOFReceiver: the script says when the peer ends its own direction.
func (p *Peer) EOFReceived(*rondo.Conn) { p.ended = true }

// ConnectionLost implements rondo.Protocol.
func (p *Peer) ConnectionLost(_ *rondo.Conn, err error) { p.lost, p.err = true, err }

// over reports whether the connection is no more, or has never been.
func (p *Peer) over() bool {
	if p.home.gone && !p.lost {
		p.lost, p.err = true, p.home.goneError()
	}
	return p.lost
}

// on runs fn on the peer's loop, if there is a connection.
func (p *Peer) on(fn func()) {
	if p.conn == nil || p.over() {
		return
	}
	done := false
	if p.loop.Post(func() { fn(); done = true }) {
		p.until(func() bool { return done || p.home.gone })
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
	p.until(p.over) // all is with the system
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

// Settle waits until what was sent has arrived and been read, and been answered, if the answer needs no time of its own: it lets another millisecond pass, and waits for
// what the other side has sent by then. On a link with the zero Config's latency that takes a millisecond and a half in all. It does not wait for what does not
// move, because the other side does not read, or because a script has it wait for more (see Way.Pieces); nor longer than the connection stands, nor than an hour for
// either.
func (p *Peer) Settle() {
	p.until(func() bool { return p.home.gone || !p.sock.underway(math.MaxInt64) })
	p.w.Sleep(time.Millisecond)
	if s := p.sock; s != nil && s.peer != nil {
		answered := s.peer.out.sent
		p.until(func() bool { return p.home.gone || !s.peer.underway(answered) })
	}
}

// underway reports whether anything of the first n bytes that s has sent, or the end that it has sent, has not arrived yet, or waits to be read by who reads.
func (s *socket) underway(n int64) bool {
	if s == nil || s.peer == nil || s.peer.dead || s.peer.place == 0 {
		return false
	}
	far := s.peer
	if s.dead {
		return s.told // it is a reset that is on its way
	}
	arrived := s.out.sent - int64(s.out.flying-s.out.heard)
	return arrived < min(n, s.out.sent) || s.out.fin && !far.eof || far.in.len() > 0 && far.want&poller.Read != 0
}

// Received is what has come and no Expect has taken.
func (p *Peer) Received() string { return string(p.received.bytes[p.received.head:]) }

// Ended reports whether the other side has ended its direction, or the connection.
func (p *Peer) Ended() bool { return p.ended || p.over() }

// Err is how the connection has ended: nil if it has not, or did so in good order. If it has never stood, Err is why.
func (p *Peer) Err() error {
	if p.over(); p.err == io.EOF { //nolint:errorlint // documented to be bare
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
func (p *Peer) until(done func() bool) { p.w.within(patience, done) }

func (w *World) within(d time.Duration, done func() bool) {
	late := false
	defer w.After(d, func() { late = true })()
	w.Wait(func() bool { return late || done() })
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
