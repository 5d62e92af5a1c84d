package proxied_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/proxyproto"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	background = context.Background()
	loopback   = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
)

const (
	line1  = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
	client = "192.0.2.1:56324"
)

// teller says whom it speaks to, and then echoes.
type teller struct{}

func (teller) ConnectionMade(c *rondo.Conn) {
	about := "nothing"
	if h := proxied.Header(c); h != nil {
		about = fmt.Sprintf("v%d local=%v to %v", h.Version, h.Local, h.Destination)
		if v, ok := h.TLV(proxyproto.Authority); ok {
			about += " for " + string(v)
		}
	}
	addr := c.RemoteAddr().String()
	if t, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		addr = t.AddrPort().String() // which tells IPv4 from IPv4 in IPv6
	}
	_, _ = fmt.Fprintf(c, "%v, %s\n", addr, about)
}

func (teller) DataReceived(c *rondo.Conn, p []byte) int { _, _ = c.Write(p); return len(p) }
func (teller) ConnectionLost(*rondo.Conn, error)        {}

func newTeller() rondo.Protocol { return teller{} }

func serve(t *testing.T, cfg proxied.Config, accept func() rondo.Protocol) (*rig.Engine, string) {
	t.Helper()
	e := rig.New(t, rondo.Config{})
	ln, err := e.Listen("tcp", "127.0.0.1:0", cfg.Server(accept))
	if err != nil {
		t.Fatal(err)
	}
	return e, ln.Addr().String()
}

func append2(t *testing.T, h proxyproto.Header) string {
	t.Helper()
	h.Version = 2
	p, err := proxyproto.Append(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

// The protocol sees whom the proxy has named, and all that follows the header; at once or a byte at a time.
func TestServer(t *testing.T) {
	a, b := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 56324}, &net.TCPAddr{IP: net.IPv4(198, 51, 100, 2), Port: 443}
	for _, test := range []struct{ name, header, says string }{
		{"v1", line1, client + ", v1 local=false to 198.51.100.2:443"},
		{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", "SELF, v1 local=false to <nil>"},
		{"v1 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::1 56324 443\r\n", client + ", v1 local=false to [::1]:443"},
		{"v2", append2(t, proxyproto.Header{
			Source: a, Destination: b, Checksum: true, TLVs: []proxyproto.TLV{{Type: proxyproto.Authority, Value: []byte("example.com")}},
		}), client + ", v2 local=false to 198.51.100.2:443 for example.com"},
		{"v2 LOCAL", append2(t, proxyproto.Header{Local: true}), "SELF, v2 local=true to <nil>"},
		{"v2 Unix", append2(t, proxyproto.Header{Source: &net.UnixAddr{Name: "/a"}, Destination: &net.UnixAddr{Name: "@b"}}), "/a, v2 local=false to @b"},
	} {
		for _, piece := range []int{1, 7, 1000} {
			t.Run(fmt.Sprintf("%s/%d", test.name, piece), func(t *testing.T) {
				_, addr := serve(t, proxied.Config{Trust: loopback}, newTeller)
				c := rig.Dial(t, addr)
				says := strings.Replace(test.says, "SELF", c.LocalAddr().String(), 1) + "\n"
				_ = c.SetNoDelay(true)
				for rest := test.header + "hello"; rest != ""; {
					n := min(piece, len(rest))
					rig.Send(t, c, rest[:n])
					rest = rest[n:]
				}
				rig.Expect(t, c, says+"hello")
				rig.Send(t, c, " and more")
				if err := c.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				rig.ExpectEnd(t, c, " and more")
			})
		}
	}
}

// keeper tells what it finds in the header when more has come since.
type keeper struct{ teller }

func (keeper) ConnectionMade(c *rondo.Conn) { _, _ = io.WriteString(c, "ready ") }
func (keeper) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(proxied.Header(c).TLVs[0].Value)
	return len(p)
}

// The header is the connection's to keep, though its bytes were the loop's.
func TestHeaderStays(t *testing.T) {
	_, addr := serve(t, proxied.Config{Trust: loopback}, func() rondo.Protocol { return keeper{} })
	c := rig.Dial(t, addr)
	rig.Send(t, c, append2(t, proxyproto.Header{TLVs: []proxyproto.TLV{{Type: 0xe0, Value: []byte("value")}}}))
	rig.Expect(t, c, "ready ")
	rig.Send(t, c, strings.Repeat("x", 100))
	rig.Expect(t, c, "value")
}

// A header comes before TLS's first record, which may be in the same packet.
func TestBelowTLS(t *testing.T) {
	cert, pool := rig.Certificate(t)
	server := secure.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}
	_, addr := serve(t, proxied.Config{Trust: loopback}, server.Server(newTeller))
	c := tls.Client(&prefixed{Conn: rig.Dial(t, addr), prefix: line1}, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	rig.Send(t, c, "hello")
	rig.Expect(t, c, client+", v1 local=false to 198.51.100.2:443\nhello")
	_ = c.Close()
}

// prefixed sends something in front of the first bytes, in one packet with them.
type prefixed struct {
	net.Conn
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	_, err := p.Conn.Write(append([]byte(p.prefix), b...))
	p.prefix = ""
	return len(b), err
}

// Whoever lies is reset, and the log says why.
func TestRefused(t *testing.T) {
	v2 := append2(t, proxyproto.Header{Source: &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 1}, Destination: &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 2}})
	other := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		name, sent, says string
		cfg              proxied.Config
	}{
		{"garbage", "GET / HTTP/1.1\r\n\r\n", "neither version", proxied.Config{Trust: loopback}},
		{"port", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n", "no port", proxied.Config{Trust: loopback}},
		{"no CRLF", "PROXY UNKNOWN " + strings.Repeat("x", 93), "no CRLF", proxied.Config{Trust: loopback}},
		{"long", v2[:14] + "\x10\x00", "longer than the limit of 4096", proxied.Config{Trust: loopback}},
		{"limit", v2, "longer than the limit of 27", proxied.Config{Trust: loopback, MaxHeader: 27}},
		{"datagram", v2[:13] + "\x12" + v2[14:], "datagram", proxied.Config{Trust: loopback}},
		{"version 1", line1, "not accepted here", proxied.Config{Trust: loopback, Versions: proxied.V2}},
		{"version 2", v2, "not accepted here", proxied.Config{Trust: loopback, Versions: proxied.V1}},
		{"untrusted", "", "not one of the proxies", proxied.Config{Trust: other}},
		{"untrusted TCP", "", "not one of the proxies", proxied.Config{TrustUnix: true}},
		{"late", "PROXY TCP4", "timeout", proxied.Config{Trust: loopback, Timeout: time.Millisecond}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, addr := serve(t, test.cfg, func() rondo.Protocol { t.Error("a protocol was made"); return nil })
			c, err := net.Dial("tcp", addr)
			if errors.Is(err, syscall.ECONNRESET) { // as soon as that
				e.Log.Await(t, test.says)
				return
			} else if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, test.sent) // it may be reset already
			e.Log.Await(t, test.says)
			if p, err := io.ReadAll(c); err == nil || len(p) > 0 {
				t.Errorf("read %q, %v; want a reset", p, err)
			}
		})
	}
}

