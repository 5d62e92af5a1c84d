//go:build unix

package endpoint_test

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/proxyproto"
)

// hosts tells each client where it comes from, and by which version of the PROXY protocol the server knows.
type hosts struct{}

func (hosts) ConnectionMade(c *rondo.Conn) {
	v := 0
	if h := proxied.Header(c); h != nil {
		v = h.Version
	}
	host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
	_, _ = fmt.Fprintf(c, "%s v%d", host, v)
	_ = c.Close()
}
func (hosts) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (hosts) ConnectionLost(*rondo.Conn, error)        {}

// announcing is a client that is somebody else's proxy.
type announcing struct{ saying }

func (*announcing) ProxyHeader(version int) proxyproto.Header {
	return proxyproto.Header{
		Version: version, Source: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, Destination: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2},
	}
}

// A server that expects a PROXY header takes one of its versions, from whom it trusts, below TLS; and refuses others.
func TestProxy(t *testing.T) {
	for _, test := range []struct {
		server, client string // options
		hear, refused  string
	}{
		{"", "", "127.0.0.1 v0", ""},
		{"proxy=v1&trust=127.0.0.0/8", "proxy=v1", "127.0.0.1 v1", ""},
		{"proxy=v2&trust=10.0.0.1,127.0.0.1", "proxy=v2", "127.0.0.1 v2", ""},
		{"proxy=any&trust=any", "proxy=v1", "127.0.0.1 v1", ""},
		{"proxy=v1&trust=any", "proxy=v2", "", "not accepted"},
		{"proxy=v2&trust=any", "proxy=v1", "", "not accepted"},
		{"proxy=any&trust=10.0.0.0/8,unix", "proxy=v2", "", "not one of the proxies"},
	} {
		for _, kind := range []string{"tcp:", "tls:"} {
			for _, announces := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s%s/%s/%v", kind, test.server, test.client, announces), func(t *testing.T) {
					listening, dialing := test.server, test.client
					if kind == "tls:" {
						listening, dialing = strings.Trim(listening+"&selfsigned", "&"), strings.Trim(dialing+"&insecure", "&")
					}
					e := rig.New(t, rondo.Config{})
					s, err := endpoint.Listen(e.Engine, strings.TrimSuffix(kind+"127.0.0.1:0?"+listening, "?"), func() rondo.Protocol { return hosts{} })
					if err != nil {
						t.Fatal(err)
					}
					heard := make(chan string, 1)
					var p rondo.Protocol = &saying{heard: heard}
					want := test.hear
					if announces {
						p = &announcing{saying{heard: heard}}
						if test.client != "" {
							want = strings.Replace(want, "127.0.0.1", "192.0.2.1", 1)
						}
					}
					f := endpoint.Dial(t.Context(), e.Engine, strings.TrimSuffix(kind+s.Addr().String()+"?"+dialing, "?"), p)
					if test.refused == "" {
						rig.Result(t, f)
						if got := rig.Await(t, heard); got != want {
							t.Errorf("it heard %q, not %q", got, want)
						}
						return
					}
					_, err = rig.Outcome(t, f)
					e.Log.Await(t, test.refused)
					if kind == "tls:" {
						if err == nil {
							t.Error("a handshake behind a header that is refused")
						}
						e.Log.Discard("a handshake failed")
					} else if err == nil {
						if got := rig.Await(t, heard); got != "" {
							t.Errorf("it heard %q", got)
						}
					}
				})
			}
		}
	}
}

// Who has a proxy must say whom it trusts, and a client sends one version.
func TestProxyRefused(t *testing.T) {
	for s, why := range map[string]string{
		":80?proxy=v3":                           "v1, v2 or any",
		":80?proxy=":                             "v1, v2 or any",
		":80?trust=any":                          "proxy is not there",
		":80?proxy=v1&trust=":                    "networks like",
		":80?proxy=v1&trust=localhost":           "networks like",
		":80?proxy=v1&trust=10.0.0.0/33":         "networks like",
		":80?proxy=v1&trust=any,":                "networks like",
		":80?proxy=v1&trust=fe80::1%25eth0":      "networks like",
		":80?proxy=v1&trust=10.0.0.0/8,::1,unix": "",
	} {
		if _, err := endpoint.Parse(s); (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v; it was to be refused for %q", s, err, why)
		}
	}
	e := rig.New(t, rondo.Config{})
	if _, err := endpoint.Listen(e.Engine, "127.0.0.1:0?proxy=v1", func() rondo.Protocol { return hosts{} }); err == nil || !strings.Contains(err.Error(), "by trust") {
		t.Error(err)
	}
	for s, why := range map[string]string{"127.0.0.1:1?proxy=any": "one version", "127.0.0.1:1?proxy=v1&trust=any": "for listening"} {
		if _, err := endpoint.DialNet(t.Context(), e.Engine, s); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Net.Listeners and net.Conns are of any endpoint too.
func TestNet(t *testing.T) {
	for _, kind := range []string{"tcp:", "unix:", "tls:tcp:", "tls:unix:"} {
		t.Run(kind, func(t *testing.T) {
			place, listening, dialing := "127.0.0.1:0", "?proxy=v2&trust=any", "?proxy=v2"
			if strings.HasSuffix(kind, "unix:") {
				place = filepath.Join(t.TempDir(), "s")
			}
			if kind[:2] == "tl" {
				listening, dialing = listening+"&selfsigned", dialing+"&insecure"
			}
			e := rig.New(t, rondo.Config{})
			ln, err := endpoint.ListenNet(e.Engine, kind+place+listening)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, err := ln.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
			c, err := endpoint.DialNet(t.Context(), e.Engine, kind+ln.Addr().String()+dialing)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Repeat("0123456789", 20_000)
			go func() {
				_, _ = io.WriteString(c, text)
				_ = c.(interface{ CloseWrite() error }).CloseWrite()
			}()
			if got, err := io.ReadAll(c); string(got) != text || err != nil {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
			_ = c.Close()
			rig.Await(t, done)
			if err := ln.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	e := rig.New(t, rondo.Config{})
	if _, err := endpoint.ListenNet(e.Engine, "stdio:"); err == nil || !strings.Contains(err.Error(), "one connection") {
		t.Error(err)
	}
	if _, err := endpoint.DialNet(t.Context(), e.Engine, "127.0.0.1:x:y"); err == nil {
		t.Error("connected to nothing")
	}
}

// Curl sends a header of version 1 of its own.
func TestProxyCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not there")
	}
	e := rig.New(t, rondo.Config{})
	s, err := endpoint.Listen(e.Engine, "tls:127.0.0.1:0?selfsigned&proxy=v1&trust=127.0.0.1", func() rondo.Protocol { return http{} })
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("curl", "-sk", "--http1.1", "--max-time", "20", "--haproxy-protocol", "https://"+s.Addr().String()+"/").CombinedOutput()
	if string(out) != "127.0.0.1 v1" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// http is just enough for curl.
type http struct{ hosts }

func (h http) ConnectionMade(*rondo.Conn) {}
func (h http) DataReceived(c *rondo.Conn, p []byte) int {
	if strings.HasSuffix(string(p), "\r\n\r\n") {
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\n")
		h.hosts.ConnectionMade(c)
		return len(p)
	}
	return 0
}
