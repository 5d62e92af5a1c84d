package secure_test

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// BenchmarkHandshake is a whole connection: made, secured by both sides on one machine, and closed. net is crypto/tls with a goroutine for each.
func BenchmarkHandshake(b *testing.B) {
	server, client := configs(b, tls.VersionTLS13)
	dial := func(b *testing.B, addr string) {
		b.ReportAllocs()
		for b.Loop() {
			c, err := tls.Dial("tcp", addr, client)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = c.Write([]byte("x"))
			_, _ = io.ReadFull(c, make([]byte, 1))
			_ = c.Close()
		}
	}
	b.Run("rondo", func(b *testing.B) {
		ln, err := quiet(b).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return echoing{} }))
		if err != nil {
			b.Fatal(err)
		}
		dial(b, ln.Addr().String())
	})
	b.Run("net", func(b *testing.B) {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
		if err != nil {
			b.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				all.Go(func() {
					_, _ = io.Copy(c, c)
					_ = c.Close()
				})
			}
		})
		dial(b, ln.Addr().String())
		_ = ln.Close()
		all.Wait()
	})
}

// quiet is an engine that does not say whose handshake has failed.
func quiet(b *testing.B) *rig.Engine {
	return rig.New(b, rondo.Config{Loops: 1, Logger: slog.New(slog.DiscardHandler)})
}

type echoing struct{}

func (echoing) ConnectionMade(*rondo.Conn) {}
func (echoing) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p)
	return len(p)
}
func (echoing) ConnectionLost(*rondo.Conn, error) {}

// BenchmarkHandshakeBesideSlowClients is how long a good client waits for its handshake while a thousand others send a byte of theirs each second, for ever: the longest time
// is what counts (max-ms). Without the thousand it says what the handshake itself takes.
func BenchmarkHandshakeBesideSlowClients(b *testing.B) {
	for name, slow := range map[string]int{"none": 0, "thousand": 1000} {
		b.Run(name, func(b *testing.B) {
			server, client := configs(b, tls.VersionTLS13)
			cfg := secure.Config{TLS: server, HandshakeTimeout: -1} // they would be thrown out by it
			ln, err := quiet(b).Listen("tcp", "127.0.0.1:0", cfg.Server(func() rondo.Protocol { return echoing{} }))
			if err != nil {
				b.Fatal(err)
			}
			done := make(chan struct{})
			var all sync.WaitGroup
			stop := sync.OnceFunc(func() { close(done); all.Wait() })
			b.Cleanup(stop)
			hello := clientHello(b, client)
			peers := make([]net.Conn, slow)
			for i := range peers {
				if peers[i], err = net.Dial("tcp", ln.Addr().String()); err != nil {
					b.Fatal(err)
				}
				// Half of them are in the middle of their hello, the others have a goroutine that waits for their second flight.
				n := i % len(hello)
				if i%2 == 0 {
					n = len(hello)
				}
				_, _ = peers[i].Write(hello[:n])
				all.Go(func() {
					defer peers[i].Close()
					tick := time.NewTicker(time.Second)
					defer tick.Stop()
					for flight := append(slices.Clip(hello[n:]), 23, 3, 3, 0, 60); len(flight) > 0; flight = flight[1:] {
						select {
						case <-done:
							return
						case <-tick.C:
							_, _ = peers[i].Write(flight[:1])
						}
					}
					<-done
				})
			}
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				c, err := tls.Dial("tcp", ln.Addr().String(), client)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin))
				_ = c.Close()
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)-1].Seconds()*1e3, "max-ms")
			b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
			stop()
		})
	}
}

// clientHello is what a client sends first.
func clientHello(b *testing.B, cfg *tls.Config) []byte {
	a, c := net.Pipe()
	defer a.Close()
	defer c.Close()
	go func() { _ = tls.Client(a, cfg).Handshake() }()
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil {
		b.Fatal(err)
	}
	return buf[:n]
}
