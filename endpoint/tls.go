package endpoint

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/pemfile"
	"github.com/rondo-go/rondo/secure"
)

// serverTLS is the configuration of a server. The files are those that it looks at again; nil if there are none.
func (x Endpoint) serverTLS(l *rondo.Loop) (*tls.Config, *secure.Files, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: x.ALPN, Time: l.Now}
	var files *secure.Files
	if x.SelfSigned {
		signed, _, err := secure.SelfSigned(l.Now())
		if err != nil {
			return nil, nil, err
		}
		config.Certificates = signed.Certificates
	} else {
		var err error
		if files, err = secure.LoadFiles(x.Cert, cmp.Or(x.Key, x.Cert)); err != nil {
			return nil, nil, err
		}
		config.GetCertificate = files.GetCertificate
	}
	if x.CA != "" {
		pool, err := x.authorities()
		if err != nil {
			return nil, nil, err
		}
		config.ClientCAs, config.ClientAuth = pool, tls.RequireAndVerifyClientCert
	}
	return config, files, nil
}

// clientTLS is the configuration of a client.
func (x Endpoint) clientTLS(l *rondo.Loop) (*tls.Config, error) {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: x.ALPN, Time: l.Now, ServerName: x.Name,
		InsecureSkipVerify: x.Insecure, //nolint:gosec // who writes insecure wants it
	}
	if x.CA != "" {
		pool, err := x.authorities()
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	if x.Cert != "" {
		files, err := secure.LoadFiles(x.Cert, cmp.Or(x.Key, x.Cert))
		if err != nil {
			return nil, err
		}
		config.GetClientCertificate = files.GetClientCertificate
	}
	return config, nil
}

// ErrNoCertificate is in LoadCA's error for a file that has none.
var ErrNoCertificate = errors.New("there is no certificate (PEM)")

// LoadCA reads the certificates (PEM) that others are signed by, from a file of at most 1 MiB: what ca= does. The error names the file. It reads a file: not on a loop.
func LoadCA(file string) (*x509.CertPool, error) {
	pem, err := pemfile.Read(file)
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("the certificates in %s cannot be read: %w", file, cause.Err)
	}
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w in %s", ErrNoCertificate, file)
	}
	return pool, nil
}

// authorities are those of ca=.
func (x Endpoint) authorities() (*x509.CertPool, error) {
	pool, err := LoadCA(x.CA)
	if err != nil {
		return nil, fmt.Errorf("endpoint: ca=: %w", err)
	}
	return pool, nil
}
