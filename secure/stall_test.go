package secure_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/sim"
)

// stalling is the connection of a peer that falls silent after so many bytes.
type stalling struct {
	net.Conn
	left    int  // bytes that it still sends
	silent  bool // there was more
	flights int  // in which it has sent something, or ought to have
	listens bool // since its last flight
}

func (s *stalling) Read(p []byte) (int, error) {
	s.listens = true
	return s.Conn.Read(p)
}

func (s *stalling) Write(p []byte) (int, error) {
	if s.listens || s.flights == 0 {
		s.listens = false
		s.flights++
	}
	n := min(len(p), s.left)
	s.left -= n
	s.silent = s.silent || n < len(p)
	if n == 0 {
		return len(p), nil
	}
	if _, err := s.Conn.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// A peer that falls silent anywhere in its handshake, in whichever flight, is waited for as long as the timeout says, and then its connection is reset. No protocol is told of it.
func TestHandshakeStallsAtEveryByte(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 37
	}
	for name, version := range versions {
		for _, c := range []struct {
			name  string
			stall func(t *testing.T, server, client *tls.Config, n int) *stalling
			last  map[uint16]int // the flight of the peer that is its last
		}{
			{"server", stallClient, map[uint16]int{tls.VersionTLS12: 2, tls.VersionTLS13: 2}},
			{"client", stallServer, map[uint16]int{tls.VersionTLS12: 2, tls.VersionTLS13: 1}},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				server, client := configs(t, version)
				server.SessionTicketsDisabled = true                // they follow the server's last flight, and are nothing to wait for
				client.CurvePreferences = []tls.CurveID{tls.X25519} // with a short hello
				seen := make([]bool, c.last[version]+1)
				for n := 0; !t.Failed(); n += step {
					s := c.stall(t, server, client, n)
					if !s.silent {
						break // that was all of the handshake
					}
					if s.flights < len(seen) {
						seen[s.flights] = true
					} else {
						t.Errorf("after %d bytes the peer is in flight %d", n, s.flights)
					}
				}
				for i, seen := range seen[1:] {
					if !seen {
						t.Errorf("no stall in flight %d was seen", i+1)
					}
				}
			})
		}
	}
}

// stallClient has a client of crypto/tls fall silent after n bytes, in the handshake with a server of ours.
func stallClient(t *testing.T, server, client *tls.Config, n int) *stalling {
	var s *stalling
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		made := 0
		_, err := w.Host("server").Engine().Listen("tcp", ":443", secure.Config{TLS: server}.Server(func() rondo.Protocol {
			made++
			return &netProtocol{}
		}))
		if err != nil {
			w.Fatalf("listening: %v", err)
		}
		c, err := w.Host("client").Engine().DialContext(background, "tcp", "server:443")
		if err != nil {
			w.Fatalf("connecting: %v", err)
		}
		s = &stalling{Conn: c, left: n}
		handshakeErr := tls.Client(s, client).Handshake()
		if !s.silent {
			return
		}
		if handshakeErr == nil { // TLS 1.3's last flight is the client's
			_, _ = io.Copy(io.Discard, c)
		}
		stalledFor(w, n)
		if made != 0 {
			w.Errorf("after %d bytes there is a protocol", n)
		}
	})
	return s
}

// stallServer has a server of crypto/tls fall silent after n bytes, in the handshake with a client of ours.
func stallServer(t *testing.T, server, client *tls.Config, n int) *stalling {
	var s *stalling
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		ln, err := w.Host("server").Engine().ListenNet("tcp", ":443")
		if err != nil {
			w.Fatalf("listening: %v", err)
		}
		w.Host("server").Go(func() {
			c, err := ln.Accept()
			if err != nil {
				w.Errorf("accepting: %v", err)
				return
			}
			s = &stalling{Conn: c, left: n}
			if err := tls.Server(s, server).Handshake(); err == nil { // TLS 1.2's last flight is the server's
				_, _ = io.Copy(io.Discard, c)
			}
		})
		p := &lost{reason: make(chan error, 1)}
		_, err = secure.Config{TLS: client}.Dial(background, w.Host("client").Engine(), "tcp", "server:443", p).Wait(background)
		if !s.silent {
			if err != nil {
				w.Errorf("a whole handshake: %v", err)
			}
			return
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			w.Errorf("after %d bytes: %v", n, err)
		}
		stalledFor(w, n)
		if len(p.reason) != 0 {
			w.Errorf("after %d bytes the protocol was told of a connection", n)
		}
	})
	return s
}

// stalledFor checks when a handshake was given up.
func stalledFor(w *sim.World, n int) {
	if d := w.Elapsed(); d < 10*time.Second || d > 11*time.Second {
		w.Errorf("after %d bytes: %v", n, d)
	}
}
