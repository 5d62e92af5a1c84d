package rondo

import "os"

// drainPackets is how many datagrams a socket without a PacketDrainer still receives when the engine shuts down.
const drainPackets = 1024

// Close closes the socket once all that was written is sent, for which the network is given Config.CloseTimeout. Nothing more is received, and Write returns
// ErrClosed from now on. Closed is called later, not from within Close. Closing again does nothing; the error is always nil.
func (c *PacketConn) Close() error {
	c.own("PacketConn.Close", "PacketHandle.Close")
	if !c.ended.Load() && !c.closing {
		c.closing = true
		c.loop.packets.markDirty(c)
	}
	return nil
}

// Abort closes the socket at once: what was written and not sent is dropped. Closed gets ErrAborted, later, not from within Abort.
func (c *PacketConn) Abort() {
	c.own("PacketConn.Abort", "PacketHandle.Abort")
	c.end(ErrAborted)
}

// end closes the descriptor, now. Closed follows at the end of the turn.
func (c *PacketConn) end(reason error) {
	if c.ended.Swap(true) {
		return
	}
	l := c.loop
	if l.drained && c.cutShort(reason) {
		l.engine.cutOff.Add(1)
	}
	l.watchers.remove(c.token)
	c.file.remove(l.engine) // while the socket is open: nobody else's file can have its inode until then
	_ = l.poller.Close(c.fd)
	c.timer.Stop()
	if c.out != nil {
		c.out.dropFiles()
	}
	c.out, c.errs = nil, nil
	l.ended = append(l.ended, ending{packet: c, err: reason})
}

// cutShort reports whether it is the end of the engine that ends the socket, before it has done what it had to do: a socket that only listens has nothing.
func (c *PacketConn) cutShort(reason error) bool {
	_, drains := c.proto.(PacketDrainer)
	return reason != ErrAborted && c.out != nil || reason == ErrEngineClosed && drains //nolint:errorlint // both are documented to be bare
}

// tellClosed is the last that happens to the socket.
func (c *PacketConn) tellClosed(reason error) {
	defer func() { // also after a panic
		c.left()
		c.loop.load.Add(-1)
		c.loop.engine.release()
	}()
	c.proto.Closed(c, reason)
}

// left tells the listener that the socket is closed.
func (c *PacketConn) left() {
	if c.listener != nil {
		c.listener.closed(c.loop)
	}
}

// timeClose bounds how long a network that takes nothing can keep a closed socket alive.
func (c *PacketConn) timeClose() {
	if !c.closeTimed {
		c.closeTimed = true
		c.timer = c.loop.After(c.loop.engine.config.CloseTimeout, func() {
			c.end(c.opError("close", PacketAddr{}, os.ErrDeadlineExceeded))
		})
	}
}

// shut implements watcher: the engine shuts down, or is stopped.
func (c *PacketConn) shut() {
	if c.loop.engine.state.Load() == stopping {
		c.end(ErrEngineClosed)
		return
	}
	c.loop.queue = append(c.loop.queue, runFunc(c.drain)) // work of its own: a Drain that panics must not keep the next one from being called
}

// drain is how the socket ends when the engine shuts down.
func (c *PacketConn) drain() {
	if c.ended.Load() || c.closing || c.draining {
		return
	}
	c.draining = true
	c.call(func() {
		if d, ok := c.proto.(PacketDrainer); ok {
			d.Drain(c)
			return
		}
		for left := drainPackets; left > 0 && !c.readPaused && !c.ended.Load() && !c.closing; {
			n := c.receive()
			if n == 0 {
				break
			}
			left -= n
			if c.out != nil && !c.blocked && !c.retrying {
				c.send()
			}
		}
		if !c.ended.Load() {
			c.closing = true
		}
	})
}
