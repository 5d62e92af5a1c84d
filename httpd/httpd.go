// Package httpd is HTTP over TLS: a client that offers HTTP/2 by ALPN (RFC 7301) gets it from golang.org/x/net/http2, over a net.Conn and its goroutines; all others
// get HTTP/1.1 from package http1. Neither that nor package secure knows of the other; this joins them.
package httpd

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"

	"golang.org/x/net/http2"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/secure"
)

// Accept makes the protocols of secure connections to s: give it to Engine.Listen. Of cfg, which must have a certificate, a copy is used; if it names no protocols it
// offers "h2" and "http/1.1". It panics if cfg is nil.
func Accept(s *http1.Server, cfg *tls.Config) func() rondo.Protocol {
	if cfg == nil {
		panic("httpd: Accept needs a tls.Config with a certificate")
	}
	cfg = cfg.Clone()
	if len(cfg.NextProtos) == 0 {
		cfg.NextProtos = []string{http2.NextProtoTLS, "http/1.1"}
	}
	var two *http2.Server
	if slices.Contains(cfg.NextProtos, http2.NextProtoTLS) {
		two = &http2.Server{IdleTimeout: s.IdleTimeout}
	}
	return secure.Config{TLS: cfg}.Choose(func(state tls.ConnectionState) rondo.Protocol {
		if two != nil && state.NegotiatedProtocol == http2.NextProtoTLS {
			return &handOver{server: s, two: two, state: state}
		}
		return s.Protocol()
	})
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
	accept := Accept(&http1.Server{Handler: handler}, &tls.Config{GetCertificate: files.GetCertificate})
	if _, err := e.Listen("tcp", cmp.Or(addr, ":https"), accept); err != nil {
		return errors.Join(err, e.Close())
	}
	<-e.Done()
	return http.ErrServerClosed
}

// handOver is the protocol of a connection until it is HTTP/2's.
type handOver struct {
	server *http1.Server
	two    *http2.Server
	state  tls.ConnectionState
}

// ConnectionMade implements rondo.Protocol. The two below are not called: the connection has another protocol by then.
func (h *handOver) ConnectionMade(c *rondo.Conn) {
	e := c.Loop().Engine()
	conn := securedConn{rondo.NetConn(c), h.state}
	handler := h.server.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	e.Go(func() {
		h.two.ServeConn(conn, &http2.ServeConnOpts{Handler: handler, BaseConfig: &http.Server{
			Handler: handler, ReadTimeout: h.server.ReadTimeout, WriteTimeout: h.server.WriteTimeout, IdleTimeout: h.server.IdleTimeout,
			MaxHeaderBytes: h.server.MaxHeaderBytes,
		}})
	})
}

func (*handOver) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (*handOver) ConnectionLost(*rondo.Conn, error)    {}

// securedConn is what http2 looks for: who was talked to, and how.
type securedConn struct {
	net.Conn
	state tls.ConnectionState
}

// ConnectionState is that of a tls.Conn.
func (c securedConn) ConnectionState() tls.ConnectionState { return c.state }
