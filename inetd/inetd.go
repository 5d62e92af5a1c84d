// Package inetd has the small services that inetd(8) has always had built in: echo, discard, chargen, daytime and time. They are as small as servers can be, and good for trying things:
// a load that answers, one that swallows everything, one that never ends, and two that say what time it is.
//
// Each function makes what [rondo.Engine.Listen] takes, or, for datagrams, [rondo.Engine.ListenPacket]; wrap it in secure.Config.Server for TLS. None should be open to the internet: chargen and echo give much for little, and two of
// them that are made to talk to each other do so for ever.
package inetd

import (
	"encoding/binary"
	"time"

	"github.com/rondo-go/rondo"
)

// Echo sends back what comes (RFC 862), and reads no more from a peer that does not read its answers.
func Echo() rondo.Protocol { return echo{} }

type echo struct{}

func (echo) ConnectionMade(*rondo.Conn)        {}
func (echo) ConnectionLost(*rondo.Conn, error) {}
func (echo) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p) // an error ends the connection, or it has ended
	return len(p)
}
func (echo) PauseWriting(c *rondo.Conn)  { c.PauseReading() }
func (echo) ResumeWriting(c *rondo.Conn) { c.ResumeReading() }

// Discard throws away what comes (RFC 863), until the peer closes.
func Discard() rondo.Protocol { return discard{} }

type discard struct{}

func (discard) ConnectionMade(*rondo.Conn)               {}
func (discard) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (discard) ConnectionLost(_ *rondo.Conn, _ error)    {}

// Chargen sends lines of characters without end, and throws away what comes (RFC 864). Each line has 72 of the 95 printable ones, space first, and begins with the one after that with which
// the line before began. It sends as fast as the peer reads, and buffers no more than the connection's high water mark.
func Chargen() rondo.Protocol { return new(chargen) }

const (
	firstChar  = ' '
	chars      = '~' - ' ' + 1
	lineLength = 72
	atOnce     = 16 << 10 // bytes in a turn of the loop, so that others have theirs
)

type chargen struct {
	line   int // the next
	paused bool
	again  bool // it is deferred
}

// AppendLine appends chargen's line of that number, with its end.
func AppendLine(p []byte, line int) []byte {
	for i := range lineLength {
		p = append(p, byte(firstChar+(line+i)%chars))
	}
	return append(p, "\r\n"...)
}

func (g *chargen) ConnectionMade(c *rondo.Conn) { g.send(c) }

func (g *chargen) send(c *rondo.Conn) {
	var p []byte
	for len(p) < atOnce {
		p = AppendLine(p, g.line)
		g.line = (g.line + 1) % chars
	}
	if _, err := c.Write(p); err != nil || g.again {
		return
	}
	g.again = c.Handle().Do(func(c *rondo.Conn) {
		if g.again = false; !g.paused {
			g.send(c)
		}
	})
}

func (*chargen) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (g *chargen) PauseWriting(*rondo.Conn)               { g.paused = true }
func (g *chargen) ResumeWriting(c *rondo.Conn)            { g.paused = false; g.send(c) }
func (*chargen) ConnectionLost(*rondo.Conn, error)        {}

// Daytime says what day and time it is, as a line for people, and closes (RFC 867), in the zone of the clock.
func Daytime() rondo.Protocol {
	return saying(func(now time.Time) []byte { return []byte(FormatDaytime(now)) })
}

// FormatDaytime is daytime's line, in the form that RFC 867 calls popular: "Tuesday, February 22, 1982 17:37:43-PST", and its end.
func FormatDaytime(now time.Time) string {
	return now.Format("Monday, January 2, 2006 15:04:05-MST") + "\r\n"
}

// Time says what time it is as four bytes, and closes (RFC 868): see [AppendTime].
func Time() rondo.Protocol {
	return saying(func(now time.Time) []byte { return AppendTime(nil, now) })
}

// epoch is the beginning of the year 1900, in seconds of Unix.
const epoch = -2208988800

// AppendTime appends the seconds since the beginning of the year 1900, in UTC, as four bytes, the most significant first. They begin anew on 7 February 2036.
func AppendTime(p []byte, now time.Time) []byte {
	return binary.BigEndian.AppendUint32(p, uint32(now.Unix()-epoch)) //nolint:gosec // it wraps around, as the RFC has it
}

// saying says one thing, and closes.
type saying func(now time.Time) []byte

func (s saying) ConnectionMade(c *rondo.Conn) {
	_, _ = c.Write(s(c.Loop().Now()))
	_ = c.CloseLingering(0, 0) // a peer that says something must not lose the answer for it
}

func (saying) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (saying) ConnectionLost(*rondo.Conn, error)        {}
