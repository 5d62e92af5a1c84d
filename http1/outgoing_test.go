package http1_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

// TestWrongContentLength has a body that is not as long as the request says: the server must not take what comes for a whole request.
func TestWrongContentLength(t *testing.T) {
	for _, length := range []int64{3, 5} { // of 4 bytes
		for _, stream := range []bool{false, true} {
			var whole atomic.Int32
			at := scripted(t, func(p *peer) {
				if _, body, ok := p.request(); ok && length > 4 {
					t.Errorf("the server got %q", body)
				}
				whole.Add(1)
				_, _ = io.Copy(io.Discard, p)
			})
			var body io.Reader = strings.NewReader("body")
			if stream {
				body = struct{ io.Reader }{body}
			}
			req := request(t, "POST", at, body)
			req.ContentLength = length
			res, err := transport(t).RoundTrip(req)
			if err == nil {
				res.Body.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "ContentLength") {
				t.Errorf("of %d bytes: %v", length, err)
			}
			rig.Eventually(t, "the connection is gone", func() bool { return whole.Load() == 1 })
		}
	}
}

// TestReaderIsSlow has a caller that does not read: the server stands, and nothing is gathered without end.
func TestReaderIsSlow(t *testing.T) {
	var written atomic.Int64
	at := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 1000 {
			n, err := w.Write(make([]byte, 64<<10))
			if err != nil {
				return
			}
			if r.URL.Path == "/slow" {
				written.Add(int64(n))
			}
		}
	})})
	tr := transport(t)
	res, err := tr.RoundTrip(request(t, "GET", "http://"+at+"/slow", nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // in the time of which the first would be over, if nothing held it
		other, err := tr.RoundTrip(request(t, "GET", "http://"+at+"/fast", nil))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, other.Body); n != 1000*64<<10 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		other.Body.Close()
	}
	if n := written.Load(); n > 32<<20 { // of 64 MiB: what fits in the kernel, and in two windows
		t.Errorf("%d bytes were written for a client that does not read", n)
	}
	if n, err := io.Copy(io.Discard, res.Body); n != 1000*64<<10 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	res.Body.Close()
}

// TestCancelWhileConnecting gives up what is being connected for nobody else.
func TestCancelWhileConnecting(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	dialed, gone := make(chan struct{}, 1), make(chan struct{})
	connect := func(ctx context.Context, l *rondo.Loop, _ string, _ rondo.Protocol) *rondo.Future[*rondo.Conn] {
		context.AfterFunc(ctx, func() { close(gone) })
		dialed <- struct{}{}
		return rondo.NewPromise[*rondo.Conn](l).Future()
	}
	c := &http1.Client{Transport: &http1.Transport{Connect: connect}}
	ctx, cancel := context.WithCancel(t.Context())
	f := c.Fetch(e.Loop(), request(t, "GET", "http://host/", nil).WithContext(ctx))
	rig.Await(t, dialed)
	cancel()
	if _, err := rig.Outcome(t, f); err == nil {
		t.Error("no error")
	}
	rig.Await(t, gone)
}

// TestProxySaysTooMuch has a proxy that sends something behind its answer to CONNECT, which would be taken for the server's.
func TestProxySaysTooMuch(t *testing.T) {
	for says, want := range map[string]string{
		"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01":                                   "behind its answer",
		"HTTP/1.1 103 Early Hints\r\n\r\n" + "HTTP/1.1 502 Bad Gateway\r\n\r\n": "502 Bad Gateway",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n":                              "101 Switching",
		"SSH-2.0\r\n": "HTTP/",
		strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 10): "1xx",
		"": "before it was ready",
	} {
		at := scripted(t, func(p *peer) {
			if r, err := http.ReadRequest(p.in); err == nil && r.Method == http.MethodConnect && r.Host == "server:443" {
				p.say(says)
			}
			if says != "" {
				_, _ = io.Copy(io.Discard, p)
			}
		})
		proxy, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		e := rig.New(t, rondo.Config{})
		c := &http1.Client{Transport: &http1.Transport{Proxy: http.ProxyURL(proxy), Secure: neverSecure}}
		_, err = rig.Outcome(t, c.Fetch(e.Loop(), request(t, "GET", "https://server/", nil)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v", says, err)
		}
		rig.Eventually(t, "the connection is gone", func() bool { return e.Conns() == 0 })
	}
}

// neverSecure is a Transport.Secure for connections that do not get as far.
func neverSecure(c *rondo.Conn, _ string, _ rondo.Protocol) *rondo.Future[tls.ConnectionState] {
	return rondo.Rejected[tls.ConnectionState](c.Loop(), errors.New("TLS was begun"))
}
