package framed

import (
	"fmt"
	"io"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
)

// Conn is a connection as its [Handler] sees it: a [rondo.Conn] that also sends frames. Like that, it belongs to its loop.
type Conn struct {
	// The connection below. What is written to it goes out between frames; that is how a body is sent behind a header. If the connection
	// was given its protocol by SetProtocol, this is nil until the first bytes come, or until ConnectionMade is called.
	*rondo.Conn

	framing frame.Framing
	handler Handler
	raw     int64 // bytes that are the handler's as they come; negative: all, until SetFraming
	seen    int   // bytes of the frame that has begun which need not be searched again
	begun   bool  // the last call has left the beginning of something
	inside  bool  // DataReceived
	changed bool  // SetRaw or SetFraming was called
	err     error // why the connection was closed here
}

// protocol is a Conn as the engine sees it.
type protocol Conn

// smallNeed is how much is asked for at the least, in bytes, when a frame is not whole.
const smallNeed = 16 << 10

// ConnectionMade implements rondo.Protocol.
func (p *protocol) ConnectionMade(c *rondo.Conn) {
	p.Conn = c
	p.handler.ConnectionMade((*Conn)(p))
}

// DataReceived implements rondo.Protocol.
func (p *protocol) DataReceived(over *rondo.Conn, data []byte) int {
	p.Conn = over // which SetProtocol does not tell
	p.inside, p.begun = true, false
	n := (*Conn)(p).receive(data)
	p.inside = false
	return n
}

// receive hands out what there is in data, and returns how much that was.
func (c *Conn) receive(data []byte) (consumed int) {
	for consumed < len(data) {
		rest := data[consumed:]
		if c.raw != 0 {
			n, more := c.receiveRaw(rest)
			consumed += n
			if more {
				c.begun = true
				return consumed
			}
		} else {
			found, n, err := c.framing.Next(rest, c.seen)
			switch {
			case err != nil:
				c.refuse(err)
				return len(data) // it is of no use to anybody
			case n > len(rest):
				c.wait(len(rest), n)
				return consumed
			}
			consumed += n
			c.seen = 0
			c.handler.FrameReceived(c, found)
		}
		if !c.Reading() {
			return consumed
		}
	}
	return consumed
}

// wait leaves the beginning of a frame of at least n bytes, of which have are there. The engine makes room for what it is asked to
// wait for, so what a peer merely promises is not asked for at once.
func (c *Conn) wait(have, n int) {
	c.seen, c.begun = have, true
	if n = min(n, max(2*have, smallNeed)); n > have+1 {
		c.Need(n)
	}
}

// receiveRaw gives the handler what is its of p. It returns how much of that the handler has consumed, and whether it wants to see more before it
// looks at the rest.
func (c *Conn) receiveRaw(p []byte) (consumed int, more bool) {
	if c.raw > 0 && int64(len(p)) > c.raw {
		p = p[:c.raw]
	}
	c.changed = false
	n := c.handler.(RawReceiver).RawReceived(c, p) //nolint:errcheck // SetRaw has asked
	if n < 0 || n > len(p) {
		panic(fmt.Sprintf("framed: RawReceived of %T returned %d for %d bytes: it must return how many of them it has consumed", c.handler, n, len(p)))
	}
	if !c.changed && c.raw > 0 {
		c.raw -= int64(n)
	}
	return n, n < len(p) && c.raw != 0 && (n == 0 || !c.changed)
}

// refuse closes the connection, because what has come is no frame.
func (c *Conn) refuse(err error) {
	if h, ok := c.handler.(Refuser); ok {
		h.FrameRefused(c, err)
	}
	c.fail(err)
}

func (c *Conn) fail(err error) {
	c.err = err
	_ = c.Close()
}

// within reports whether the peer owes the rest of something.
func (c *Conn) within() bool { return c.begun || c.raw > 0 }

// ConnectionLost implements rondo.Protocol.
func (p *protocol) ConnectionLost(_ *rondo.Conn, err error) {
	c := (*Conn)(p)
	switch {
	case c.err != nil:
		err = c.err
	case err == io.EOF && c.within(): //nolint:errorlint // documented to be bare
		err = io.ErrUnexpectedEOF
	}
	c.handler.ConnectionLost(c, err)
}

// scratch is where frames are put together, one at a time. Write has copied what it keeps before it calls anybody.
var scratch = rondo.NewLocal(func(*rondo.Loop) *[]byte { return new([]byte) })

// maxScratch is how much of it is kept, in bytes.
const maxScratch = 64 << 10

// SendFrame writes p as a frame, as [rondo.Conn.Write] writes bytes: it does not wait, and frames of one callback go out together. A
// frame that the framing refuses (*frame.LimitError, *frame.SyntaxError) is not sent; the other errors are Write's.
func (c *Conn) SendFrame(p []byte) error {
	buf := scratch.On(c.Loop())
	whole, err := c.framing.Append((*buf)[:0], p)
	if err == nil {
		_, err = c.Write(whole)
	}
	if cap(whole) <= maxScratch {
		*buf = whole
	}
	return err
}

// Framing is what frames are received and sent by.
func (c *Conn) Framing() frame.Framing { return c.framing }

// SetFraming changes what frames are received and sent by, from the next one, which begins where the present one ends, or where
// RawReceived has consumed to; SetRaw's mode is over. Who lets others consume bytes of the connection (SpliceTo, SetProtocol) and then comes back to frames must call
// it, too. It panics if f is nil.
func (c *Conn) SetFraming(f frame.Framing) {
	if f == nil {
		panic("framed: Conn.SetFraming needs a framing")
	}
	c.framing = f
	c.change(0)
}

// SetRaw has the next n bytes go to the handler's RawReceived as they come, from the end of the present frame on, or from where RawReceived has
// consumed to. Then frames go on. If n is negative there is no such end: all bytes are raw until SetFraming or SetRaw is called, and if n
// is 0, none are. SendFrame is not concerned. It panics if the handler is no [RawReceiver].
func (c *Conn) SetRaw(n int64) {
	if _, ok := c.handler.(RawReceiver); !ok {
		panic(fmt.Sprintf("framed: Conn.SetRaw needs a handler that is a RawReceiver, and %T is none", c.handler))
	}
	c.change(n)
}

// change begins anew behind what is consumed.
func (c *Conn) change(raw int64) {
	c.raw, c.seen, c.changed = raw, 0, true
	if c.inside || !c.begun {
		return
	}
	// What has been left is due again at once, and not with the next bytes.
	c.begun = false
	c.Need(0)
	if c.Reading() {
		c.PauseReading()
		c.ResumeReading()
	}
}

// Raw is how many raw bytes are still to be consumed: those that RawReceived is called with count until it has returned, so that it
// has the last of them when Raw is their number. It is 0 when the next bytes are a frame's, and negative if raw bytes have no end.
func (c *Conn) Raw() int64 { return c.raw }
