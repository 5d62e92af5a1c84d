package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
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

// check refuses what does not go together.
func (c *clientTLS) check() error {
	switch {
	case !c.on && (c.insecure || c.ca != ""):
		return wrong("--insecure and --ca are for %s, which is missing.", cmp.Or(c.option, "--tls"))
	case c.insecure && c.ca != "":
		return wrong("--insecure checks nothing and --ca says what to check: give one of them.")
	}
	return nil
}

// config is nil if nothing is to be encrypted.
func (c *clientTLS) config() (*tls.Config, error) {
	if err := c.check(); err != nil || !c.on {
		return nil, err
	}
	cfg := &tls.Config{InsecureSkipVerify: c.insecure, MinVersion: tls.VersionTLS12} //nolint:gosec // if somebody wants it
	if c.ca != "" {
		var err error
		if cfg.RootCAs, err = endpoint.LoadCA(c.ca); errors.Is(err, endpoint.ErrNoCertificate) {
			return nil, wrong("--ca: %v.", err)
		} else if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
	}
	return cfg, nil
}

// dialer is how connections are made.
func (c *clientTLS) dialer() (dialFunc, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if cfg == nil {
		return func(ctx context.Context, e *rondo.Engine, d rondo.Dialer, network, address string, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
			return d.Dial(ctx, e, network, address, p)
		}, nil
	}
	return secure.Config{TLS: cfg}.DialWith, nil
}
