package rondo

// PacketHandle stands for a datagram socket elsewhere than on its loop: any goroutine may use it, copy it, compare it, use it as
// a key and keep it. The zero PacketHandle is one whose socket is closed.
type PacketHandle struct{ conn *PacketConn }

// Alive reports whether the socket is not closed yet. The answer may be out of date by the time it arrives, unless the
// caller is on the socket's loop.
func (h PacketHandle) Alive() bool { return h.conn != nil && !h.conn.ended.Load() }

// Do has fn called with the socket, on its loop. It reports whether it was queued: fn is not called if the socket is closed before its
// turn comes.
func (h PacketHandle) Do(fn func(c *PacketConn)) bool {
	return h.Alive() && h.conn.loop.add(&packetCall{h.conn, fn})
}

type packetCall struct {
	conn *PacketConn
	fn   func(*PacketConn)
}

func (p *packetCall) run(*Loop) {
	if c := p.conn; !c.ended.Load() {
		c.call(func() { p.fn(c) })
	}
}

// Write has a copy of p sent to where the socket is connected: see WriteTo.
func (h PacketHandle) Write(p []byte) error { return h.post(p, PacketAddr{}) }

// WriteTo has a copy of p sent as one datagram, in the order of the calls of one goroutine. It returns ErrClosed if the socket is closed, and
// [ErrPacketQueueFull] when as much is on its way to the loop as PacketConfig.WriteLimit allows to wait there. What PacketConn.WriteTo returns, on the loop, is for
// the protocol's ErrorReceived.
func (h PacketHandle) WriteTo(p []byte, to PacketAddr) error { return h.post(p, to) }

func (h PacketHandle) post(p []byte, to PacketAddr) error {
	if !h.Alive() {
		return ErrClosed
	}
	c, size := h.conn, int64(len(p)+packetOverhead)
	if now := c.waiting.Add(size); now > size && now > int64(c.config.WriteLimit) {
		c.waiting.Add(-size)
		return ErrPacketQueueFull
	}
	if !c.loop.add(&packetWrite{c, append([]byte(nil), p...), to}) {
		c.waiting.Add(-size)
		return ErrClosed
	}
	return nil
}

type packetWrite struct {
	conn *PacketConn
	data []byte
	to   PacketAddr
}

func (w *packetWrite) run(*Loop) {
	c := w.conn
	c.waiting.Add(-int64(len(w.data) + packetOverhead))
	if c.ended.Load() {
		return
	}
	var err error
	if w.to == (PacketAddr{}) {
		err = c.Write(w.data)
	} else {
		err = c.WriteTo(w.data, w.to)
	}
	if err != nil && !c.closing {
		if err == ErrPacketQueueFull || err == ErrClosed { //nolint:errorlint // ours, never wrapped
			err = c.opError("write", w.to, err)
		}
		c.tell(err)
	}
}

// Close closes the socket as PacketConn.Close does. The error is always nil.
func (h PacketHandle) Close() error {
	h.Do(func(c *PacketConn) { _ = c.Close() })
	return nil
}

// Abort closes the socket as PacketConn.Abort does.
func (h PacketHandle) Abort() { h.Do((*PacketConn).Abort) }

// Loop returns the socket's loop, nil for the zero PacketHandle.
func (h PacketHandle) Loop() *Loop {
	if h.conn == nil {
		return nil
	}
	return h.conn.loop
}

// LocalAddr is the socket's own address, also after it was closed; the zero PacketAddr for the zero PacketHandle.
func (h PacketHandle) LocalAddr() PacketAddr {
	if h.conn == nil {
		return PacketAddr{}
	}
	return h.conn.local
}
