package secure_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
)

// listen starts an echo server with TLS on a host.
func listen(server *tls.Config) func(h *sim.Host) error {
	return func(h *sim.Host) error {
		_, err := h.Engine().Listen("tcp", ":443", secure.Config{TLS: server}.Server(stream.Handle(echoHandler)))
		return err
	}
}

// dialTLS is a net.Conn over a secure connection.
func dialTLS(w *sim.World, e *rondo.Engine, client *tls.Config) (net.Conn, error) {
	p := &netProtocol{}
	ctx, cancel := w.WithTimeout(background, 30*time.Second)
	defer cancel()
	if _, err := (secure.Config{TLS: client}).Dial(ctx, e, "tcp", "server:443", p).Wait(ctx); err != nil {
		return nil, err
	}
	return p.conn, nil
}

// netProtocol becomes a net.Conn.
type netProtocol struct{ conn net.Conn }

func (p *netProtocol) ConnectionMade(c *rondo.Conn)                { p.conn = rondo.NetConn(c) }
func (p *netProtocol) DataReceived(_ *rondo.Conn, data []byte) int { return len(data) }
func (p *netProtocol) ConnectionLost(*rondo.Conn, error)           {}

// Whatever goes wrong, what comes back is what was sent, from its beginning, and an end that was not in order is an error.
func TestChaos(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	seeds := 100
	if testing.Short() {
		seeds = 10
	}
	faults := sim.Faults{
		Refuse: 0.05, Lose: 0.1, Abort: 0.05, Reset: 0.2, Stall: 0.2, Cut: 0.5, Pause: 5 * time.Second, Partition: 5 * time.Second, Until: 20 * time.Second,
	}
	whole := 0
	sim.Search(t, seeds, sim.Config{Faults: faults}, func(w *sim.World) {
		w.Host("server").Start(listen(server))
		e := w.Host("client").Engine()
		for range 3 {
			c, err := dialTLS(w, e, client)
			if err != nil {
				w.Sleep(time.Second)
				continue
			}
			_ = c.SetDeadline(e.Loop().Now().Add(time.Minute))
			want := bytes.Repeat([]byte("to be whole "), 1+w.Rand().IntN(5000))
			w.Host("client").Go(func() {
				_, _ = c.Write(want)
				_ = c.(interface{ CloseWrite() error }).CloseWrite()
			})
			got, err := io.ReadAll(c)
			switch {
			case !bytes.HasPrefix(want, got):
				w.Errorf("other bytes came back")
			case err == nil && len(got) < len(want):
				w.Errorf("%d bytes of %d, and an end in good order", len(got), len(want))
			case err == nil:
				whole++
			}
			_ = c.Close()
		}
	})
	if whole < seeds {
		t.Errorf("only %d of %d came back", whole, 3*seeds)
	}
}

// recorder notes what a client sends in its handshake.
type recorder struct {
	net.Conn
	sent bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.sent.Write(p)
	return r.Conn.Write(p)
}

// lost is a protocol that tells why its connection was lost, and what it has received.
type lost struct {
	got    []byte
	heard  chan struct{} // closed at the first data; may be nil
	reason chan error
}

func (*lost) ConnectionMade(*rondo.Conn) {}
func (l *lost) DataReceived(_ *rondo.Conn, p []byte) int {
	if len(l.got) == 0 && l.heard != nil {
		close(l.heard)
	}
	l.got = append(l.got, p...)
	return len(p)
}
func (l *lost) ConnectionLost(_ *rondo.Conn, err error) { l.reason <- err }