// A peer that goes before its header is there was no proxy's client, and no mistake.
func TestPartial(t *testing.T) {
	e, addr := serve(t, proxied.Config{Trust: loopback}, func() rondo.Protocol { t.Error("a protocol was made"); return nil })
	c := rig.Dial(t, addr)
	rig.Send(t, c, line1[:len(line1)-1])
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rig.ExpectEnd(t, c, "")
	e.Log.Await(t, "before its PROXY header")
}

// Nobody is trusted who is not named.
func TestNobodyTrusted(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	proxied.Config{}.Server(newTeller)
}

// Choose is told the header, and may have no protocol for it.
func TestChoose(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ln, err := e.Listen("tcp", "127.0.0.1:0", proxied.Config{Trust: loopback}.Choose(func(h *proxyproto.Header) rondo.Protocol {
		if h.Source == nil {
			return nil
		}
		return teller{}
	}))
	if err != nil {
		t.Fatal(err)
	}
	c := rig.Dial(t, ln.Addr().String())
	rig.Send(t, c, "PROXY UNKNOWN\r\n")
	rig.ExpectEnd(t, c, "")
	c = rig.Dial(t, ln.Addr().String())
	rig.Send(t, c, line1)
	rig.Expect(t, c, client)
}

// A Unix socket's peers have no address: they are trusted or not.
func TestUnix(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	path := filepath.Join(t.TempDir(), "s")
	ln, err := e.Listen("unix", path, proxied.Config{TrustUnix: true}.Server(newTeller))
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.DialContext(background, "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	rig.Send(t, c, line1)
	rig.Expect(t, c, client)
	_ = c.Close()
	_ = ln.Close()
	if ln, err = e.Listen("unix", path, proxied.Config{Trust: loopback}.Server(newTeller)); err != nil {
		t.Fatal(err)
	}
	if c, err = e.DialContext(background, "unix", path); err != nil {
		t.Fatal(err)
	}
	e.Log.Await(t, "not one of the proxies")
	_ = c.Close()
	_ = ln.Close()
}

// collector keeps what it receives until the end.
type collector struct {
	got  []byte
	made bool
	done chan string
}

func (p *collector) ConnectionMade(*rondo.Conn) { p.made = true }
func (p *collector) DataReceived(_ *rondo.Conn, data []byte) int {
	p.got = append(p.got, data...)
	return len(data)
}

func (p *collector) ConnectionLost(_ *rondo.Conn, err error) {
	p.done <- fmt.Sprintf("%v %q %v", p.made, p.got, err)
}

// A proxy says whom it passes on, also below TLS.
func TestSend(t *testing.T) {
	cert, pool := rig.Certificate(t)
	header := proxyproto.Header{Version: 1, Source: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 56324}, Destination: &net.TCPAddr{IP: net.IPv4(198, 51, 100, 2), Port: 443}}
	d := rondo.Dialer{Wrap: proxied.Send(func(*rondo.Conn) proxyproto.Header { return header })}
	for _, encrypted := range []bool{false, true} {
		accept := newTeller
		if encrypted {
			accept = secure.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}}.Server(newTeller)
		}
		e, addr := serve(t, proxied.Config{Trust: loopback}, accept)
		p := &collector{done: make(chan string, 1)}
		var f *rondo.Future[*rondo.Conn]
		if encrypted {
			f = secure.Config{TLS: &tls.Config{RootCAs: pool, ServerName: "localhost"}}.DialWith(background, e.Engine, d, "tcp", addr, p)
		} else {
			f = d.Dial(background, e.Engine, "tcp", addr, p)
		}
		c := rig.Result(t, f)
		rig.On(t, c.Loop(), func() { _ = c.CloseWrite() })
		if got, want := rig.Await(t, p.done), fmt.Sprintf("true %q EOF", client+", v1 local=false to 198.51.100.2:443\n"); got != want {
			t.Errorf("encrypted %v: %s, want %s", encrypted, got, want)
		}
	}
}

