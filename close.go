package rondo

import (
	"errors"
	"os"
)

// ending is a connection that has ended and whose protocol has not been told yet; or a splice, a datagram socket, or a file that was sent.
type ending struct {
	conn   *Conn
	err    error
	splice *Splice
	packet *PacketConn
	file   *FileTransfer
}

// tell is called at the end of the turn, so that no protocol is called from within a call that it
// makes itself.
func (e ending) tell() {
	switch {
	case e.splice != nil:
		e.splice.tell()
		return
	case e.file != nil:
		e.file.tell()
		return
	case e.packet != nil:
		e.packet.tellClosed(e.err)
		return
	}
	c := e.conn
	defer func() { // also after a panic
		if x := c.extra; x != nil && x.listener != nil {
			x.listener.left(x)
		}
		c.loop.load.Add(-1)
		c.loop.engine.release()
	}()
	defer c.tellOthers(e.err)
	c.proto.ConnectionLost(c, e.err)
}

// OnLost has fn called once, on the loop, when the connection has ended and its protocol, whichever that is by then, has been told so; with the same reason. It is for those who keep
// connections: pools, clients that reconnect. If that is past, fn is called soon, with ErrClosed. Functions are called in the order in which they were given.
func (c *Conn) OnLost(fn func(err error)) {
	c.own("Conn.OnLost", "Handle.Do")
	if c.fd < 0 {
		c.loop.Defer(func() { fn(ErrClosed) })
		return
	}
	x := c.setRare()
	x.lost = append(x.lost, fn)
}

// tellOthers calls what OnLost was given, each as work of its own.
func (c *Conn) tellOthers(err error) {
	c.fd = -1 // which says that it has been told
	if x := c.extra; x != nil && x.rare != nil {
		for _, fn := range x.rare.lost {
			c.loop.queue = append(c.loop.queue, runFunc(func() { fn(err) }))
		}
	}
}

// end closes the descriptor and gives the slot back, now: whatever else this turn holds for the
// connection finds it gone. ConnectionLost follows at the end of the turn.
func (c *Conn) end(reason error, reset bool) {
	if c.flags&isEnded != 0 {
		return
	}
	c.flags |= isEnded
	l := c.loop
	if l.drained && c.cutShort(reason) {
		l.engine.cutOff.Add(1)
	}
	l.conns.remove(c.token)
	if linger := c.linger(); reset || linger.on && linger.after == 0 {
		_ = l.poller.Reset(int(c.fd))
	} else {
		_ = l.poller.Close(int(c.fd))
	}
	if c.out != nil {
		l.buffers.putOutput(c.out)
		c.out = nil
	}
	if x := c.extra; x != nil {
		if x.timeouts != nil {
			x.timeouts.stop(l)
		}
		if x.rare != nil {
			x.rare.closing.Stop()
			c.dropFiles()
			c.endFiles(reason)
			c.leaveLines()
		}
		if x.plain != nil {
			l.buffers.putOutput(x.plain)
			x.plain = nil
			c.flags &^= mustSeal
		}
	}
	if c.in != nil {
		if l.current != c { // else a callback may be looking at it
			l.buffers.putInput(c.in)
		}
		c.in = nil
	}
	if c.flags&(isSource|isSink) != 0 {
		c.endSplices(reason)
	}
	l.ended = append(l.ended, ending{conn: c, err: reason})
	// Outside of a turn's phases (a Handle's function, a timer) flush is still to come.
}

// cutShort reports whether it is the end of the engine that ends the connection, before its conversation has come to its own.
func (c *Conn) cutShort(reason error) bool {
	switch x := c.extra; {
	case reason == ErrEngineClosed: //nolint:errorlint // documented to be bare
		return true
	case reason == ErrAborted: //nolint:errorlint // likewise
		return false
	case x != nil && x.rare != nil && x.rare.drained >= drainBudget:
		return true
	}
	return errors.Is(reason, os.ErrDeadlineExceeded) && (c.Buffered() > 0 || c.sendsFiles()) // not if the peer has left by itself
}

