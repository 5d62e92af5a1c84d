package rondo

import (
	"errors"
	"io"
)

// Layer lies below a connection's protocol: what arrives goes through it before the protocol gets it, and what the protocol writes goes
// through it before it is sent. The protocol does not know. TLS is one: package secure. Its methods are called on the connection's loop.
type Layer interface {
	// Received is given what has arrived. The bytes stay valid until Keep is called.
	Received(p []byte)

	// Read takes what has become of it, as io.Reader's Read does. With nothing to take it returns ErrMore until more is Received. io.EOF says that the
	// peer has ended its direction in good order; any other error ends the connection, with that reason.
	Read(p []byte) (int, error)

	// Keep is called when nobody will Read for a while, perhaps with bytes left that the protocol does not want yet.
	Keep()

	// Write passes p on, by WriteBelow. An error ends the connection.
	Write(p []byte) error

	// CloseWrite tells the peer by WriteBelow that nothing follows. It is called once, when the outgoing direction or the connection is closed, after all Writes.
	CloseWrite() error

	// ReceivedEOF says that nothing more arrives. It is not called if Read has returned io.EOF. An error is the reason for which the connection then ends: that the stream was
	// cut off. With ErrMore it is called again after WakeLayer, when Read has nothing left.
	ReceivedEOF() error
}

// ErrMore is returned by [Layer.Read] when it needs more than it has received.
var ErrMore = errors.New("rondo: more bytes are needed")

// SetLayer puts a layer below the connection's protocol. What has arrived and the protocol has not consumed is the first that the layer
// receives; what was written before is sent as it is. There can be one layer, which stays: SetLayer panics if there is one already, if the connection takes
// part in a splice or is sending a file, or if layer is nil. It does nothing after the connection's end. Only on the loop.
func (c *Conn) SetLayer(layer Layer) {
	c.own("Conn.SetLayer", "Handle.Do")
	switch {
	case layer == nil:
		panic("rondo: Conn.SetLayer needs a layer")
	case c.flags&isLayered != 0:
		panic("rondo: Conn.SetLayer on a connection that has a layer")
	case c.flags&(isSource|isSink) != 0:
		panic("rondo: Conn.SetLayer on a connection that is being spliced")
	case c.sendsFiles():
		panic("rondo: Conn.SetLayer on a connection that sends a file")
	case c.flags&isEnded != 0:
		return
	}
	c.set().layer = layer
	c.flags |= isLayered
	if in := c.in; in != nil {
		c.in = nil
		layer.Received(in.data)
		layer.Keep()
		c.loop.buffers.putInput(in)
	}
	c.again(mustDecode)
}

// Layer is the connection's layer; nil if it has none. Only on the loop.
func (c *Conn) Layer() Layer {
	c.own("Conn.Layer", "Handle.Do")
	if c.flags&isLayered == 0 {
		return nil
	}
	return c.extra.layer
}

// WriteBelow is Write for a layer: p is sent as it is. Only on the loop.
func (c *Conn) WriteBelow(p []byte) (int, error) {
	c.own("Conn.WriteBelow", "Handle.Do")
	if c.flags&isEnded != 0 {
		return 0, ErrClosed
	}
	if c.sendsFiles() {
		c.extra.rare.below += int64(len(p))
		c.loop.markDirty(c) // write sees that there is output, and believes that somebody sends it
	}
	return c.write(p)
}

// WakeLayer has the layer's Read called soon, though nothing more was received. Only on the loop.
func (c *Conn) WakeLayer() {
	c.own("Conn.WakeLayer", "Handle.Do")
	if c.flags&(isLayered|isEnded) == isLayered {
		c.again(mustDecode)
	}
}

// readLayer is readable of a connection with a layer.
func (c *Conn) readLayer() {
	l := c.loop
	if l.raw == nil {
		l.raw = make([]byte, len(l.read))
	}
	if n := c.recv(l.raw); n > 0 {
		c.receivedBelow(l.raw[:n])
	}
}

// receivedBelow is how bytes come to a layer.
func (c *Conn) receivedBelow(p []byte) {
	c.extra.layer.Received(p)
	c.decode()
	if c.flags&isEnded == 0 {
		c.extra.layer.Keep()
	}
}

// decode delivers what the layer has made of what it has received.
func (c *Conn) decode() {
	c.flags &^= mustDecode
	for c.flags&(readPaused|hasEOF|isClosing|isEnded) == 0 && c.fill() {
	}
}

