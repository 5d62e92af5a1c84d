package rondo

import (
	"cmp"
	"errors"
	"net"
	"time"
)

// ErrSessionIdle is what Lost of a session gets that was idle for too long, or has made room for another.
var ErrSessionIdle = errors.New("rondo: the session was idle")

// SessionProtocol is what hears of one peer of a datagram socket: see [PacketSessions]. Its methods are called on the socket's loop, one at a time,
// and must not block. One that panics ends its session, and no other.
//
// Made comes first and once, Lost last and once, always.
type SessionProtocol interface {
	// Made says that the peer has sent its first datagram, which PacketReceived gets next.
	Made(s *PacketSession)

	// PacketReceived gets each datagram of the peer's. Its data is the loop's, valid until the call returns.
	PacketReceived(s *PacketSession, p Packet)

	// Lost says that the session has ended: nil if it was closed here, ErrSessionIdle, a *PanicError; or what the socket's protocol is told when that is
	// closed, ErrClosed in place of nil. The peer is not told: UDP has no such thing.
	Lost(s *PacketSession, err error)
}

// PacketSessions is a PacketProtocol that has a session for each peer: for protocols that keep state for each, as DTLS, QUIC and servers of
// games do. Set its fields before it is given to ListenPacket; with PacketConfig.ReusePort, each socket needs one of its own. It must not be copied.
//
// A sender's address proves nothing: anybody can send in anybody's name. Sessions that stand are therefore not given up for strangers, but when they have been idle for
// EvictAfter; and before much is kept or sent for a peer, the protocol should have it show that it receives what is sent to it (RFC 9000, section 8; RFC 9147, section 5.1).
type PacketSessions struct {
	// New makes the protocol of a peer's session, at its first datagram. If it returns nil the datagram is dropped, and the next one asks again.
	New func(c *PacketConn, first Packet) SessionProtocol

	// IdleTimeout is how long a session stays of whose peer nothing comes. Zero means one minute; less than zero means for ever.
	IdleTimeout time.Duration

	// MaxSessions is how many there can be. Zero means 65,536. When there are as many, the one that has been idle longest makes room for the next, if that is at
	// least EvictAfter; else the newcomer's datagram is dropped, and counted.
	MaxSessions int

	// EvictAfter is how long a session is idle before it may have to make room. Zero means ten seconds, or half of IdleTimeout if that is less; less than zero means that none
	// ever has to.
	EvictAfter time.Duration

	conn     *PacketConn
	sessions map[PacketAddr]*PacketSession
	ring     PacketSession // the head of a ring of them: behind it the one that has been idle longest comes first, and the one heard last is before it
	timer    Timer
	refused  uint64
	draining bool
}

const (
	defaultIdleTimeout = time.Minute
	defaultMaxSessions = 1 << 16
	defaultEvictAfter  = 10 * time.Second
)

// PacketSession is one peer of a datagram socket. Only code that runs on its loop may use it.
type PacketSession struct {
	of    *PacketSessions
	proto SessionProtocol
	peer  PacketAddr
	heard int64 // when the peer has sent something
	ended bool

	later, earlier *PacketSession
}

// Opened implements PacketProtocol, as those below do; they are for the engine.
func (ps *PacketSessions) Opened(c *PacketConn) {
	if ps.New == nil {
		panic("rondo: PacketSessions needs New")
	}
	if ps.conn != nil {
		panic("rondo: a PacketSessions serves one socket: give each its own")
	}
	ps.conn = c
	ps.IdleTimeout = cmp.Or(ps.IdleTimeout, defaultIdleTimeout)
	ps.MaxSessions = cmp.Or(ps.MaxSessions, defaultMaxSessions)
	if ps.EvictAfter == 0 {
		if ps.EvictAfter = defaultEvictAfter; ps.IdleTimeout > 0 {
			ps.EvictAfter = min(ps.EvictAfter, ps.IdleTimeout/2)
		}
	}
	ps.sessions = map[PacketAddr]*PacketSession{}
	ps.ring.later, ps.ring.earlier = &ps.ring, &ps.ring
}

// PacketReceived finds the datagram's session.
func (ps *PacketSessions) PacketReceived(c *PacketConn, p Packet) {
	now := c.loop.poller.Now()
	s := ps.sessions[p.From]
	if s == nil {
		if s = ps.admit(c, p, now); s == nil {
			return
		}
		if s.guard(func() { s.proto.Made(s) }); s.ended {
			return
		}
	} else {
		s.heard = now
		s.unlink()
		s.link()
	}
	s.guard(func() { s.proto.PacketReceived(s, p) })
}

// admit makes a session for a newcomer, or finds that there can be none.
func (ps *PacketSessions) admit(c *PacketConn, p Packet, now int64) *PacketSession {
	if ps.draining || !p.From.IsValid() { // a Unix socket without a name is not told from others
		ps.refused++
		return nil
	}
	if len(ps.sessions) >= ps.MaxSessions {
		idle := ps.ring.later // the ring's end
		if ps.EvictAfter < 0 || idle == &ps.ring || now-idle.heard < int64(ps.EvictAfter) {
			ps.refused++
			return nil
		}
	}
	var proto SessionProtocol
	c.loop.apart(func() { proto = ps.New(c, p) }, nil) // one that panics has made no session, and is nobody else's business
	if proto == nil {
		return nil
	}
	if len(ps.sessions) >= ps.MaxSessions { // only now: a stranger that New refuses costs nobody anything
		ps.ring.later.end(ErrSessionIdle)
	}
	s := &PacketSession{of: ps, proto: proto, peer: p.From, heard: now}
	s.link()
	ps.sessions[p.From] = s
	if len(ps.sessions) == 1 {
		ps.expect(ps.IdleTimeout)
	}
	return s
}

