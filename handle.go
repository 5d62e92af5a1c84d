package rondo

import "bytes"

// Handle stands for a connection elsewhere than on its loop: any goroutine may use it, copy it,
// compare it, use it as a key and keep it for as long as it likes. It names the connection, not the
// place the connection was kept in, so after the connection's end it reaches nobody. The zero
// Handle is one whose connection is gone.
type Handle struct {
	loop  *Loop
	token token
}

// Alive reports whether the connection has not ended yet. The answer may be out of date by the
// time it arrives, unless the caller is on the connection's loop.
func (h Handle) Alive() bool { return h.loop != nil && h.loop.conns.alive(h.token) }

// Do has fn called with the connection, on its loop. It reports whether it was queued: fn is
// not called if the connection ends before its turn comes.
func (h Handle) Do(fn func(c *Conn)) bool {
	return h.Alive() && h.loop.add(&handleCall{h.token, fn})
}

type handleCall struct {
	token token
	fn    func(*Conn)
}

func (h *handleCall) run(l *Loop) {
	c, ok := l.conns.get(h.token)
	if !ok {
		return
	}
	l.current = c
	h.fn(c)
	c.settle()
	l.current = nil
}

// Write has a copy of p written to the connection, in the order of the calls of one goroutine. It
// returns ErrClosed if the connection has ended; what goes wrong later is for the protocol's
// ConnectionLost, as with bytes that the kernel has taken. Nothing bounds what waits for the loop: who writes
// much waits for some of it to be done.
func (h Handle) Write(p []byte) (int, error) {
	if !h.Alive() || !h.loop.add(&handleWrite{h.token, bytes.Clone(p)}) {
		return 0, ErrClosed
	}
	return len(p), nil
}

type handleWrite struct {
	token token
	data  []byte
}

func (h *handleWrite) run(l *Loop) {
	if c, ok := l.conns.get(h.token); ok {
		_, _ = c.Write(h.data) // an error ends the connection, or it was ended
	}
}

// Close closes the connection as Conn.Close does. The error is always nil.
func (h Handle) Close() error {
	h.Do(func(c *Conn) { _ = c.Close() })
	return nil
}

// Abort ends the connection as Conn.Abort does.
func (h Handle) Abort() { h.Do((*Conn).Abort) }

// Loop returns the connection's loop, nil for the zero Handle.
func (h Handle) Loop() *Loop { return h.loop }
