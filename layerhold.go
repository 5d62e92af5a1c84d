package rondo

// This file is for a layer that cannot pass anything on at first, because its handshake is under way.

// HoldLayer has what the protocol writes wait until [Conn.ReleaseLayer] is called: the layer's Write and CloseWrite are not called before. Meanwhile what is written is
// gathered, within the water marks and the limit, and counts in Buffered; files (SendFile) are not read; and CloseWrite waits behind them. Close waits too, if something has been written: Write
// returns ErrClosed from then on, and the connection stands, and receives, until the layer is released or has failed, for which there must be a timeout; if nothing has been written it ends
// the connection as always. WriteBelow goes on. It does nothing on a connection without a layer. Only on the loop.
func (c *Conn) HoldLayer() {
	c.own("Conn.HoldLayer", "Handle.Do")
	if c.flags&(isLayered|isEnded) == isLayered {
		c.extra.held = true
	}
}

// ReleaseLayer ends what HoldLayer has begun: what waits is given to the layer soon, in its order, together with what is written until then. If Close was called
// nothing more is read from now on. Only on the loop.
func (c *Conn) ReleaseLayer() {
	c.own("Conn.ReleaseLayer", "Handle.Do")
	if !c.holds() {
		return
	}
	c.extra.held = false
	if c.extra.heldClose {
		c.flags |= isClosing
	}
	c.loop.markDirty(c)
}

// CloseBelow is Close for a layer that has failed: what the protocol has written and the layer has not been given is dropped, and so are the files, whose done is told
// ErrClosed; what the layer itself has written, an alert of TLS, is sent. The layer is called no more to write. Only on the loop.
func (c *Conn) CloseBelow() {
	c.own("Conn.CloseBelow", "Handle.Do")
	if c.flags&(isLayered|isEnded) != isLayered {
		return
	}
	x := c.extra
	x.held, x.layerClosed = false, true
	if c.sendsFiles() {
		c.endFiles(nil)
	}
	if x.plain != nil {
		c.loop.buffers.putOutput(x.plain)
		x.plain = nil
		c.flags &^= mustSeal
	}
	_ = c.Close()
}

// holds reports whether the layer is held back.
func (c *Conn) holds() bool {
	return c.flags&(isLayered|isEnded) == isLayered && c.extra.held
}

// holdClose puts Close off, if something waits that is to be sent before. It reports whether it does.
func (c *Conn) holdClose() bool {
	if !c.holds() || c.extra.plain == nil {
		return false
	}
	c.extra.heldClose = true
	c.flags |= hasFIN      // no more Write
	c.flags &^= isDraining // the layer has yet to hear its peer, and to be done with it
	return true
}
