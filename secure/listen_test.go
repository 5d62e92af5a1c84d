package secure_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/stream"
)

// A net.Listener's connections are secure, for code that wants a net.Listener. Connections that never get through their handshake take nobody's place in its queue.
func TestListenNet(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	e := engine(t)
	ln, err := rondo.ListenConfig{Wrap: secure.Config{TLS: server}.Server}.ListenNet(e.Engine, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for range 200 { // more than may wait
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		e.Log.Await(t, "a handshake failed")
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secure") })}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	transport := &http.Transport{TLSClientConfig: client}
	for range 200 {
		answer, err := (&http.Client{Transport: transport}).Get("https://" + ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || string(body) != "secure" {
			t.Fatalf("%q, %v", body, err)
		}
		_ = answer.Body.Close()
		transport.CloseIdleConnections()
	}
	if err := srv.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// What is agreed by ALPN chooses the protocol.
func TestChoose(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	server.NextProtos = []string{"echo", "tell"}
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Choose(func(state tls.ConnectionState) rondo.Protocol {
		switch state.NegotiatedProtocol {
		case "echo":
			return stream.Handle(echoHandler)()
		case "tell":
			return &telling{}
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	dial := func(names ...string) *tls.Conn {
		cfg := client.Clone()
		cfg.NextProtos = names
		c, err := tls.Dial("tcp", ln.Addr().String(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	talk(t, dial("echo"))
	if told, err := io.ReadAll(dial("tell")); err != nil || string(told) != "tell localhost\n" {
		t.Errorf("%q, %v", told, err)
	}
	if told, err := io.ReadAll(dial()); err != nil || len(told) > 0 {
		t.Errorf("without a protocol: %q, %v", told, err)
	}
}

// The client's first request of a renegotiation is refused: OpenSSL's R.
func TestRenegotiation(t *testing.T) {
	openssl := tool(t, "openssl")
	server, _ := configs(t, tls.VersionTLS12)
	l := &lost{reason: make(chan error, 1), heard: make(chan struct{})}
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return l }))
	if err != nil {
		t.Fatal(err)
	}
	c := startOpenSSL(t, openssl, "s_client", "-connect", ln.Addr().String(), "-tls1_2", "-legacy_renegotiation")
	c.enter("hello")
	rig.Await(t, l.heard)
	c.enter("R")
	if err := <-l.reason; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the reason is %v", err)
	}
}

// A server's request of a renegotiation is refused too.
func TestRenegotiationOfServer(t *testing.T) {
	openssl := tool(t, "openssl")
	server, client := configs(t, tls.VersionTLS12)
	cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	store(t, cert, key, server.Certificates[0], time.Now())
	c := startOpenSSL(t, openssl, "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-tls1_2", "-legacy_renegotiation")
	addr := strings.TrimPrefix(c.expect("ACCEPT "), "ACCEPT ")
	l := &lost{reason: make(chan error, 1), heard: make(chan struct{})}
	if _, err := (secure.Config{TLS: client}).Dial(background, engine(t).Engine, "tcp", addr, l).Wait(background); err != nil {
		t.Fatal(err)
	}
	c.enter("hello")
	rig.Await(t, l.heard)
	c.enter("r")
	if err := <-l.reason; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the reason is %v", err)
	}
}
