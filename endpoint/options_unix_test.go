//go:build unix

package endpoint_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
)

// Options have their effect: certificates in files, those who may sign, a client's certificate, names, limits.
func TestOptions(t *testing.T) {
	dir := t.TempDir()
	cert, key := rig.CertificateFiles(t, dir)
	e := rig.New(t, rondo.Config{})
	s, err := endpoint.Listen(e.Engine, fmt.Sprintf("tls:127.0.0.1:0?cert=%s&key=%s&ca=%s&alpn=echo&idle=50ms", cert, key, cert), inetd.Echo)
	if err != nil {
		t.Fatal(err)
	}
	p := &saying{text: "hello", heard: make(chan string, 1)}
	at := fmt.Sprintf("tls:%s?ca=%s&cert=%s&key=%s&alpn=echo&name=localhost", s.Addr(), cert, cert, key)
	c := rig.Result(t, endpoint.Dial(t.Context(), e.Engine, at, p))
	_ = c
	if got := rig.Await(t, p.heard); got != "hello" {
		t.Errorf("it heard %q", got)
	}
	// Without a certificate of its own a client is not let in; with TLS 1.3 it learns so after its handshake.
	raw, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is not let in
	if err == nil {
		_, err = raw.Read(make([]byte, 1))
		_ = raw.Close()
	}
	if err == nil {
		t.Error("a client without a certificate was let in")
	}
	e.Log.Await(t, "a handshake failed")
	// Who does nothing is sent away.
	idle, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err = tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{idle}}) //nolint:gosec // likewise
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // bare
		t.Errorf("an idle client hears %v", err)
	}
	_ = raw.Close()
	_ = os.Remove(cert)
}

// saying says something, ends its direction, and tells what it has heard in the end.
type saying struct {
	text  string
	got   []byte
	heard chan string
}

func (p *saying) ConnectionMade(c *rondo.Conn) {
	_, _ = c.Write([]byte(p.text))
	_ = c.CloseWrite()
}

func (p *saying) DataReceived(_ *rondo.Conn, data []byte) int {
	p.got = append(p.got, data...)
	return len(data)
}
func (p *saying) ConnectionLost(*rondo.Conn, error) { p.heard <- string(p.got) }
