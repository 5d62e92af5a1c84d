// Package httpd is HTTP over TLS: a client that offers HTTP/2 by ALPN (RFC 7301) gets it from golang.org/x/net/http2, over a net.Conn and its goroutines; all others
// get HTTP/1.1 from package http1. Neither that nor package secure knows of the other; this joins them.
package httpd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/http2"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/secure"
)

// Protocols are what is offered by ALPN, for the NextProtos of a tls.Config or the alpn= of an endpoint.
var Protocols = []string{http2.NextProtoTLS, "http/1.1"}

// Protocol makes the protocols of connections to s: give it to whatever makes secure connections, and offers Protocols. One that has agreed on "h2" is given to HTTP/2, all others, plain ones too, to s.
// HTTP/2 has s's limits and timeouts, and when the engine shuts down its connections end with the requests that are under way.
func Protocol(s *http1.Server) func() rondo.Protocol {
	base := &http.Server{ //nolint:gosec // ReadHeaderTimeout is nothing to HTTP/2
		Handler: s.Handler, ReadTimeout: max(0, s.ReadTimeout), WriteTimeout: max(0, s.WriteTimeout),
		IdleTimeout: max(0, cmp.Or(s.IdleTimeout, 2*time.Minute)), MaxHeaderBytes: cmp.Or(s.MaxHeaderBytes, 64<<10), // as http1 has them
	}
	if s.ErrorLog != nil {
		base.ErrorLog = slog.NewLogLogger(s.ErrorLog.Handler(), slog.LevelError)
	}
	if base.Handler == nil {
		base.Handler = http.DefaultServeMux
	}
	two := &http2.Server{IdleTimeout: base.IdleTimeout}      //nolint:staticcheck // net/http's own wants a listener
	if err := http2.ConfigureServer(base, two); err != nil { //nolint:staticcheck // as above
		panic("httpd: " + err.Error()) // of the ciphers of a tls.Config, and there is none
	}
	return func() rondo.Protocol { return &chooser{server: s, base: base, two: two} }
}

// ListenAndServeTLS is the function of net/http over rondo: see [http1.ListenAndServe]. The files are looked at again when they change, so that a certificate can be renewed without a restart.
func ListenAndServeTLS(addr, certFile, keyFile string, handler http.Handler) error {
	files, err := secure.LoadFiles(certFile, keyFile)
	if err != nil {
		return err
	}
	e, err := rondo.New(rondo.Config{})
	if err != nil {
		return err
	}
	e.Loop().Post(func() { files.Watch(e.Loop(), time.Minute) })
	cfg := secure.Config{TLS: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.GetCertificate, NextProtos: Protocols}}
	if _, err := e.Listen("tcp", cmp.Or(addr, ":https"), cfg.Server(Protocol(&http1.Server{Handler: handler}))); err != nil {
		return errors.Join(err, e.Close())
	}
	<-e.Done()
	return http.ErrServerClosed
}

// chooser is the protocol of a connection until it is known which one that speaks.
type chooser struct {
	server *http1.Server
	base   *http.Server
	two    *http2.Server //nolint:staticcheck // see Protocol
}

// ConnectionMade implements rondo.Protocol. The two below are not called: the connection has another protocol by then.
func (h *chooser) ConnectionMade(c *rondo.Conn) {
	if state, ok := secure.State(c); ok && state.NegotiatedProtocol == http2.NextProtoTLS {
		h.handOver(c, state)
		return
	}
	p := h.server.Protocol()
	c.SetProtocol(p)
	p.ConnectionMade(c)
}

func (*chooser) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (*chooser) ConnectionLost(*rondo.Conn, error)    {}

// handOver gives the connection to HTTP/2.
func (h *chooser) handOver(c *rondo.Conn, state tls.ConnectionState) {
	conn := securedConn{rondo.NetConn(c), state}
	if known := *told.On(c.Loop()); !known[h.base] {
		known[h.base] = true
		// There is nothing that it could wait for: what it serves it does not know as connections.
		c.Loop().OnDrain(func() { _ = h.base.Shutdown(context.Background()) })
	}
	c.Loop().Engine().Go(func() { h.two.ServeConn(conn, &http2.ServeConnOpts{Handler: h.base.Handler, BaseConfig: h.base}) }) //nolint:staticcheck // see Protocol
}

// told are the servers that a loop tells when its engine shuts down.
var told = rondo.NewLocal(func(*rondo.Loop) *map[*http.Server]bool { return &map[*http.Server]bool{} })

// securedConn is what http2 looks for: who was talked to, and how.
type securedConn struct {
	net.Conn
	state tls.ConnectionState
}

// ConnectionState is that of a tls.Conn.
func (c securedConn) ConnectionState() tls.ConnectionState { return c.state }
