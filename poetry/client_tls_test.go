package poetry

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/secure"
)

// clients are all four.
var clients = map[Mode]func(t *testing.T, c *Client, addresses ...Address) *Report{
	ModeBlocking: func(t *testing.T, c *Client, a ...Address) *Report { return c.FetchBlocking(t.Context(), a) },
	ModeThreads:  func(t *testing.T, c *Client, a ...Address) *Report { return c.FetchThreads(t.Context(), a) },
	ModeAsync: func(t *testing.T, c *Client, a ...Address) *Report {
		return c.FetchAsync(t.Context(), newEngine(t, 1).Loop(), a)
	},
	ModeTask: func(t *testing.T, c *Client, a ...Address) *Report {
		return c.FetchTasks(t.Context(), newEngine(t, 1).Loop(), a)
	},
}

// TestClientTLS: every client gets poems over TLS, and none from whom it does not trust.
func TestClientTLS(t *testing.T) {
	cfg, pool, err := secure.SelfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	o := shortPoem("Batter my heart, three-person'd God")
	o.TLS = cfg
	secret := serve(t, o)
	silent := listenAndIgnore(t)
	cut := cutAfter(t, cfg, "Batter my heart")
	for mode, fetch := range clients {
		t.Run(string(mode), func(t *testing.T) {
			trusting := &Client{TLS: &tls.Config{RootCAs: pool}}
			r := fetch(t, trusting, secret, secret)
			if r.Failed() != 0 || string(r.Tasks[1].Poem) != "Batter my heart, three-person'd God" {
				t.Errorf("with its certificate: %v, %q", r.Tasks[1].Err, r.Tasks[1].Poem)
			}
			r = fetch(t, &Client{TLS: &tls.Config{InsecureSkipVerify: true}, Discard: true}, secret) //nolint:gosec // it is what is tested
			if f := r.Tasks[0]; f.Err != nil || f.Bytes != 35 || f.Poem != nil {
				t.Errorf("without a check, and without keeping it: %v, %d bytes, %q", f.Err, f.Bytes, f.Poem)
			}
			r = fetch(t, &Client{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}, secret)
			if err := r.Tasks[0].Err; err == nil || !strings.Contains(err.Error(), "--ca") {
				t.Errorf("without its certificate: %v", err)
			}
			r = fetch(t, &Client{TLS: trusting.TLS, Timeout: 100 * time.Millisecond}, silent)
			if err := r.Tasks[0].Err; !errors.Is(err, ErrStalled) {
				t.Errorf("a server that says nothing: %v", err)
			}
			r = fetch(t, trusting, cut)
			if f := r.Tasks[0]; f.Err == nil || f.Bytes != 15 {
				t.Errorf("a server that is cut off in the middle: %v, %d bytes", f.Err, f.Bytes)
			}
		})
	}
}

// accepting has each connection be somebody's.
func accepting(t *testing.T, somebody func(net.Conn)) Address {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			somebody(c)
		}
	}()
	return addressOf(ln.Addr())
}

// listenAndIgnore is a server that says nothing.
func listenAndIgnore(t *testing.T) Address {
	t.Helper()
	return accepting(t, func(c net.Conn) { t.Cleanup(func() { _ = c.Close() }) })
}

// cutAfter is a server that ends the connection below TLS, in good order, as whoever is between can.
func cutAfter(t *testing.T, cfg *tls.Config, text string) Address {
	t.Helper()
	return accepting(t, func(c net.Conn) {
		if _, err := tls.Server(c, cfg).Write([]byte(text)); err != nil {
			t.Errorf("writing: %v", err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		t.Cleanup(func() { _ = c.Close() })
	})
}

// TestBlockingServerCutsOff: a client whose poem the server's end cuts off sees a reset, and not an end that would pass for the poem's.
func TestBlockingServerCutsOff(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := shortPoem("Batter my heart, three-person'd God")
	o.Sleep = nil
	o.Delay = time.Hour
	s, err := ListenBlocking(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 100)
	if n, err := c.Read(buf); n != 10 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	cancel()
	if n, err := c.Read(buf); !errors.Is(reasonFor(err), ErrReset) {
		t.Errorf("then %d bytes, %v", n, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
