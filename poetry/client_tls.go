package poetry

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"github.com/rondo-go/rondo/secure"
)

// handshake makes the connection secure, in what is left of the time that the server has to say something.
func (c *Client) handshake(ctx context.Context, plain net.Conn, address Address, began time.Time) (net.Conn, error) {
	deadline := c.now().Add(handshakeTimeout)
	if c.Timeout > 0 {
		deadline = began.Add(c.Timeout)
	}
	if err := plain.SetDeadline(deadline); err != nil {
		return nil, err
	}
	cfg := c.TLS
	if cfg.ServerName == "" && !cfg.InsecureSkipVerify {
		cfg = cfg.Clone()
		cfg.ServerName = address.Host
	}
	conn := &securedConn{raw: endWatcher{Conn: plain}}
	conn.Conn = tls.Client(&conn.raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn, plain.SetDeadline(time.Time{})
}

// securedConn tells the end that TLS says from one that whoever is between could have made: crypto/tls takes either for io.EOF.
type securedConn struct {
	*tls.Conn
	raw endWatcher
}

func (c *securedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && c.raw.ended { //nolint:errorlint // bare by io.Reader's contract
		err = secure.ErrNoCloseNotify
	}
	return n, err
}

// endWatcher knows whether it was read to its end.
type endWatcher struct {
	net.Conn
	ended bool
}

func (w *endWatcher) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.ended = err == io.EOF //nolint:errorlint // bare by io.Reader's contract
	return n, err
}
