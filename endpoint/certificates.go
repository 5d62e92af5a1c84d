package endpoint

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
)

// reloadEvery is how often a server looks whether its certificate has been replaced.
const reloadEvery = time.Minute

// serverTLS is what makes a server's connections secure, and what ends looking after its certificate.
func (e Endpoint) serverTLS(engine *rondo.Engine) (wrap func(func() rondo.Protocol) func() rondo.Protocol, stop func(), err error) {
	cfg := new(tls.Config)
	stop = func() {}
	switch {
	case e.has("cert"):
		files, err := secure.LoadFiles(e.options.Get("cert"), e.options.Get("key"))
		if err != nil {
			return nil, nil, err
		}
		cfg.GetCertificate = files.GetCertificate
		stop = files.Watch(engine.Loop(), reloadEvery)
	case e.has("selfsigned"):
		if cfg, _, err = secure.SelfSigned(engine.Loop().Now()); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, &SyntaxError{e.String(), "a server of TLS needs a certificate: give cert and key, or selfsigned to try things"}
	}
	if e.has("ca") {
		if cfg.ClientCAs, err = e.authorities(); err != nil {
			stop()
			return nil, nil, err
		}
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	cfg.NextProtos = e.protocols()
	return secure.Config{TLS: cfg, HandshakeTimeout: e.duration("handshake")}.Server, stop, nil
}

func (e Endpoint) clientTLS() (secure.Config, error) {
	cfg := &tls.Config{ServerName: e.options.Get("name"), InsecureSkipVerify: e.has("insecure"), NextProtos: e.protocols()} //nolint:gosec // if somebody wants it
	var err error
	switch {
	case e.Kind == "unix" && cfg.ServerName == "" && !cfg.InsecureSkipVerify:
		return secure.Config{}, &SyntaxError{e.String(), "a Unix socket says nothing of who is to be there: give the server's name, or insecure"}
	case e.has("ca"):
		if cfg.RootCAs, err = e.authorities(); err != nil {
			return secure.Config{}, err
		}
	}
	if e.has("cert") {
		files, err := secure.LoadFiles(e.options.Get("cert"), e.options.Get("key"))
		if err != nil {
			return secure.Config{}, err
		}
		cfg.GetClientCertificate = files.GetClientCertificate
	}
	return secure.Config{TLS: cfg, HandshakeTimeout: e.duration("handshake")}, nil
}

func (e Endpoint) protocols() []string {
	if !e.has("alpn") {
		return nil
	}
	return strings.Split(e.options.Get("alpn"), ",")
}

func (e Endpoint) authorities() (*x509.CertPool, error) {
	name := e.options.Get("ca")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("endpoint: reading who may sign certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("endpoint: there is no certificate (PEM) in %s", name)
	}
	return pool, nil
}
