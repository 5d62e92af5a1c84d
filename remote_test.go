package rondo_test

import (
	"net"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// madeBy is a protocol that is its ConnectionMade.
type madeBy struct{ fn func(*rondo.Conn) }

func (p *madeBy) ConnectionMade(c *rondo.Conn)              { p.fn(c) }
func (*madeBy) DataReceived(_ *rondo.Conn, data []byte) int { return len(data) }
func (*madeBy) ConnectionLost(*rondo.Conn, error)           {}

// What says nothing of the address leaves it as it is, and what was learnt of one connection is not another's, though they share their listener's settings.
func TestSetRemoteAddrOfOne(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	type told struct {
		addr net.Addr
		by   any
	}
	seen := make(chan told, 2)
	first := true
	ln, err := rondo.ListenConfig{MaxConns: 5}.Listen(e.Engine, "tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &madeBy{func(c *rondo.Conn) {
			if first {
				c.SetRemoteAddr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}, "a proxy")
				c.SetRemoteAddr(nil, "it again")
			}
			first = false
			seen <- told{c.RemoteAddr(), c.RemoteAddrBy()}
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	rig.Dial(t, ln.Addr().String())
	if got := rig.Await(t, seen); got.addr.String() != "192.0.2.1:5" || got.by != "it again" {
		t.Errorf("%+v", got)
	}
	second := rig.Dial(t, ln.Addr().String()).LocalAddr().String()
	if got := rig.Await(t, seen); got.addr.String() != second || got.by != nil {
		t.Errorf("%+v", got)
	}
}

// A Dialer's Wrap goes round the protocol.
func TestDialerWrap(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return &madeBy{func(*rondo.Conn) {}} })
	if err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 2)
	inner := &madeBy{func(*rondo.Conn) { order <- "inner" }}
	d := rondo.Dialer{Wrap: func(p rondo.Protocol) rondo.Protocol {
		return &madeBy{func(c *rondo.Conn) {
			order <- "outer"
			c.SetProtocol(p)
			p.ConnectionMade(c)
		}}
	}}
	rig.Result(t, d.Dial(t.Context(), e.Engine, "tcp", ln.Addr().String(), inner))
	if a, b := rig.Await(t, order), rig.Await(t, order); a != "outer" || b != "inner" {
		t.Error(a, b)
	}
}
