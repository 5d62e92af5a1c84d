package secure_test

import (
	"crypto/tls"
	"io"
	"slices"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// A client whose handshake is under way when the engine shuts down is served, as one is that has connected without TLS. One that has said nothing is closed.
func TestShutdownFinishesHandshakes(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	begun, release := make(chan struct{}), make(chan struct{})
	waiting := server.Clone()
	waiting.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		close(begun)
		<-release
		return nil, nil //nolint:nilnil // which is this one
	}
	e := engine(t)
	draining := make(chan struct{})
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: waiting}.Server(func() rondo.Protocol { return parting{draining} }))
	if err != nil {
		t.Fatal(err)
	}
	silent := rig.Dial(t, ln.Addr().String())
	conn := tls.Client(rig.Dial(t, ln.Addr().String()), client)
	type result struct {
		got []byte
		err error
	}
	served := make(chan result, 1)
	go func() {
		_, err := io.WriteString(conn, "hello")
		if err != nil {
			served <- result{err: err}
			return
		}
		got, err := io.ReadAll(conn)
		served <- result{got, err}
	}()
	rig.Await(t, begun)
	shut := make(chan error, 1)
	go func() { shut <- e.Shutdown(t.Context()) }()
	if n, err := silent.Read(make([]byte, 1)); n != 0 || err != io.EOF { //nolint:errorlint // bare, by io.Reader's contract
		t.Errorf("who has said nothing read %d bytes, %v", n, err)
	}
	close(release)
	rig.Await(t, draining)
	if r := rig.Await(t, served); string(r.got) != "hello, and good bye" || r.err != nil {
		t.Errorf("the client got %q, %v", r.got, r.err)
	}
	if err := rig.Await(t, shut); err != nil || e.CutOff() != 0 {
		t.Errorf("the shutdown: %v, and %d were cut off", err, e.CutOff())
	}
	e.Log.Discard("a handshake failed")
}

// parting answers once, also while the engine shuts down, and closes.
type parting struct{ draining chan struct{} }

func (parting) ConnectionMade(*rondo.Conn) {}
func (parting) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(append(slices.Clip(p), ", and good bye"...))
	_ = c.Close()
	return len(p)
}
func (parting) ConnectionLost(*rondo.Conn, error) {}
func (p parting) Drain(*rondo.Conn)               { close(p.draining) }