// expect has the sessions looked at that are idle, after that time. There is one timer for all.
func (ps *PacketSessions) expect(d time.Duration) {
	if ps.IdleTimeout > 0 && !ps.timer.Pending() {
		ps.timer = ps.conn.loop.After(d, ps.expire)
	}
}

func (ps *PacketSessions) expire() {
	c := ps.conn
	c.call(func() {
		for len(ps.sessions) > 0 {
			s := ps.ring.later
			if left := ps.IdleTimeout - time.Duration(c.loop.poller.Now()-s.heard); left > 0 {
				ps.expect(left)
				return
			}
			s.end(ErrSessionIdle)
		}
	})
}

// ErrorReceived tells the session whose datagram it is about.
func (ps *PacketSessions) ErrorReceived(_ *PacketConn, err error) {
	var to PacketAddr
	if e, ok := errors.AsType[*net.OpError](err); ok {
		to = PacketAddrOf(e.Addr)
	}
	s := ps.sessions[to]
	if s == nil {
		return
	}
	if r, ok := s.proto.(SessionErrorReceiver); ok {
		s.guard(func() { r.ErrorReceived(s, err) })
	}
}

// Closed ends all sessions.
func (ps *PacketSessions) Closed(_ *PacketConn, err error) {
	ps.timer.Stop()
	if err == nil {
		err = ErrClosed
	}
	for _, s := range ps.all() {
		s.end(err)
	}
}

// Drain has the sessions drain that can, and ends the others. The socket is closed with the last.
func (ps *PacketSessions) Drain(c *PacketConn) {
	ps.draining = true
	for _, s := range ps.all() {
		if d, ok := s.proto.(SessionDrainer); ok {
			s.guard(func() { d.Drain(s) })
		} else {
			s.end(nil)
		}
	}
	if len(ps.sessions) == 0 {
		_ = c.Close()
	}
}

// all are the sessions, from the one that has been idle longest.
func (ps *PacketSessions) all() []*PacketSession {
	all := make([]*PacketSession, 0, len(ps.sessions))
	for s := ps.ring.later; s != nil && s != &ps.ring; s = s.later {
		all = append(all, s)
	}
	return all
}

// Len is how many sessions there are. Only on the socket's loop.
func (ps *PacketSessions) Len() int { return len(ps.sessions) }

// Refused is how many datagrams were dropped because there was no room for another session, the sender has no name to tell it by, or the engine
// shuts down. Only on the socket's loop.
func (ps *PacketSessions) Refused() uint64 { return ps.refused }

// SessionErrorReceiver is implemented by sessions that want to know what the network says of datagrams sent to their peer: see [PacketErrorReceiver].
type SessionErrorReceiver interface {
	ErrorReceived(s *PacketSession, err error)
}

// SessionDrainer is implemented by sessions that have work to finish when the engine shuts down: see [PacketDrainer]. The session then closes itself. One
// without it is closed.
type SessionDrainer interface {
	Drain(s *PacketSession)
}

// guard calls a method of the session's protocol, whose panic is no other session's business.
func (s *PacketSession) guard(callback func()) { s.of.conn.loop.apart(callback, s.end) }

// end takes the session out of the table, and has its protocol told.
func (s *PacketSession) end(reason error) {
	if s.ended {
		return
	}
	s.ended = true
	ps := s.of
	delete(ps.sessions, s.peer)
	s.unlink()
	l := ps.conn.loop
	// It is not told from within a call that it makes itself.
	l.queue = append(l.queue, runFunc(func() {
		ps.conn.call(func() {
			s.guard(func() { s.proto.Lost(s, reason) })
			if ps.draining && len(ps.sessions) == 0 {
				_ = ps.conn.Close()
			}
		})
	}))
}

func (s *PacketSession) unlink() {
	s.later.earlier, s.earlier.later = s.earlier, s.later
}

// link makes s the one that was heard last.
func (s *PacketSession) link() {
	head := &s.of.ring
	s.later, s.earlier = head, head.earlier
	head.earlier.later, head.earlier = s, s
}

func (s *PacketSession) own(called string) { s.of.conn.own(called, "PacketHandle.Do") }

// Conn is the socket that the session shares.
func (s *PacketSession) Conn() *PacketConn { return s.of.conn }

// Loop is the loop that the session belongs to. Any goroutine may call it.
func (s *PacketSession) Loop() *Loop { return s.of.conn.loop }

// RemoteAddr is the peer's address. Any goroutine may call it.
func (s *PacketSession) RemoteAddr() PacketAddr { return s.peer }

// Write sends a datagram to the peer: see [PacketConn.WriteTo]. After the session's end it returns ErrClosed.
func (s *PacketSession) Write(p []byte) error {
	s.own("PacketSession.Write")
	if s.ended {
		return ErrClosed
	}
	return s.of.conn.WriteTo(p, s.peer)
}

// Idle is for how long nothing has come from the peer.
func (s *PacketSession) Idle() time.Duration {
	s.own("PacketSession.Idle")
	return time.Duration(s.of.conn.loop.poller.Now() - s.heard)
}

// Close ends the session. What it has written is sent. A datagram that comes from the peer later begins another. Lost is called later, not from within Close.
// Closing again does nothing; the error is always nil.
func (s *PacketSession) Close() error {
	s.own("PacketSession.Close")
	s.end(nil)
	return nil
}
