package rondo

import (
	"os"
	"syscall"
)

// output is what was written and not yet sent: data[sent:].
type output struct {
	data []byte
	sent int
}

func (o *output) pending() int { return len(o.data) - o.sent }

// Writes of this size and more go straight to the kernel if nothing is before them: gathering them
// would only copy them.
const directWrite = 16 << 10

// Write sends p, or keeps a copy of what the kernel does not take now; it never blocks and never
// writes a part. Writes of one callback are gathered and go out together when it returns. After
// Close, CloseWrite and the connection's end it returns ErrClosed; past the hard limit it ends
// the connection and returns a [*BufferError]. On a file that is open for reading only it does nothing and
// returns a *net.OpError of syscall.EBADF.
func (c *Conn) Write(p []byte) (int, error) {
	c.own("Conn.Write", "Handle.Write")
	if c.flags&(isEnded|isClosing|hasFIN) != 0 {
		return 0, c.notWritable()
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.flags&isLayered != 0 {
		return c.writeLayer(p)
	}
	return c.write(p)
}

func (c *Conn) write(p []byte) (int, error) {
	n := len(p)
	if c.out == nil {
		if len(p) >= directWrite {
			var err error
			if p, err = c.send(p); err != nil {
				return 0, err
			}
			if len(p) == 0 {
				return n, nil
			}
		}
		c.out = c.loop.buffers.getOutput()
		c.loop.markDirty(c)
	}
	c.out.append(p)
	if _, high, limit := c.writeLimits(); c.out.pending() > high {
		if err := c.pressure(high, limit); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// append adds p, first moving down what is left once more has been sent than that.
func (o *output) append(p []byte) {
	if o.sent > 0 && len(o.data)+len(p) > cap(o.data) && o.sent >= o.pending() {
		o.data, o.sent = o.data[:copy(o.data, o.data[o.sent:])], 0
	}
	o.data = append(o.data, p...)
}

// pressure is called when more than the high water mark is written. What the kernel takes is
// sent at once, so that a producer is not paused for what merely waits for its callback to return.
func (c *Conn) pressure(high, limit int) error {
	if c.flags&blocked == 0 && c.out != nil {
		if err := c.sendOutput(); err != nil {
			return err
		}
	}
	n := c.Buffered()
	if n <= high {
		return nil
	}
	if n > limit {
		err := &BufferError{Op: "write", Buffered: n, Limit: limit}
		c.end(err, true)
		return err
	}
	if c.flags&writePaused == 0 {
		c.flags |= writePaused
		if p, ok := c.proto.(WritePauser); !ok {
			return nil
		} else if c.loop.current == c {
			p.PauseWriting(c)
		} else {
			c.loop.nested(c, p.PauseWriting)
		}
	}
	return nil
}

// sendOutput sends what is pending and gives the buffer back if that is all.
func (c *Conn) sendOutput() error {
	if x := c.extra; x != nil && x.rare != nil && !c.sendRare() {
		return c.ended()
	}
	rest, err := c.send(c.out.data[c.out.sent:])
	if err != nil {
		return err
	}
	c.out.sent = len(c.out.data) - len(rest)
	if len(rest) == 0 && !c.sendsFiles() {
		c.loop.buffers.putOutput(c.out)
		c.out = nil
	}
	return nil
}

// sendRare sends what is not only bytes, and those before it. It reports whether the rest of the output may be sent.
func (c *Conn) sendRare() bool {
	x := c.extra.rare
	if len(x.passing) > 0 && !c.passFiles() {
		return false
	}
	return len(x.files) == 0 || c.flags&isLayered != 0 || c.sendFiles()
}

// send gives p to the kernel and returns what it does not take. A short write says that the kernel's
// buffer is full: the next one would only be refused.
func (c *Conn) send(p []byte) (rest []byte, err error) {
	for len(p) > 0 && c.flags&blocked == 0 {
		var n int
		var err error
		now := p // what may go out
		if c.flags&isLimited != 0 {
			if now = p[:c.mayWrite(len(p))]; len(now) == 0 {
				break
			}
		}
		if c.flags&isFile == 0 {
			n, err = c.loop.poller.Send(int(c.fd), now)
		} else {
			n, err = c.loop.poller.WriteFile(int(c.fd), now)
		}
		if c.flags&isLimited != 0 {
			c.wrote(len(now), n)
		}
		if err != nil && err != syscall.EAGAIN { //nolint:errorlint // bare by the poller's contract
			if c.unheard() {
				c.end(c.closeReason(), false)
				return nil, ErrClosed
			}
			err = c.opError("write", err)
			c.end(err, true)
			return nil, err
		}
		if n < len(now) && n < maxTransfer {
			c.flags |= blocked
		}
		if n > 0 {
			c.touch()
		}
		p = p[n:]
	}
	return p, nil
}

// settle follows every callback, and readiness to write: it sends what the callback wrote, carries
// out what it asked for, and tells the poller what to watch for.
func (c *Conn) settle() {
	if c.flags&(isEnded|isSink) != 0 && !c.spliceSettled() {
		return
	}
	if c.flags&isLayered != 0 && !c.settleLayer() {
		return
	}
	if c.out != nil && c.flags&blocked == 0 && c.sendOutput() != nil {
		return
	}
	if c.out == nil {
		if c.flags&isClosing != 0 {
			c.end(c.closeReason(), false)
			return
		}
		if c.flags&(hasFIN|sentFIN) == hasFIN {
			c.flags |= sentFIN
			if c.flags&isLayered != 0 {
				// The layer has told the peer.
			} else if err := c.closeWrite(); err != nil {
				c.end(c.opError("close", err), true)
				return
			}
			if c.flags&isEnded != 0 {
				return
			}
		}
	} else if c.flags&isClosing != 0 {
		c.timeClose()
	}
	c.watch()
	if c.flags&writePaused != 0 {
		if low, _, _ := c.writeLimits(); c.Buffered() <= low {
			c.resume()
		}
	}
}

// resume lets the protocol produce again. What it writes is sent by way of the queue rather than
// here, so that a fast reader does not keep the loop to itself.
func (c *Conn) resume() {
	c.flags &^= writePaused
	if p, ok := c.proto.(WritePauser); ok && c.flags&isClosing == 0 {
		p.ResumeWriting(c)
		if c.flags&isEnded == 0 && (c.out != nil || c.flags&(isClosing|hasFIN) != 0) {
			c.again(0)
		}
	}
}

// writable is readiness to write.
func (c *Conn) writable() {
	if c.flags&blocked == 0 || c.writeWaits() {
		return
	}
	c.flags &^= blocked
	c.settle()
}

// markDirty has the connection settled at the end of the turn, unless that happens anyway because
// it is its callback that runs.
func (l *Loop) markDirty(c *Conn) {
	if l.current != c && c.flags&isDirty == 0 {
		c.flags |= isDirty
		l.dirty = append(l.dirty, c)
	}
}

// Buffered is how many written bytes the kernel has not taken yet; those that a layer is held back from
// are among them.
func (c *Conn) Buffered() int {
	c.own("Conn.Buffered", "Handle.Do")
	n := 0
	if c.out != nil {
		n = c.out.pending()
	}
	if c.flags&mustSeal != 0 {
		n += c.extra.plain.pending()
	}
	return n
}

// SetWriteLimits sets the water marks, in bytes: above high the protocol is told to pause, at low
// or below to resume, and above limit the connection ends. It panics unless 0 <= low <= high <= limit
// and limit is not 0. The defaults are those of the Config.
func (c *Conn) SetWriteLimits(low, high, limit int) {
	c.own("Conn.SetWriteLimits", "Handle.Do")
	if low < 0 || high < low || limit < high || limit == 0 {
		panic("rondo: Conn.SetWriteLimits needs 0 <= low <= high <= limit and limit > 0")
	}
	x := c.setRare()
	x.low, x.high, x.limit = low, high, limit
}

// WriteLimits are the water marks, in bytes: see SetWriteLimits.
func (c *Conn) WriteLimits() (low, high, limit int) {
	c.own("Conn.WriteLimits", "Handle.Do")
	return c.writeLimits()
}

func (c *Conn) writeLimits() (low, high, limit int) {
	if x := c.extra; x != nil && x.rare != nil && x.rare.limit != 0 {
		return x.rare.low, x.rare.high, x.rare.limit
	}
	cfg := &c.loop.engine.config
	return cfg.WriteLow, cfg.WriteHigh, cfg.WriteLimit
}

// timeClose bounds how long a peer that does not read can keep a closed connection alive. One that reads,
// however slowly, is waited for.
func (c *Conn) timeClose() {
	if x := c.set(); !x.closeTimed {
		x.closeTimed = true
		if after := c.linger().after; after > 0 {
			c.setRare().closing = c.loop.After(after, func() { c.end(c.opError("close", os.ErrDeadlineExceeded), true) })
			return
		}
		c.expectProgress()
	}
}

func (c *Conn) expectProgress() {
	before := c.unread()
	c.setRare().closing = c.loop.After(c.loop.engine.config.CloseTimeout, func() {
		if c.unread() < before || c.writeWaits() {
			c.expectProgress()
		} else {
			c.end(c.opError("close", os.ErrDeadlineExceeded), true)
		}
	})
}

// unread is how much of what was written the peer has not taken yet, the kernel's share included: readiness to
// write comes long after the peer has begun to read. Files count as they are sent, so it can be below 0.
func (c *Conn) unread() int64 {
	n := int64(c.Buffered() + c.loop.poller.Unsent(int(c.fd)))
	if x := c.extra; x != nil && x.rare != nil {
		n -= x.rare.filesSent
	}
	return n
}
