package rondo_test

import (
	"net"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// made is a protocol that is its ConnectionMade.
type made struct{ fn func(*rondo.Conn) }

func (p *made) ConnectionMade(c *rondo.Conn)              { p.fn(c) }
func (*made) DataReceived(_ *rondo.Conn, data []byte) int { return len(data) }
func (*made) ConnectionLost(*rondo.Conn, error)           {}

// What was learnt stands in the place of the peer's address, for net.Conns too, and only on its connection.
func TestSetRemoteAddr(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	type told struct {
		addr, wrapped net.Addr
		by            any
	}
	seen := make(chan told, 2)
	first := true
	ln, err := rondo.ListenConfig{MaxConns: 5}.Listen(e.Engine, "tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &made{func(c *rondo.Conn) {
			if first {
				c.SetRemoteAddr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}, "a proxy")
				c.SetRemoteAddr(nil, "it again")
			}
			first = false
			addr, by := c.RemoteAddr(), c.RemoteAddrBy()
			seen <- told{addr, rondo.NetConn(c).RemoteAddr(), by}
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	rig.Dial(t, ln.Addr().String())
	if got := rig.Await(t, seen); got.addr.String() != "192.0.2.1:5" || got.wrapped.String() != "192.0.2.1:5" || got.by != "it again" {
		t.Errorf("%+v", got)
	}
	second := rig.Dial(t, ln.Addr().String()).LocalAddr().String()
	if got := rig.Await(t, seen); got.addr.String() != second || got.wrapped.String() != second || got.by != nil {
		t.Errorf("%+v", got)
	}
}

// A Dialer's Wrap goes round the protocol.
func TestDialerWrap(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return &made{func(*rondo.Conn) {}} })
	if err != nil {
		t.Fatal(err)
	}
	inner, order := &made{}, make(chan string, 2)
	inner.fn = func(*rondo.Conn) { order <- "inner" }
	d := rondo.Dialer{Wrap: func(p rondo.Protocol) rondo.Protocol {
		return &made{func(c *rondo.Conn) {
			order <- "outer"
			c.SetProtocol(p)
			p.ConnectionMade(c)
		}}
	}}
	c := rig.Result(t, d.Dial(t.Context(), e.Engine, "tcp", ln.Addr().String(), inner))
	rig.On(t, c.Loop(), func() {
		if c.Protocol() != rondo.Protocol(inner) {
			t.Errorf("the protocol is %T", c.Protocol())
		}
	})
	if a, b := rig.Await(t, order), rig.Await(t, order); a != "outer" || b != "inner" {
		t.Error(a, b)
	}
}

// A listener that was bound is a net.Listener when it is served as one, once.
func TestServeNet(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	bound, err := rondo.ListenConfig{MaxConns: 1}.Bind(e.Engine, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := bound.ServeNet()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bound.ServeNet(); err == nil {
		t.Error("it is served twice")
	}
	first, second := rig.Dial(t, ln.Addr().String()), rig.Dial(t, ln.Addr().String())
	for _, c := range []net.Conn{first, second} {
		got, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("accepted %v, want %v", got.RemoteAddr(), c.LocalAddr())
		}
		_ = got.Close()
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	if _, err := bound.ServeNet(); err == nil {
		t.Error("it is served after its end")
	}
}
