// Package httpd is HTTP over TLS: a client that offers HTTP/2 by ALPN (RFC 7301) gets it from golang.org/x/net/http2, over a net.Conn and its goroutines; all others
// get HTTP/1.1 from package http1. Neither that nor package secure knows of the other; this joins them.
package httpd

import (
	"cmp"
	"crypto/tls"
	"errors"
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
func Protocol(s *http1.Server) func() rondo.Protocol {
	return func() rondo.Protocol { return &chooser{s} }
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
type chooser struct{ server *http1.Server }

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
	handler := h.server.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	c.Loop().Engine().Go(func() {
		//nolint:staticcheck // deprecated in favour of net/http's own, which takes a net.Conn that is decrypted for one that is not encrypted, and says so in Request.TLS
		new(http2.Server).ServeConn(conn, &http2.ServeConnOpts{Handler: handler, BaseConfig: &http.Server{
			Handler: handler, ReadTimeout: h.server.ReadTimeout, WriteTimeout: h.server.WriteTimeout, IdleTimeout: h.server.IdleTimeout,
			MaxHeaderBytes: h.server.MaxHeaderBytes,
		}})
	})
}

// securedConn is what http2 looks for: who was talked to, and how.
type securedConn struct {
	net.Conn
	state tls.ConnectionState
}

// ConnectionState is that of a tls.Conn.
func (c securedConn) ConnectionState() tls.ConnectionState { return c.state }
