package httpd

import (
	"crypto/tls"
	"net/http"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/secure"
)

// Transport is an http1.Transport that can do https too, and asks the environment for proxies (http.ProxyFromEnvironment), as http.DefaultTransport does:
//
//	client := &http.Client{Transport: httpd.Transport(engine, nil)}
//
// e is whose loops RoundTrip uses; nil will do for a Transport that is only an http1.Client's. cfg says whom to trust; nil trusts whom the system does. HTTP/1.1 is all that is offered by ALPN. Its other fields may be
// changed before it is used.
func Transport(e *rondo.Engine, cfg *tls.Config) *http1.Transport {
	return &http1.Transport{Engine: e, Proxy: http.ProxyFromEnvironment, Secure: Secure(cfg)}
}

// Client is an http1.Client for http and https, with a Transport of its own.
func Client(cfg *tls.Config) *http1.Client {
	return &http1.Client{Transport: Transport(nil, cfg)}
}

// Secure is for the field of that name of an http1.Transport.
func Secure(cfg *tls.Config) func(c *rondo.Conn, host string, p rondo.Protocol) *rondo.Future[tls.ConnectionState] {
	base := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg != nil {
		base = cfg.Clone()
	}
	base.NextProtos = []string{"http/1.1"}
	return func(c *rondo.Conn, host string, p rondo.Protocol) *rondo.Future[tls.ConnectionState] {
		own := base
		if own.ServerName == "" {
			own = base.Clone()
			own.ServerName = host
		}
		return secure.Config{TLS: own, HandshakeTimeout: -1}.UpgradeClient(c, p) // the transport has a timeout of its own
	}
}
