package rondo

import (
	"fmt"
	"io"
	"syscall"
)

// input is what a protocol has not consumed.
type input struct {
	data []byte
	need int // do not deliver before so many are here
}

// minRead is the room that a read into a connection's own buffer must have.
const minRead = 4 << 10

// readable reads once. What does not fit waits for the next turn, since readiness is level-triggered:
// that is the budget which keeps one fast peer from starving the others.
func (c *Conn) readable(data []byte) {
	if data != nil {
		c.arrived(data)
		return
	}
	// Nor while what was left is due: it would grow by a read each time that a protocol has paused and resumed.
	if c.flags&(readPaused|hasEOF|isClosing|isEnded|isSource|mustRedeliver) != 0 {
		if c.flags&isSource != 0 {
			c.spliceReadable()
			c.settle()
		}
		return
	}
	if c.flags&isLayered != 0 {
		c.readLayer()
	} else {
		c.fill()
	}
	c.settle()
}

// fill reads once and delivers what it has got; it reports whether that is anything.
func (c *Conn) fill() bool {
	l := c.loop
	n := 0
	switch in := c.in; {
	case in == nil:
		if n = c.next(l.read); n > 0 {
			c.deliver(l.read[:n])
		}
	case in.need <= len(in.data) && len(in.data) <= len(l.read)/4:
		// A little is left: put it in front of the new bytes, in the loop's buffer.
		head := copy(l.read, in.data)
		if n = c.next(l.read[head:]); n > 0 {
			c.deliver(l.read[:head+n])
		}
	default:
		in.data = grow(in.data, max(in.need-len(in.data), minRead))
		if n = c.next(in.data[len(in.data):cap(in.data)]); n > 0 {
			in.data = in.data[:len(in.data)+n]
			c.deliverInput()
		}
	}
	return n > 0
}

// next reads what is for the protocol: from the network, or from the layer.
func (c *Conn) next(p []byte) int {
	if c.flags&isLayered != 0 {
		return c.readBelow(p)
	}
	return c.recv(p)
}

// arrived takes what the poller has read already; if that is nothing, the peer has ended its direction.
// It can come when reading has been paused, even in the same turn, and will not come again.
func (c *Conn) arrived(data []byte) {
	paused := c.flags&readPaused != 0
	c.touch()
	if c.flags&isLimited != 0 {
		c.readAhead(len(data))
	}
	switch {
	case c.flags&(hasEOF|isClosing|isEnded) != 0:
		return
	case len(data) == 0 && paused:
		c.flags |= mustEOF
	case len(data) == 0:
		c.readEOF()
	case c.flags&isLayered != 0:
		c.receivedBelow(data)
	case c.in == nil && !paused:
		c.deliver(data)
	default:
		if c.in == nil {
			c.in = c.loop.buffers.getInput()
		}
		c.in.data = append(c.in.data, data...)
		if !paused {
			c.deliverInput()
		}
	}
	c.settle()
}

// grow makes room for n more bytes, at least doubling what it has to copy.
func grow(p []byte, n int) []byte {
	if cap(p)-len(p) >= n {
		return p
	}
	return append(make([]byte, 0, max(len(p)+n, 2*len(p))), p...)
}

// recv reads once and returns how much, 0 if there is nothing to deliver.
func (c *Conn) recv(p []byte) int {
	var n int
	var err error
	if c.flags&isLimited != 0 {
		if p = p[:c.mayRead(len(p))]; len(p) == 0 {
			return 0
		}
	}
	if c.flags&(isFile|isUnix) == 0 {
		n, err = c.loop.poller.Recv(int(c.fd), p)
	} else if c.flags&isFile == 0 {
		n, err = c.recvUnix(p)
	} else {
		n, err = c.readFile(p)
	}
	if c.flags&isLimited != 0 {
		c.didRead(len(p), n)
	}
	switch {
	case n > 0:
		c.touch()
		if c.flags&isDraining != 0 {
			c.drainedBytes(n)
		}
		return n
	case err == nil:
		c.readEOF()
	case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
		if c.flags&isDraining != 0 {
			c.Close()
		}
	default:
		c.end(c.opError("read", err), true)
	}
	return 0
}

// redeliver delivers what was left, if that is due.
func (c *Conn) redeliver() {
	if c.flags&mustRedeliver != 0 {
		c.flags &^= mustRedeliver
		if c.in != nil && len(c.in.data) > 0 {
			c.deliverInput()
		}
	}
}

// deliverInput delivers the connection's own buffer, if it holds what the protocol needs.
func (c *Conn) deliverInput() {
	if len(c.in.data) >= c.in.need {
		c.deliver(c.in.data)
	}
}

