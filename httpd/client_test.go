package httpd_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/httpd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// secureServers are net/http's, and rondo's. cfg trusts both.
func secureServers(t *testing.T, h http.HandlerFunc) (urls map[string]string, cfg *tls.Config, e *rig.Engine) {
	t.Helper()
	theirs := httptest.NewTLSServer(h)
	t.Cleanup(theirs.Close)
	cert, roots := rig.Certificate(t)
	roots.AddCert(theirs.Certificate())
	e = rig.New(t, rondo.Config{})
	s := secure.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: httpd.Protocols}} //nolint:gosec // the default is right
	ln, err := e.Listen("tcp", "127.0.0.1:0", s.Server(httpd.Protocol(&http1.Server{Handler: h})))
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return map[string]string{"net/http": theirs.URL, "rondo": "https://localhost:" + port}, &tls.Config{RootCAs: roots}, e //nolint:gosec // likewise
}

func proto(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, r.Proto+" "+r.TLS.NegotiatedProtocol) //nolint:errcheck // the client will see
}

// TestSecureClient fetches by https, twice over one connection.
func TestSecureClient(t *testing.T) {
	urls, cfg, _ := secureServers(t, proto)
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			c := &http.Client{Transport: httpd.Transport(rig.New(t, rondo.Config{}).Engine, cfg)}
			for range 2 {
				res, err := c.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				if err != nil || string(got) != "HTTP/1.1 http/1.1" || res.TLS == nil || !res.TLS.HandshakeComplete {
					t.Errorf("%q, %v, %v", got, err, res.TLS)
				}
			}
		})
	}
}

// TestSecureClientDistrusts has a client that does not know who signed.
func TestSecureClientDistrusts(t *testing.T) {
	urls, _, server := secureServers(t, proto)
	for name, url := range urls {
		if name != "rondo" {
			continue // net/http's would log it
		}
		e := rig.New(t, rondo.Config{})
		_, err := httpd.Client(nil).Fetch(e.Loop(), newRequest(t, url)).Wait(t.Context())
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			t.Error(err)
		}
		e.Log.Await(t, "secure: a handshake failed")
		server.Log.Await(t, "secure: a handshake failed")
	}
}

func newRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestTunnel fetches by https through a proxy, which must only see CONNECT, and by http, when it sees the whole URL.
func TestTunnel(t *testing.T) {
	urls, cfg, _ := secureServers(t, proto)
	var connects atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Proxy-Authorization"); got != "Basic dTpw" {
			http.Error(w, "who are you?", http.StatusProxyAuthRequired)
			return
		}
		if r.Method != http.MethodConnect {
			io.WriteString(w, "proxied "+r.RequestURI) //nolint:errcheck // the client will see
			return
		}
		connects.Add(1)
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n") //nolint:errcheck // likewise
		go func() {
			io.Copy(there, bufio.NewReader(buffered)) //nolint:errcheck // the end is the end
			there.Close()
		}()
		io.Copy(here, there) //nolint:errcheck // likewise
		here.Close()
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("u", "p")
	tr := httpd.Transport(rig.New(t, rondo.Config{}).Engine, cfg)
	tr.Proxy = http.ProxyURL(at)
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}
	for _, q := range []struct{ url, want string }{
		{urls["rondo"], "HTTP/1.1 http/1.1"},
		{urls["rondo"], "HTTP/1.1 http/1.1"},
		{urls["net/http"], "HTTP/1.1 http/1.1"},
		{"http://nowhere.invalid/a?b", "proxied http://nowhere.invalid/a?b"},
		{"http://elsewhere.invalid", "proxied http://elsewhere.invalid/"},
	} {
		res, err := c.Get(q.url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(res.Body); err != nil || string(got) != q.want {
			t.Errorf("%s: %q, %v", q.url, got, err)
		}
	}
	if n := connects.Load(); n != 2 {
		t.Errorf("%d tunnels for two servers", n)
	}

	at.User = nil
	tr2 := httpd.Transport(tr.Engine, cfg)
	tr2.Proxy = http.ProxyURL(at)
	_, err = (&http.Client{Transport: tr2}).Get(urls["rondo"])
	if refused, ok := errors.AsType[*http1.ProxyError](err); !ok || refused.StatusCode != http.StatusProxyAuthRequired || !strings.Contains(err.Error(), at.Host) {
		t.Error(err)
	}
}

// TestHandshakeTakesTooLong has a server that does not speak TLS, nor anything else.
func TestHandshakeTakesTooLong(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	e := rig.New(t, rondo.Config{})
	c := httpd.Client(nil)
	c.Transport.TLSHandshakeTimeout = 20 * time.Millisecond
	_, err = rig.Outcome(t, c.Fetch(e.Loop(), newRequest(t, "https://"+ln.Addr().String())))
	if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "handshake") {
		t.Error(err)
	}
	e.Log.Await(t, "secure: a handshake failed")
}
