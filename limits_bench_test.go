package rondo_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// BenchmarkLimits is a message of 128 bytes there and back, both ends on one loop, with what limits a connection: two reads and two writes.
func BenchmarkLimits(b *testing.B) {
	for _, bb := range []struct {
		name string
		set  func(c *rondo.Conn)
	}{
		{"none", func(*rondo.Conn) {}},
		{"idle timeout", func(c *rondo.Conn) { c.SetIdleTimeout(time.Minute) }},
		{"rates", func(c *rondo.Conn) { c.SetReadRate(1<<30, 1<<30); c.SetWriteRate(1<<30, 1<<30) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			e := newTestEngine(b, rondo.Config{})
			addr := e.serve(func() rondo.Protocol { return &limitedEcho{set: bb.set} })
			p := &pingPong{left: b.N, done: make(chan struct{}), message: make([]byte, 128)}
			b.ReportAllocs()
			b.ResetTimer()
			e.Dial(b.Context(), "tcp", addr, p)
			<-p.done
		})
	}
}

type limitedEcho struct {
	echo
	set func(c *rondo.Conn)
}

func (l *limitedEcho) ConnectionMade(c *rondo.Conn) { l.set(c) }

// BenchmarkIdleMemory is what a connection takes of the heap, and what a timeout adds to it, in bytes.
func BenchmarkIdleMemory(b *testing.B) {
	const conns = 1000
	e := newTestEngine(b, rondo.Config{})
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		peers := make([]*recorder, 0, conns)
		all := make([]*rondo.Conn, 0, conns)
		for range conns {
			r := newRecorder(b)
			e.connect(r)
			peers = append(peers, r)
			all = append(all, rig.Await(b, r.made))
		}
		before := heap()
		rig.On(b, e.Loop(), func() {
			for _, c := range all {
				c.SetIdleTimeout(time.Hour)
			}
		})
		b.ReportMetric((heap()-before)/conns, "B/timeout")
		for i, c := range all {
			c.Handle().Abort()
			rig.Await(b, peers[i].lost)
		}
	}
}
