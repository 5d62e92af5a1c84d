package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
	"golang.org/x/sys/unix"
)

// The servers of -tls, and the load's side of it.

// certificate is made anew by each server. The load takes any.
func certificate() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, err
}

func serveRondoTLS(ctx context.Context, addr, poller string) error {
	cfg, err := certificate()
	if err != nil {
		return err
	}
	return serveRondo(ctx, addr, poller, secure.Config{TLS: cfg}.Server(func() rondo.Protocol { return echo{} }))
}

// serveBareTLS is the least that crypto/tls can cost: a bare epoll loop, one recv and one send for each message, and in between
// nothing but the two calls of a tls.Conn, which keeps its buffers.
func serveBareTLS(addr string) error {
	cfg, err := certificate()
	if err != nil {
		return err
	}
	type secured struct {
		*tls.Conn
		open bool
	}
	var conns []secured // by descriptor
	buffer := make([]byte, maxSize)
	accepted := func(fd int) error {
		conns = append(conns, make([]secured, max(0, fd+1-len(conns)))...)
		conns[fd] = secured{Conn: tls.Server(&wire{fd: fd}, cfg)}
		return nil
	}
	return bareLoop(addr, accepted, func(fd int) bool {
		c := &conns[fd]
		if !c.open { // the others wait for its handshake: the load opens one after the other
			c.open = true
			err := errors.Join(unix.SetNonblock(fd, false), c.Handshake(), unix.SetNonblock(fd, true))
			return err == nil
		}
		n, err := c.Read(buffer)
		if err == errAgain { //nolint:errorlint // ours
			return true
		}
		if err != nil {
			return false
		}
		_, err = c.Write(buffer[:n])
		return err == nil
	})
}

func listenTLS(ctx context.Context, addr string) (net.Listener, error) {
	cfg, err := certificate()
	if err != nil {
		return nil, err
	}
	ln, err := tls.Listen("tcp", addr, cfg)
	if err == nil {
		context.AfterFunc(ctx, func() { ln.Close() })
	}
	return ln, err
}

func serveNetTLS(ctx context.Context, addr string, size int) error {
	ln, err := listenTLS(ctx, addr)
	if err != nil {
		return err
	}
	return echoEach(ctx, ln, size)
}

// serveHTTPTLS answers a request with a body of as many bytes as the message has.
func serveHTTPTLS(ctx context.Context, addr string, size int) error {
	ln, err := listenTLS(ctx, addr)
	if err != nil {
		return err
	}
	body := make([]byte, size)
	err = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(body) }))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// wire has a tls.Conn read and write a descriptor. When that would block, errAgain makes Read return and keep what it has.
type wire struct {
	fd       int
	blocking bool // as during the handshake, and for idle connections
}

func (w *wire) Read(p []byte) (int, error) {
	if w.blocking {
		var n int
		err := retry(func() (err error) {
			n, err = unix.Read(w.fd, p)
			return err
		})
		switch {
		case err == unix.EAGAIN: //nolint:errorlint // a bare errno
			return 0, fmt.Errorf("no answer for %v", patience)
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
	n, errno := recv(w.fd, p)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, errAgain
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (w *wire) Write(p []byte) (n int, err error) {
	if w.blocking {
		err = retry(func() (err error) {
			n, err = unix.Write(w.fd, p)
			return err
		})
	} else {
		var errno syscall.Errno
		if n, errno = send(w.fd, p); errno != 0 {
			err = errno
		}
	}
	if err == nil && n < len(p) {
		err = shortWrite(n, p)
	}
	return n, err
}

func (*wire) Close() error                     { return nil }
func (*wire) LocalAddr() net.Addr              { return nil }
func (*wire) RemoteAddr() net.Addr             { return nil }
func (*wire) SetDeadline(time.Time) error      { return nil }
func (*wire) SetReadDeadline(time.Time) error  { return nil }
func (*wire) SetWriteDeadline(time.Time) error { return nil }

type againError struct{ error }

func (againError) Timeout() bool   { return false }
func (againError) Temporary() bool { return true }

var errAgain net.Error = againError{errors.New("nothing to read now")}

// trusting is the load's configuration.
var trusting = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // it measures

// connectTLS is connect with a handshake; until the caller says otherwise the connection blocks.
func connectTLS(server netip.AddrPort, i int) (*wire, *tls.Conn, error) {
	fd, err := connect(server, i)
	if err != nil {
		return nil, nil, err
	}
	w := &wire{fd: fd, blocking: true}
	c := tls.Client(w, trusting)
	if err := c.Handshake(); err != nil {
		unix.Close(fd)
		return nil, nil, fmt.Errorf("handshake: %w", err)
	}
	return w, c, nil
}

// holdTLS is hold over TLS. The server of HTTP is asked for a page in place of the message.
func holdTLS(server netip.AddrPort, conns, size int, pages bool) (h held, err error) {
	sheet := newSheet(size)
	defer func() {
		if err != nil {
			h.release()
			h = nil
		}
	}()
	for i := range conns {
		w, c, err := connectTLS(server, i)
		if err != nil {
			return h, fmt.Errorf("connection %d of %d: %w", i+1, conns, err)
		}
		h = append(h, w.fd)
		if pages {
			err = get(c, size)
		} else {
			err = exchangeTLS(c, sheet.message(i, 0))
		}
		if err != nil {
			return h, fmt.Errorf("connection %d of %d: %w", i+1, conns, err)
		}
	}
	return h, nil
}

func exchangeTLS(c *tls.Conn, message []byte) error {
	if _, err := c.Write(message); err != nil {
		return err
	}
	answer := make([]byte, len(message))
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	return verify(message, 0, answer)
}

// get asks for a page of that size on a connection that stays open.
func get(c *tls.Conn, size int) error {
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || n != int64(size)) {
		err = fmt.Errorf("the answer was %s and %d bytes", answer.Status, n)
	}
	return err
}
