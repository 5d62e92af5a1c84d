package secure_test

import (
	"context"
	"crypto/tls"
	"io"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// A function that panics in place of making a protocol ends its connection, as it ends a plain one.
func TestAcceptPanics(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	e := engine(t)
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { panic("no protocol today") }))
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(rig.Dial(t, ln.Addr().String()), client)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_ = conn.Handshake() // the client's may be over before the server's
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || os.IsTimeout(err) {
		t.Errorf("%d bytes were read, %v; want the connection's end", n, err)
	}
	e.Log.Await(t, "no protocol today")
}

// A protocol that panics when it is told of its connection loses it, and who waits for the connection is told, as without TLS.
func TestConnectionMadePanics(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		if c, err := ln.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	e := engine(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p := panicking{lost: make(chan error, 1)}
	c, err := secure.Config{TLS: client}.Dial(t.Context(), e.Engine, "tcp", ln.Addr().String(), p).Wait(ctx)
	if c == nil || err != nil {
		t.Errorf("dialing: %v, %v; want the connection", c, err)
	}
	if err := rig.Await(t, p.lost); err == nil {
		t.Error("the connection has ended in good order")
	}
	e.Log.Await(t, "panics when told")
	rig.Await(t, over)
}

type panicking struct{ lost chan error }

func (panicking) ConnectionMade(*rondo.Conn)                { panic("panics when told") }
func (panicking) DataReceived(_ *rondo.Conn, p []byte) int  { return len(p) }
func (p panicking) ConnectionLost(_ *rondo.Conn, err error) { p.lost <- err }