// What cannot be said is not passed on without being said.
func TestSendNothing(t *testing.T) {
	e, addr := serve(t, proxied.Config{Trust: loopback}, newTeller)
	p := &collector{done: make(chan string, 1)}
	d := rondo.Dialer{Wrap: proxied.Send(func(*rondo.Conn) proxyproto.Header { return proxyproto.Header{Version: 3} })}
	rig.Result(t, d.Dial(background, e.Engine, "tcp", addr, p))
	e.Log.Await(t, "for want of a PROXY header")
	if got := rig.Await(t, p.done); !strings.Contains(got, rondo.ErrAborted.Error()) {
		t.Error(got)
	}
	e.Log.Await(t, "before its PROXY header")
}

// In a simulation a header is cut, slow and lost like all else: who gets through is who the proxy said.
func TestSim(t *testing.T) {
	faults := sim.Faults{Lose: 0.1, Reset: 0.1, Stall: 0.2, Cut: 0.7, Pause: 2 * time.Second, Until: 20 * time.Second}
	through := 0
	sim.Search(t, 50, sim.Config{Faults: faults}, func(w *sim.World) {
		any4 := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		w.Host("server").Start(func(h *sim.Host) error {
			_, err := h.Engine().Listen("tcp", ":7", proxied.Config{Trust: any4, Timeout: time.Minute}.Server(newTeller))
			return err
		})
		e := w.Host("proxy").Engine()
		d := rondo.Dialer{Wrap: proxied.Send(func(*rondo.Conn) proxyproto.Header {
			return proxyproto.Header{
				Version: 2, Checksum: true, TLVs: []proxyproto.TLV{{Type: 0xe0, Value: make([]byte, 2000)}},
				Source: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 56324}, Destination: &net.TCPAddr{IP: net.IPv4(198, 51, 100, 2), Port: 443},
			}
		})}
		c, err := d.DialContext(background, e, "tcp", "server:7")
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(e.Loop().Now().Add(time.Minute))
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		got, err := io.ReadAll(c)
		want := client + ", v2 local=false to 198.51.100.2:443\n"
		switch {
		case !strings.HasPrefix(want, string(got)):
			w.Errorf("got %q", got)
		case err == nil && string(got) == want:
			through++
		}
	})
	if through < 10 {
		t.Errorf("only %d got through", through)
	}
}

var _ error = (*proxied.RefusedError)(nil)

func TestRefusedError(t *testing.T) {
	err := error(&proxied.RefusedError{Peer: &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 5}, Err: proxied.ErrUntrusted})
	if !errors.Is(err, proxied.ErrUntrusted) || !strings.Contains(err.Error(), "1.2.3.4:5") {
		t.Error(err)
	}
}
