package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/spf13/pflag"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
)

// clientTLS is what a client's command line says of encryption.
type clientTLS struct {
	on, insecure bool
	ca           string
	option       string // that is on, if it is not --tls
}

func (c *clientTLS) flags(f *pflag.FlagSet) {
	f.BoolVar(&c.on, "tls", false, "encrypt, and check the server's certificate")
	f.BoolVar(&c.insecure, "insecure", false, "with --tls, do not check the certificate: anybody could be there")
	f.Var(filled{&c.ca, "file"}, "ca", "with --tls, trust the certificates in this `file` (PEM), and no others")
}

// dialFunc makes a connection, as rondo.Dialer.Dial does.
type dialFunc func(ctx context.Context, e *rondo.Engine, d rondo.Dialer, network, address string, p rondo.Protocol) *rondo.Future[*rondo.Conn]

// dialer is how connections are made.
func (c *clientTLS) dialer() (dialFunc, error) {
	switch {
	case !c.on && (c.insecure || c.ca != ""):
		return nil, wrong("--insecure and --ca are for %s, which is missing.", cmp.Or(c.option, "--tls"))
	case !c.on:
		return func(ctx context.Context, e *rondo.Engine, d rondo.Dialer, network, address string, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
			return d.Dial(ctx, e, network, address, p)
		}, nil
	case c.insecure && c.ca != "":
		return nil, wrong("--insecure checks nothing and --ca says what to check: give one of them.")
	}
	cfg := &tls.Config{InsecureSkipVerify: c.insecure} //nolint:gosec // if somebody wants it
	if c.ca != "" {
		text, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, wrong("--ca: there is no certificate (PEM) in %s.", c.ca)
		}
	}
	return secure.Config{TLS: cfg}.DialWith, nil
}