// Close ends the connection once all that was written is sent. Nothing more is read, and Write
// returns ErrClosed from now on. ConnectionLost comes later, not from within Close. A peer that reads
// nothing is given Config.CloseTimeout. Closing again does nothing; the error is always nil.
//
// If the peer has sent bytes that were not read, TCP answers with a reset, which can overtake what was
// sent last. A protocol that answers before it has heard everything ends with [Conn.CloseLingering]; or with CloseWrite, and closes when
// EOFReceived says that the peer has too.
func (c *Conn) Close() error {
	c.own("Conn.Close", "Handle.Close")
	if c.flags&(isEnded|isClosing) == 0 {
		if l := c.linger(); l.on && l.after == 0 {
			c.end(nil, true)
			return nil
		}
		if c.holdClose() {
			return nil
		}
		c.flags |= isClosing
		c.loop.markDirty(c)
	}
	return nil
}

// CloseWrite ends the outgoing direction once all that was written is sent; the peer reads an end of
// file and may go on sending. Closing again does nothing.
//
// Of files, one that is open for writing only has no other direction, so this ends the connection, as Close
// would. For others there is nothing to tell the other side: only Write returns ErrClosed from now on.
func (c *Conn) CloseWrite() error {
	c.own("Conn.CloseWrite", "Handle.Do")
	if c.flags&(isEnded|isClosing) != 0 || c.flags&isLayered != 0 && c.extra.heldClose {
		return ErrClosed
	}
	c.flags |= hasFIN
	c.loop.markDirty(c)
	return nil
}

// Abort ends the connection at once: what was written and not sent is dropped and the peer's reads
// fail with a reset. ConnectionLost gets ErrAborted, later, not from within Abort.
func (c *Conn) Abort() {
	c.own("Conn.Abort", "Handle.Abort")
	c.end(ErrAborted, true)
}

// failed is an error that the poller has found on a connection of which nothing was wanted.
func (c *Conn) failed() {
	if c.flags&(isEnded|watchesRead|watchesWrite) != 0 {
		return
	}
	if c.flags&readWaits != 0 {
		// Nothing more arrives that a rate could hold back; what is there comes before the error.
		c.setRate(func(r *rates) { r.read.set(0, 0); r.read.share(nil) })
	} else if c.flags&isFile != 0 {
		c.fileFailed()
	} else if err := c.loop.poller.SocketError(int(c.fd)); err != nil {
		c.end(c.opError("read", err), true)
	}
}

// drainBudget is how much a connection without a Drainer still reads when the engine shuts down: more than
// the kernel holds by default. A peer that sends without pause would keep it for ever.
const drainBudget = 8 << 20

func (c *Conn) drainedBytes(n int) {
	x := c.setRare()
	if x.drained += n; x.drained >= drainBudget {
		_ = c.Close() // these bytes are the last that are delivered
	}
}

// drain is how a connection ends when the engine shuts down.
func (c *Conn) drain() {
	if c.flags&(isEnded|isClosing|isDraining) != 0 || c.flags&(isSource|isSink) != 0 && c.drainSplices() {
		return
	}
	c.flags |= isDraining
	l := c.loop
	before := l.current
	l.current = c
	if d, ok := c.proto.(Drainer); ok {
		c.flags &^= isDraining // it is the protocol's now
		d.Drain(c)
		c.settle()
	} else if told := writePaused | hearsPause; c.flags&(hasEOF|writeOnly) != 0 || c.flags&readPaused != 0 && c.flags&told != told {
		// Nothing more comes, or is wanted. (Who has paused reading because it was told to pause writing
		// will resume, and is waited for.)
		_ = c.Close()
		c.settle()
	} else {
		c.again(0)
	}
	l.current = before
}