// What a hostile or broken peer sends ends the connection with a reason, and its alert where there is one.
func TestEndings(t *testing.T) {
	for name, version := range versions {
		for _, c := range []struct {
			name string
			end  func(c *tls.Conn, raw net.Conn)
			want func(error) bool
		}{
			{"in good order", func(c *tls.Conn, _ net.Conn) { _ = c.Close() }, func(err error) bool { return errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) }},
			{"without close_notify", func(_ *tls.Conn, raw net.Conn) { _ = raw.Close() }, func(err error) bool {
				return errors.Is(err, secure.ErrNoCloseNotify) && errors.Is(err, io.ErrUnexpectedEOF)
			}},
			{"truncated record", func(_ *tls.Conn, raw net.Conn) {
				_, _ = raw.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3})
				_ = raw.Close()
			}, func(err error) bool { return errors.Is(err, secure.ErrNoCloseNotify) }},
			{"garbage", func(_ *tls.Conn, raw net.Conn) { _, _ = raw.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }, func(err error) bool {
				return err != nil && strings.Contains(err.Error(), "tls: ")
			}},
			{"oversize record", func(_ *tls.Conn, raw net.Conn) { _, _ = raw.Write([]byte{23, 3, 3, 255, 255, 0}) }, func(err error) bool {
				return err != nil && strings.Contains(err.Error(), "oversized record")
			}},
			{"forged record", func(_ *tls.Conn, raw net.Conn) {
				_, _ = raw.Write(append([]byte{23, 3, 3, 0, 40}, make([]byte, 40)...))
			}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "bad record MAC") }},
			{"empty records without end", func(_ *tls.Conn, raw net.Conn) {
				_, _ = raw.Write(bytes.Repeat([]byte{23, 3, 3, 0, 0}, 1000))
			}, func(err error) bool { return err != nil && strings.Contains(err.Error(), "tls: ") }},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				server, client := configs(t, version)
				l := &lost{reason: make(chan error, 1), heard: make(chan struct{})}
				ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return l }))
				if err != nil {
					t.Fatal(err)
				}
				raw, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				conn := tls.Client(raw, client)
				if _, err := conn.Write([]byte("hello")); err != nil {
					t.Fatal(err)
				}
				<-l.heard // a reset would end the handshake, if that is not over yet
				c.end(conn, raw)
				if err := <-l.reason; !c.want(err) {
					t.Errorf("the reason is %v", err)
				}
				if string(l.got) != "hello" {
					t.Errorf("%q has arrived", l.got)
				}
			})
		}
	}
}

// What is no TLS at all never becomes a protocol's connection.
func TestNoTLS(t *testing.T) {
	for _, hello := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff\x00", "\x00", "\x16\x03\x01\x00\x05hello"} {
		server, _ := configs(t, tls.VersionTLS13)
		e := engine(t)
		ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server, HandshakeTimeout: 100 * time.Millisecond}.Server(
			func() rondo.Protocol {
				t.Error("there is a protocol")
				return nil
			}))
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, hello)
		answer, _ := io.ReadAll(c)
		if len(answer) > 0 && answer[0] != 21 {
			t.Errorf("%q is answered by %q, which is no alert", hello, answer)
		}
		_ = c.Close()
		e.Log.Await(t, "a handshake failed")
	}
}

// All that was sent before the end arrives, however much it is.
func TestDataThenEnd(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	want := bytes.Repeat([]byte("0123456789"), 1_000_000)
	l := &lost{reason: make(chan error, 1)}
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return l }))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Write(want)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-l.reason; !errors.Is(err, io.EOF) {
		t.Errorf("the reason is %v", err)
	}
	if !bytes.Equal(l.got, want) {
		t.Errorf("%d bytes have arrived", len(l.got))
	}
}

// A handshake that nobody answers ends by its timeout, its context or its future.
func TestDialEnds(t *testing.T) {
	_, client := configs(t, tls.VersionTLS13)
	for name, c := range map[string]struct {
		cfg  secure.Config
		end  func(w *sim.World, f *rondo.Future[*rondo.Conn], cancel context.CancelFunc)
		want error
	}{
		"timeout": {secure.Config{TLS: client, HandshakeTimeout: 3 * time.Second}, nil, os.ErrDeadlineExceeded},
		"context": {secure.Config{TLS: client}, func(w *sim.World, _ *rondo.Future[*rondo.Conn], cancel context.CancelFunc) {
			w.After(time.Second, cancel)
		}, context.Canceled},
		"future": {secure.Config{TLS: client}, func(w *sim.World, f *rondo.Future[*rondo.Conn], _ context.CancelFunc) {
			w.After(time.Second, func() { f.Loop().Post(func() { f.Cancel(errEnough) }) })
		}, errEnough},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				_, err := w.Host("server").Engine().Listen("tcp", ":443", func() rondo.Protocol { return &lost{reason: make(chan error, 1)} })
				if err != nil {
					w.Fatalf("listening: %v", err)
				}
				ctx, cancel := context.WithCancel(background)
				defer cancel()
				p := &lost{reason: make(chan error, 1)}
				e := w.Host("client").Engine()
				f := c.cfg.Dial(ctx, e, "tcp", "server:443", p)
				if c.end != nil {
					c.end(w, f, cancel)
				}
				if _, err := f.Wait(background); !errors.Is(err, c.want) {
					w.Errorf("the dial ended with %v", err)
				}
				w.Sleep(time.Second)
				if n := e.Conns(); n != 0 || len(p.reason) != 0 {
					w.Errorf("%d connections are left, and the protocol was told %d times", n, len(p.reason))
				}
			})
		})
	}
}

var errEnough = errors.New("enough")
