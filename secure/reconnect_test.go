package secure_test

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// silent is a protocol that says nothing, and tells of its connection.
type silent struct{ made chan *rondo.Conn }

func (q silent) ConnectionMade(c *rondo.Conn) {
	if q.made != nil {
		q.made <- c
	}
}
func (silent) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (silent) ConnectionLost(*rondo.Conn, error)        {}

// A Reconnector keeps a secure connection as it does a plain one: what it waits for is the handshake.
func TestReconnector(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	e := engine(t)
	made := make(chan *rondo.Conn, 10)
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return silent{made} }))
	if err != nil {
		t.Fatal(err)
	}
	r := rondo.ReconnectConfig{
		Dial: func(ctx context.Context) *rondo.Future[*rondo.Conn] {
			return secure.Config{TLS: client}.Dial(ctx, e.Engine, "tcp", ln.Addr().String(), silent{})
		},
		Backoff: rondo.Backoff{Initial: time.Millisecond, Max: time.Millisecond},
	}.Start(t.Context(), e.Engine)
	for range 3 {
		c := rig.Await(t, made)
		h := rig.Result(t, r.WhenConnected())
		secured := make(chan bool, 1)
		h.Do(func(c *rondo.Conn) {
			_, ok := secure.State(c)
			secured <- ok
		})
		if !rig.Await(t, secured) {
			t.Error("the connection is not secure")
		}
		c.Handle().Abort()
		rig.Eventually(t, "the loss is noticed", func() bool { return !h.Alive() })
	}
	rig.Await(t, made)
	r.Stop()
	if reason := rig.Result(t, r.WhenStopped()); !errors.Is(reason, rondo.ErrReconnectorStopped) {
		t.Errorf("it has stopped for %v", reason)
	}
}
