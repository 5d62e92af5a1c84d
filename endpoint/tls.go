package endpoint

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/rondo-go/rondo"
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
		pool, err := loadCA(x.CA)
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
		pool, err := loadCA(x.CA)
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

// loadCA reads certificates that others are signed by.
func loadCA(name string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("endpoint: reading the certificates of ca=: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("endpoint: there is no certificate (PEM) in %s, which ca= names", name)
	}
	return pool, nil
}
