package rondo

import (
	"cmp"
	"errors"
	"io"
	"os"
	"time"
)

// linger is what Conn.SetLinger was given; the zero linger is the default.
type linger struct {
	on    bool
	after time.Duration
}

// SetLinger says what becomes of bytes that were written and not sent when the connection is closed, as the method of net.TCPConn does. Less than zero, the default: they are
// sent, as long as the peer goes on reading (Config.CloseTimeout). Zero: they are dropped at once, those that the kernel has too, and the peer is reset; so it is also when the
// peer's end of file closes the connection. More: they are given so many seconds in all to be taken by the kernel, and then dropped with a reset. What the kernel has taken by
// then it sends by itself. (SO_LINGER is not set for that: close would block the loop.) It does nothing for a Unix socket or a file.
func (c *Conn) SetLinger(sec int) error {
	c.own("Conn.SetLinger", "Handle.Do")
	return c.option(func() error {
		c.setRare().linger = linger{sec >= 0, time.Duration(max(sec, 0)) * time.Second}
		return nil
	})
}

// linger is what SetLinger has said.
func (c *Conn) linger() linger {
	if x := c.extra; x != nil && x.rare != nil {
		return x.rare.linger
	}
	return linger{}
}

// CloseLingering is a Close that does not lose what was written last (RFC 9112, section 9.6: what a server of HTTP does that answers before it has read all of a request).
// If the peer sends bytes that nobody reads, TCP answers with a reset, and a peer that has not read the last of what was written may never get it. So this ends the outgoing
// direction only, as CloseWrite does, and then reads and drops what comes, until the peer ends its direction too, limit bytes have come, or, from when the peer's side
// has acknowledged all, timeout has passed, and no more than a quarter of it beside. Then it closes. Zero means 5 seconds, and 8 MiB. A peer that does not read is given Config.CloseTimeout.
//
// The protocol is called once more, with ConnectionLost: nil if all was well, whether or not the peer has answered in time. Until then [Conn.Protocol] is another. With a layer it is the
// layer that tells the peer: TLS sends its close_notify. When the engine shuts down, it waits for it. On a connection whose peer has ended already or whose layer is held back ([Conn.HoldLayer]), and on a file, it is Close. The
// error is always nil.
func (c *Conn) CloseLingering(timeout time.Duration, limit int) error {
	c.own("Conn.CloseLingering", "Handle.Do")
	if c.flags&(isEnded|isClosing) != 0 {
		return nil
	}
	if c.flags&(hasEOF|isFile) != 0 || c.linger().on && c.linger().after == 0 || c.holds() {
		return c.Close()
	}
	if c.flags&isSource != 0 {
		c.extra.rare.splices.from.end(ErrClosed)
	}
	l := &lingering{proto: c.proto, tick: max(orDefault(timeout, lingerTimeout)/lingerTicks, 1), left: cmp.Or(limit, drainBudget)}
	c.SetProtocol(l)
	_ = c.CloseWrite()
	c.ResumeReading()
	l.wait(c)
	return nil
}

const (
	lingerTimeout = 5 * time.Second // that of nginx
	lingerTicks   = 4               // in a timeout
)

// lingering is the protocol of a connection that is closed by CloseLingering.
type lingering struct {
	proto   Protocol // whose ConnectionLost is to be called
	left    int      // bytes that may still come
	tick    time.Duration
	quiet   int           // ticks since the peer's side has everything
	stalled time.Duration // since it has taken something
	timer   Timer
}

// wait looks every tick how far the peer is. No event tells.
func (l *lingering) wait(c *Conn) {
	before, done := c.unread(), c.allTaken()
	l.timer = c.loop.After(l.tick, func() {
		switch now := c.unread(); {
		case c.allTaken():
			if done {
				l.quiet++
			}
		case now < before || c.writeWaits():
			l.stalled = 0
		default:
			l.stalled += l.tick
		}
		switch {
		case l.quiet >= lingerTicks:
			_ = c.Close()
		case l.stalled >= c.loop.engine.config.CloseTimeout:
			c.end(c.opError("close", os.ErrDeadlineExceeded), true)
		default:
			l.wait(c)
		}
	})
}

// allTaken reports whether the peer's side has all that was written. (unread, which counts files as they are sent, tells progress only.)
func (c *Conn) allTaken() bool {
	return c.Buffered() == 0 && !c.sendsFiles() && c.loop.poller.Unsent(int(c.fd)) == 0
}

func (l *lingering) ConnectionMade(*Conn) {}

func (l *lingering) DataReceived(c *Conn, p []byte) int {
	if l.left -= len(p); l.left <= 0 {
		_ = c.Close()
	}
	return len(p)
}

func (l *lingering) EOFReceived(c *Conn) { _ = c.Close() }

// Drain implements Drainer: it is as good as drained.
func (l *lingering) Drain(*Conn) {}

func (l *lingering) ConnectionLost(c *Conn, err error) {
	l.timer.Stop()
	if errors.Is(err, io.ErrUnexpectedEOF) { // of a layer: the peer has left without a word of its own, and nothing more of it was wanted
		err = nil
	}
	c.proto = l.proto
	l.proto.ConnectionLost(c, err)
}
