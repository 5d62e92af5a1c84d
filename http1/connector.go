package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// connector makes a connection ready: it is dialed, becomes one of TLS with the proxy, asks the proxy for a tunnel, and becomes one of TLS with the server, as far as that is wanted.
type connector struct {
	h      *clientConn
	proxy  *url.URL // nil without one
	step   connectStep
	cancel context.CancelFunc
	timer  rondo.Timer
	answer wire.Response // the proxy's
}

type connectStep uint8

const (
	dialing connectStep = iota
	securingProxy
	tunnelling
	securing
)

func (h *clientConn) dial() {
	t, l := h.pool.transport, h.pool.loop
	k := &connector{h: h, proxy: h.dialedFor.proxy}
	h.connector = k
	address := h.host.key.address
	if k.proxy != nil {
		address = hostPort(k.proxy)
	}
	var ctx context.Context
	ctx, k.cancel = context.WithCancel(context.Background())
	var f *rondo.Future[*rondo.Conn]
	if t.Connect != nil {
		f = t.Connect(ctx, l, address, h)
		k.limit(limit(t.DialTimeout, defaultDialTimeout), "connecting to "+address)
	} else {
		d := rondo.Dialer{Loop: l, Timeout: t.DialTimeout}
		f = d.Dial(ctx, l.Engine(), "tcp", address, h)
	}
	f.OnDone(func(_ *rondo.Conn, err error) {
		if err != nil {
			k.fail(err)
		}
	})
}

// made is when the connection stands, and when TLS does.
func (k *connector) made(c *rondo.Conn) {
	switch key := k.h.host.key; {
	case c.Loop() != k.h.pool.loop:
		k.fail(rondo.ErrDifferentLoops)
	case k.step == dialing && k.proxy != nil && k.proxy.Scheme == "https":
		k.secure(c, k.proxy.Hostname(), securingProxy)
	case k.step == securing || key.scheme == "http":
		k.ready(c)
	case k.proxy != nil:
		k.tunnel(c)
	default:
		k.secureServer(c)
	}
}

func (k *connector) secureServer(c *rondo.Conn) {
	host, _, _ := net.SplitHostPort(k.h.host.key.address) //nolint:errcheck // it was joined by us
	k.secure(c, host, securing)
}

func (k *connector) secure(c *rondo.Conn, host string, step connectStep) {
	t := k.h.pool.transport
	k.step = step
	k.limit(limit(t.TLSHandshakeTimeout, defaultHandshakeTimeout), "the TLS handshake with "+host)
	t.Secure(c, host, k.h).OnDone(func(_ tls.ConnectionState, err error) {
		if err != nil {
			k.fail(err)
		}
	})
}

// tunnel asks the proxy for one (RFC 9110, section 9.3.6).
func (k *connector) tunnel(c *rondo.Conn) {
	t, address := k.h.pool.transport, k.h.host.key.address
	k.step = tunnelling
	timeout := limit(t.ResponseHeaderTimeout, defaultConnectTimeout)
	k.limit(timeout, "CONNECT by the proxy "+k.proxy.Host)
	p := wire.AppendRequestLine(k.h.pool.buffer(), http.MethodConnect, address)
	p = wire.AppendField(p, "Host", address)
	if t.ProxyConnectHeader["User-Agent"] == nil {
		p = wire.AppendField(p, "User-Agent", userAgent)
	}
	if auth := proxyAuth(k.proxy); auth != "" && t.ProxyConnectHeader["Proxy-Authorization"] == nil {
		p = wire.AppendField(p, "Proxy-Authorization", auth)
	}
	for _, name := range slices.Sorted(maps.Keys(t.ProxyConnectHeader)) {
		for _, v := range t.ProxyConnectHeader[name] {
			p = wire.AppendField(p, name, v)
		}
	}
	p = append(p, "\r\n"...)
	_, _ = c.Write(p) // what fails ends the connection
	k.h.pool.keepBuffer(p)
}

// received is the proxy's answer. Nothing may be behind it: a server of TLS does not speak first.
func (k *connector) received(c *rondo.Conn, p []byte) int {
	if k.step != tunnelling {
		k.fail(errors.New("http1: the server has sent something before it was asked"))
		return len(p)
	}
	n, err := k.answer.Parse(p, &k.h.pool.limits, http.MethodConnect)
	switch {
	case err != nil:
		k.fail(err)
	case n == 0:
	case k.answer.Status < 200 && k.answer.Status != http.StatusSwitchingProtocols:
		if k.h.dialedFor.informed++; k.h.dialedFor.informed > MaxInformational {
			k.fail(fmt.Errorf("http1: the proxy has sent more than %d responses 1xx and no answer", MaxInformational))
		}
	case k.answer.Status/100 != 2:
		k.fail(&ProxyError{Proxy: k.proxy.Host, StatusCode: k.answer.Status, Reason: string(bytes.ToValidUTF8(k.answer.Reason, nil))})
	case n < len(p):
		k.fail(errors.New("http1: the proxy has sent something behind its answer to CONNECT"))
	default:
		k.timer.Stop()
		k.secureServer(c)
	}
	return n
}

// ProxyError is a proxy's answer to CONNECT that is not the tunnel which was asked for.
type ProxyError struct {
	Proxy      string // host:port
	StatusCode int
	Reason     string // of the status line
}

func (e *ProxyError) Error() string {
	return fmt.Sprintf("http1: the proxy %s does not make a connection: it says %d %s", e.Proxy, e.StatusCode, e.Reason)
}

func (k *connector) ready(c *rondo.Conn) {
	h := k.h
	k.end()
	h.secured = secured(c)
	h.dialedFor = nil
	h.host.made(h)
}

// limit bounds the present step.
func (k *connector) limit(d time.Duration, what string) {
	k.timer.Stop()
	if d > 0 {
		k.timer = k.h.pool.loop.After(d, func() { k.fail(timedOut(what)) })
	}
}

// timedOut is the error of what has taken too long: os.ErrDeadlineExceeded, and a net.Error whose Timeout is true.
type timedOut string

func (e timedOut) Error() string { return "http1: " + string(e) + " has taken too long" }

// Unwrap has errors.Is know it.
func (timedOut) Unwrap() error { return os.ErrDeadlineExceeded }

// Timeout and Temporary implement net.Error.
func (timedOut) Timeout() bool { return true }

// Temporary is true, as with package net.
func (timedOut) Temporary() bool { return true }

func (k *connector) end() {
	k.timer.Stop()
	k.cancel()
	k.h.connector = nil
}

// fail is called once in effect.
func (k *connector) fail(err error) {
	h := k.h
	if h.connector != k {
		return
	}
	k.end()
	h.is |= abandoned | gone
	if h.c != nil {
		h.c.Abort()
	}
	h.host.failed(h, err)
}

func (k *connector) lost(err error) {
	k.fail(fmt.Errorf("http1: the connection has ended before it was ready: %w", err))
}

// hostPort is the address of a URL.
func hostPort(u *url.URL) string {
	if port := u.Port(); port != "" {
		return net.JoinHostPort(u.Hostname(), port)
	}
	return net.JoinHostPort(u.Hostname(), defaultPort(u.Scheme))
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// proxyAuth is the Proxy-Authorization that a proxy's URL asks for.
func proxyAuth(u *url.URL) string {
	if u == nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
}