// deliver gives p to the protocol and keeps what it leaves.
func (c *Conn) deliver(p []byte) {
	for {
		c.flags = c.flags&^(mustRedeliver|changed) | delivers
		if c.in != nil {
			c.in.need = 0
		}
		proto := c.proto
		n := proto.DataReceived(c, p)
		if n < 0 || n > len(p) {
			panic(fmt.Sprintf("rondo: DataReceived of %T returned %d for %d bytes: it must return how many of them it has consumed", proto, n, len(p)))
		}
		p = p[n:]
		// A new protocol gets what the old one left, at once, if it does not want to wait.
		if len(p) == 0 || c.flags&changed == 0 || c.flags&(isEnded|isClosing|readPaused|isSource) != 0 ||
			c.in != nil && len(p) < c.in.need {
			break
		}
	}
	c.flags &^= mustRedeliver | delivers // these are the bytes that whatever has set it meanwhile meant
	if c.flags&isEnded != 0 {
		return
	}
	c.keep(p)
}

// keep copies what the protocol has left, or gives the buffer back if that is nothing.
func (c *Conn) keep(rest []byte) {
	l := c.loop
	in := c.in
	switch {
	case len(rest) == 0 && (in == nil || in.need == 0):
		if in != nil {
			c.in = nil
			l.buffers.putInput(in)
		}
		return
	case in == nil:
		in = l.buffers.getInput()
		c.in = in
	}
	in.data = append(in.data[:0], rest...) // moves down within one buffer, or copies from another
	if limit := l.engine.config.MaxReadBuffer; len(rest) > limit {
		c.end(&BufferError{Op: "read", Buffered: len(rest), Limit: limit}, true)
	}
}

// readEOF notes that nothing more arrives.
func (c *Conn) readEOF() {
	if c.flags&isLayered != 0 {
		c.eofBelow()
		return
	}
	c.eof()
}

// eof notes that the peer has ended its direction.
func (c *Conn) eof() {
	c.redeliver()
	c.flags &^= mustEOF
	switch {
	case c.flags&(hasEOF|isEnded|isClosing) != 0:
		return
	case c.flags&readPaused != 0:
		c.flags |= mustEOF // for when it is resumed
		return
	}
	c.flags |= hasEOF
	if c.flags&hearsEOF != 0 && c.flags&isDraining == 0 {
		e := c.proto.(EOFReceiver) //nolint:errcheck // hearsEOF says so
		e.EOFReceived(c)
		return
	}
	c.flags |= isClosing | endedByPeer
}

// closeReason is that of a connection which is closing and has sent everything: nil, what the peer has ended it with, or that its layer has failed.
func (c *Conn) closeReason() error {
	if x := c.extra; x != nil && x.rare != nil && x.rare.failed != nil {
		return x.rare.failed
	}
	if c.flags&endedByPeer != 0 {
		return c.eofReason()
	}
	return nil
}

// eofReason is the reason of a connection that the peer has ended.
func (c *Conn) eofReason() error {
	if c.in != nil && len(c.in.data) > 0 {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}

// Need asks for the next call of DataReceived to come only when at least n bytes are there,
// counting those that the present call leaves unconsumed. A protocol that has read a header and
// waits for a large body spares itself looking at each piece. It holds for one call; an n above
// Config.MaxReadBuffer ends the connection with a [*BufferError].
func (c *Conn) Need(n int) {
	c.own("Conn.Need", "Handle.Do")
	if c.flags&isEnded != 0 {
		return
	}
	if limit := c.loop.engine.config.MaxReadBuffer; n > limit {
		c.end(&BufferError{Op: "read", Buffered: n, Limit: limit}, true)
		return
	}
	if c.in == nil {
		c.in = c.loop.buffers.getInput()
	}
	c.in.need = max(n, 0)
}

// Reading reports whether DataReceived is to be given more: the peer has not ended its direction, the connection has not ended nor
// been closed, reading is not paused, no splice takes what comes; and within DataReceived, the protocol was not replaced. A protocol that
// finds several messages in one call asks after each whether it may go on with the next, if what it does with a message may change any of these; the
// rest is left for later, or for who comes after it, by returning what was consumed so far.
func (c *Conn) Reading() bool {
	c.own("Conn.Reading", "Handle.Do")
	return c.flags&(readPaused|hasEOF|isClosing|isEnded|isSource) == 0 && c.flags&(delivers|changed) != delivers|changed
}

// PauseReading stops the calls of DataReceived; the peer will find that its writes block. Bytes
// that were left and those of the present call stay.
func (c *Conn) PauseReading() {
	c.own("Conn.PauseReading", "Handle.Do")
	c.flags |= readPaused
	c.watch()
}

// ResumeReading lets DataReceived be called again. What an earlier call has left is delivered
// soon, without waiting for more.
func (c *Conn) ResumeReading() {
	c.own("Conn.ResumeReading", "Handle.Do")
	if c.flags&readPaused == 0 {
		return
	}
	c.flags &^= readPaused
	if c.in != nil && len(c.in.data) > 0 {
		c.again(mustRedeliver)
	} else if c.flags&(isDraining|mustEOF) != 0 {
		c.again(0)
	}
	if c.flags&isLayered != 0 {
		c.again(mustDecode)
	}
	c.watch()
}
