package rondo_test

import (
	"runtime"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// volley keeps datagrams going between two sockets of a loop until so many have come back.
type volley struct {
	left   int
	flight int // under way
	done   chan struct{}
	data   []byte
}

func (p *volley) Opened(*rondo.PacketConn)        {}
func (p *volley) Closed(*rondo.PacketConn, error) {}
func (p *volley) PacketReceived(c *rondo.PacketConn, _ rondo.Packet) {
	p.flight--
	p.left--
	p.send(c)
}

func (p *volley) send(c *rondo.PacketConn) {
	for p.flight < min(p.left, 16) {
		p.flight++
		_ = c.Write(p.data)
	}
	if p.left == 0 {
		p.done <- struct{}{}
	}
}

// packetEchoes returns a function that has so many datagrams echoed.
func packetEchoes(t testing.TB, network string) func(n int) {
	e := newTestEngine(t, rondo.Config{})
	at, cfg := "127.0.0.1:0", rondo.PacketConfig{}
	if network == "unixgram" {
		at = t.TempDir() + "/s"
		cfg.LocalAddr = rondo.PacketAddr{Name: t.TempDir() + "/c"}.NetAddr()
	}
	p := &volley{done: make(chan struct{}, 1), data: make([]byte, 128)}
	server := mustListenPacket(t, e, network, at, echoer{})
	c := rig.Result(t, cfg.Dial(t.Context(), e.Engine, network, server.Addr().String(), p)).Handle()
	return func(n int) {
		c.Do(func(c *rondo.PacketConn) {
			p.left = n
			p.send(c)
		})
		rig.Await(t, p.done)
	}
}

type echoer struct{}

func (echoer) Opened(*rondo.PacketConn)                           {}
func (echoer) Closed(*rondo.PacketConn, error)                    {}
func (echoer) PacketReceived(c *rondo.PacketConn, p rondo.Packet) { echoPackets(c, p) }

// A datagram and its echo, sixteen under way: two datagrams received and sent.
func BenchmarkPacketEcho(b *testing.B) {
	for _, network := range []string{"udp", "unixgram"} {
		b.Run(network, func(b *testing.B) {
			echo := packetEchoes(b, network)
			echo(1000)
			b.ReportAllocs()
			b.ResetTimer()
			echo(b.N)
		})
	}
}

// A datagram costs no allocation, also not for who has sent it.
func TestPacketsDoNotAllocate(t *testing.T) {
	if rondo.RaceEnabled {
		t.Skip("needs a build without the race detector, which allocates")
	}
	for _, network := range []string{"udp", "unixgram"} {
		echo := packetEchoes(t, network)
		echo(1000)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const n = 20_000
		echo(n)
		runtime.ReadMemStats(&after)
		if got := after.Mallocs - before.Mallocs; got > n/100 {
			t.Errorf("%s: %d allocations for %d datagrams and their echoes", network, got, n)
		}
	}
}
