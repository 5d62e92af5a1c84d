package secure

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rondo-go/rondo"
)

// ErrNoCloseNotify is the reason of a connection whose peer has ended it without a close_notify alert (RFC 8446, section 6.1): somebody on the way may
// have cut off the last bytes. It is io.ErrUnexpectedEOF too.
var ErrNoCloseNotify = fmt.Errorf("secure: the peer has ended the connection without close_notify, so that what came last may be missing: %w", io.ErrUnexpectedEOF)

// State is what was agreed in a connection's handshake, and reports whether the connection is a secure one. Only on the
// connection's loop.
func State(c *rondo.Conn) (state tls.ConnectionState, ok bool) {
	l, ok := c.Layer().(*layer)
	if !ok {
		return state, false
	}
	return l.tls.ConnectionState(), true
}

// ConnectionState is what State says, for those who know the layer and not this package.
func (l *layer) ConnectionState() tls.ConnectionState { return l.tls.ConnectionState() }

// layer is a tls.Conn between a connection and its protocol. It is a rondo.Layer once the handshake is over.
type layer struct {
	conn *rondo.Conn
	tls  *tls.Conn
	in   []byte     // received, and not read by tls
	own  bool       // which is a copy
	more bool       // tls may have something without reading
	eof  bool       // the peer has ended its direction in good order
	hand *handshake // under way, while the layer is held back; nil afterwards

	records records // of in
}

// Received implements rondo.Layer, as those below do.
func (l *layer) Received(p []byte) {
	if l.hand != nil {
		l.hand.received(p)
		return
	}
	if len(l.in) == 0 {
		l.in, l.own = p, false
		return
	}
	l.Keep()
	l.in = append(l.in, p...)
}

// Keep implements rondo.Layer.
func (l *layer) Keep() {
	switch {
	case len(l.in) == 0:
		l.in, l.own = nil, false
	case !l.own:
		l.in, l.own = append([]byte(nil), l.in...), true
	}
}

// Read implements rondo.Layer. It asks tls only when there is a whole record for it.
func (l *layer) Read(p []byte) (int, error) {
	if l.eof {
		return 0, io.EOF
	}
	if l.hand != nil || !l.more && l.records.left == 0 && !whole(l.in) {
		return 0, rondo.ErrMore
	}
	drains := false // what tls is given now is all in p afterwards
	if !l.more && l.records.left == 0 {
		drains = l.lend(len(p) >= maxPlaintext)
	}
	n, err := l.tls.Read(p)
	if l.more = n == len(p) && !drains; !l.more {
		rawInput.reclaim(l.tls)
	}
	if err == errMore { //nolint:errorlint // ours, and tls passes it on as it is
		err = rondo.ErrMore
	}
	if err == io.EOF { //nolint:errorlint // likewise
		l.eof = true // who asks again, for another protocol, is told so again
	}
	return n, err
}

// lend gives tls the first record where it is, for one call of tls.Read that is sure to take all of it; else it gives a copy. It reports the former.
func (l *layer) lend(all bool) bool {
	n := recordLength(l.in)
	record := l.in[:n:n]
	if !all {
		record = bytes.Clone(record)
	}
	if !rawInput.lend(l.tls, record) {
		return false
	}
	l.in = l.in[n:]
	return all
}

// Write implements rondo.Layer.
func (l *layer) Write(p []byte) error {
	_, err := l.tls.Write(p)
	return err
}

// CloseWrite implements rondo.Layer.
func (l *layer) CloseWrite() error { return l.tls.CloseWrite() }

// ReceivedEOF implements rondo.Layer.
func (l *layer) ReceivedEOF() error {
	if l.hand != nil {
		return l.hand.receivedEOF()
	}
	return ErrNoCloseNotify
}

// wire is the net.Conn that the tls.Conn is over: during the handshake for its goroutine, and afterwards for the loop.
type wire layer

// Read implements net.Conn, as those below do.
func (w *wire) Read(p []byte) (int, error) {
	if w.hand != nil {
		return w.hand.read(p)
	}
	if w.records.left == 0 && !whole(w.in) {
		return 0, errMore
	}
	n := w.records.next(w.in, len(p))
	copy(p, w.in[:n])
	w.in = w.in[n:]
	return n, nil
}

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	if w.hand != nil {
		return w.hand.write(p)
	}
	return w.conn.WriteBelow(p)
}

// Close implements net.Conn. The connection is closed by its protocol.
func (w *wire) Close() error { return nil }

// LocalAddr implements net.Conn.
func (w *wire) LocalAddr() net.Addr {
	if h := w.hand; h != nil { // a callback of the configuration asks, on the handshake's goroutine
		return h.local
	}
	return w.conn.LocalAddr()
}

// RemoteAddr implements net.Conn.
func (w *wire) RemoteAddr() net.Addr {
	if h := w.hand; h != nil {
		return h.remote
	}
	return w.conn.RemoteAddr()
}

// SetDeadline and the others implement net.Conn: who waits for how long is decided elsewhere.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// errMore has tls.Conn.Read return and be called again, with what it has read so far kept: it does so for temporary errors of the connection below, though not
// during a handshake.
var errMore net.Error = moreError{errors.New("secure: more bytes are needed")}

type moreError struct{ error }

func (moreError) Timeout() bool   { return false }
func (moreError) Temporary() bool { return true }
