package secure

import (
	"bytes"
	"crypto/tls"
	"unsafe"

	"github.com/rondo-go/rondo"
)

// KeepBuffers has tls.Conns keep their buffers, as where they are not found, until restore is called. No connection may be open.
func KeepBuffers() (restore func()) {
	r, h := rawInput, hand
	rawInput, hand = 0, 0
	return func() { rawInput, hand = r, h }
}

// Kept is how many bytes a connection's tls.Conn keeps in its buffers. Only on the loop.
func Kept(c *rondo.Conn) int {
	conn := c.Layer().(*layer).tls
	return rawInput.kept(conn) + hand.kept(conn)
}

func (f field) kept(c *tls.Conn) int {
	return (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), f)).Cap()
}

// Held is how many handshakes of a server hold a place for their goroutine on loop l, how many of those wait for their peer, and how many others wait for a place. Only on the loop.
func Held(l *rondo.Loop) (held, waiting, parked int) {
	for _, r := range turnsOf.On(l).rooms {
		held, waiting, parked = held+r.taken, waiting+len(r.waiting), parked+len(r.parked)
	}
	return held, waiting, parked
}

// SetTurns says how many handshakes compute at a time on loop l, whatever the machine has. Only on the loop.
func SetTurns(l *rondo.Loop, n int) { turnsOf.On(l).most = n }