// readBelow is recv for decode.
func (c *Conn) readBelow(p []byte) int {
	n, err := c.extra.layer.Read(p)
	switch {
	case n > 0:
		if err != nil && err != ErrMore { //nolint:errorlint // io.Reader's way: it will say so again
			c.flags |= mustDecode
		}
		return n
	case err == nil || err == ErrMore: //nolint:errorlint // documented to be bare
	case err == io.EOF: //nolint:errorlint // likewise
		c.eof()
	default:
		c.endBelow(err)
	}
	return 0
}

// endBelow ends the connection for the layer's reason, after what that has had to say: an alert of TLS.
func (c *Conn) endBelow(reason error) {
	if c.out != nil && c.flags&blocked == 0 && c.sendOutput() != nil {
		return
	}
	c.end(reason, false)
}

// eofBelow is eof of a connection with a layer, when the network says so.
func (c *Conn) eofBelow() {
	c.decode()
	switch {
	case c.flags&(hasEOF|isEnded|isClosing) != 0:
		return
	case c.flags&readPaused != 0:
		c.flags |= mustEOF
		return
	}
	c.flags &^= mustEOF
	c.flags |= eofSeen
	switch err := c.extra.layer.ReceivedEOF(); {
	case err == ErrMore: //nolint:errorlint // documented to be bare
		c.flags |= mustEOF
		return
	case err != nil:
		c.endBelow(err)
		return
	}
	c.eof()
}

// seal gives the layer what was written.
func (c *Conn) seal() error {
	if c.sendsFiles() && !c.sealFiles() {
		return c.ended()
	}
	c.flags &^= mustSeal
	plain := c.extra.plain
	if plain == nil {
		return nil
	}
	c.extra.plain = nil
	var err error
	if plain.pending() > 0 {
		err = c.extra.layer.Write(plain.data[plain.sent:])
	}
	c.loop.buffers.putOutput(plain)
	if err != nil {
		c.end(err, true)
	}
	return err
}

// sealAt is how much is gathered for the layer, in bytes.
const sealAt = 16 << 10

// writeLayer is Write of a connection with a layer.
func (c *Conn) writeLayer(p []byte) (int, error) {
	x := c.extra
	if x.plain == nil {
		if len(p) >= sealAt && !x.held {
			if err := x.layer.Write(p); err != nil {
				c.end(err, true)
				return 0, err
			}
			return len(p), c.limitBelow()
		}
		x.plain = c.loop.buffers.getOutput()
		c.flags |= mustSeal
		c.loop.markDirty(c)
	}
	x.plain.append(p)
	if x.held || c.sendsFiles() {
		return len(p), c.limitBehindFiles()
	}
	if x.plain.pending() < sealAt {
		return len(p), nil
	}
	if err := c.seal(); err != nil {
		return 0, err
	}
	return len(p), c.limitBelow()
}

// limitBelow is the reason if the layer's writes have ended the connection.
func (c *Conn) limitBelow() error {
	if c.flags&isEnded != 0 {
		return ErrClosed
	}
	return nil
}

// limitBehindFiles keeps what waits behind a file, or for the layer, within the water marks and the limit.
func (c *Conn) limitBehindFiles() error {
	if _, high, limit := c.writeLimits(); c.Buffered() > high {
		return c.pressure(high, limit)
	}
	return nil
}

// settleLayer has the layer pass on what is to be sent. It reports whether the connection stands.
func (c *Conn) settleLayer() bool {
	if c.extra.held {
		return c.flags&isEnded == 0
	}
	if c.flags&mustSeal != 0 && c.seal() != nil {
		return false
	}
	if c.flags&(isClosing|hasFIN) != 0 && !c.extra.layerClosed && !c.sendsFiles() {
		c.closeLayer()
	}
	return c.flags&isEnded == 0
}

// closeLayer has the layer tell the peer that nothing follows.
func (c *Conn) closeLayer() {
	c.extra.layerClosed, c.extra.farewell = true, c.out == nil
	if err := c.extra.layer.CloseWrite(); err != nil {
		c.end(err, true)
	}
}

// unheard reports whether all that could not be sent is the layer's answer to a peer that had said that nothing follows, and has gone. It is no loss, then. A Unix socket refuses it (EPIPE), and one of TCP takes it: the end is to be the same.
func (c *Conn) unheard() bool {
	const both = isLayered | hasEOF | isClosing
	return c.flags&both == both && c.extra.farewell
}
