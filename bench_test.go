package rondo_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// BenchmarkPost is one post from another goroutine.
func BenchmarkPost(b *testing.B) {
	b.Run("busy", func(b *testing.B) { // the loop has enough to do, so nobody wakes it
		l := newTestEngine(b, rondo.Config{}).Loop()
		var ended atomic.Bool
		var spin func()
		spin = func() {
			if !ended.Load() {
				l.Defer(spin)
			}
		}
		rig.On(b, l, spin)
		fn := func() {}
		b.ReportAllocs()
		for b.Loop() {
			l.Post(fn)
		}
		ended.Store(true)
		rig.On(b, l, func() {})
	})
	b.Run("idle", func(b *testing.B) { // the loop waits: wake it, and wait until it has run the function
		l := newTestEngine(b, rondo.Config{}).Loop()
		done := make(chan struct{}, 1)
		fn := func() { done <- struct{}{} }
		b.ReportAllocs()
		for b.Loop() {
			l.Post(fn)
			<-done
		}
	})
	b.Run("contended", func(b *testing.B) {
		l := newTestEngine(b, rondo.Config{}).Loop()
		fn := func() {}
		b.ReportAllocs()
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Post(fn)
			}
		})
		rig.On(b, l, func() {})
	})
	b.Run("self", func(b *testing.B) { // from the loop itself
		l := newTestEngine(b, rondo.Config{}).Loop()
		n := 0
		done := make(chan struct{})
		var fn func()
		fn = func() {
			if n--; n <= 0 {
				close(done)
				return
			}
			l.Post(fn)
		}
		n = b.N
		b.ReportAllocs()
		b.ResetTimer()
		l.Post(fn)
		<-done
	})
}

// BenchmarkAfterStop is a timer that does not come to fire, which is what most do, beside others that wait.
func BenchmarkAfterStop(b *testing.B) {
	for _, outstanding := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("outstanding=%d", outstanding), func(b *testing.B) {
			l := newTestEngine(b, rondo.Config{}).Loop()
			b.ReportAllocs()
			onLoop(b, l, func() {
				fn := func() {}
				for i := range outstanding {
					l.After(time.Hour+time.Duration(i)*time.Millisecond, fn)
				}
				for b.Loop() {
					l.After(time.Minute, fn).Stop()
				}
			})
		})
	}
}

// BenchmarkReset moves a timer, as a connection's time limit is moved by each message.
func BenchmarkReset(b *testing.B) {
	l := newTestEngine(b, rondo.Config{}).Loop()
	b.ReportAllocs()
	onLoop(b, l, func() {
		timer := l.After(time.Minute, func() {})
		for b.Loop() {
			timer.Reset(time.Minute)
		}
	})
}

// onLoop runs fn on the loop for as long as it takes.
func onLoop(b *testing.B, l *rondo.Loop, fn func()) {
	b.Helper()
	done := make(chan struct{})
	l.Post(func() { defer close(done); fn() })
	<-done
}

// BenchmarkPromise is from Resolve to OnDone, on the loop.
func BenchmarkPromise(b *testing.B) {
	chain(b, func(l *rondo.Loop, next func(int, error)) {
		p := rondo.NewPromise[int](l)
		p.Future().OnDone(next)
		p.Resolve(1)
	})
}

// BenchmarkFuture is what becomes of futures without leaving the loop, up to OnDone.
func BenchmarkFuture(b *testing.B) {
	b.Run("ResolveOnLoop", func(b *testing.B) {
		chain(b, func(l *rondo.Loop, next func(int, error)) {
			p := rondo.NewPromise[int](l)
			p.Future().OnDone(next)
			p.ResolveOnLoop(1)
		})
	})
	b.Run("Then", func(b *testing.B) {
		fn := func(v int) (int, error) { return v, nil }
		chain(b, func(l *rondo.Loop, next func(int, error)) {
			p := rondo.NewPromise[int](l)
			rondo.Then(p.Future(), fn).OnDone(next)
			p.ResolveOnLoop(1)
		})
	})
	b.Run("All10", func(b *testing.B) {
		chain(b, func(l *rondo.Loop, next func(int, error)) {
			var ps [10]rondo.Promise[int]
			var fs [10]*rondo.Future[int]
			for i := range ps {
				ps[i].Init(l)
				fs[i] = ps[i].Future()
			}
			rondo.All(l, fs[:]...).OnDone(func(_ []int, err error) { next(0, err) })
			for i := range ps {
				ps[i].ResolveOnLoop(i)
			}
		})
	})
	b.Run("Timeout", func(b *testing.B) {
		chain(b, func(l *rondo.Loop, next func(int, error)) {
			p := rondo.NewPromise[int](l)
			p.Future().Timeout(time.Minute).OnDone(next)
			p.ResolveOnLoop(1)
		})
	})
}

// BenchmarkRun is a round trip from the loop to a goroutine and back.
func BenchmarkRun(b *testing.B) {
	chain(b, func(l *rondo.Loop, next func(int, error)) {
		rondo.Run(l, func(context.Context) (int, error) { return 1, nil }).OnDone(next)
	})
}

// chain takes b.N steps on a loop, each of which calls next when it is done.
func chain(b *testing.B, step func(l *rondo.Loop, next func(int, error))) {
	b.Helper()
	l := newTestEngine(b, rondo.Config{}).Loop()
	done := make(chan struct{})
	n := b.N
	var next func(int, error)
	next = func(int, error) {
		if n--; n <= 0 {
			close(done)
			return
		}
		step(l, next)
	}
	b.ReportAllocs()
	b.ResetTimer()
	l.Post(func() { next(0, nil) })
	<-done
}

// servers are an echo on rondo and one on package net, for comparison.
var servers = []struct {
	name  string
	start func(b *testing.B) (addr string)
}{
	{"rondo", func(b *testing.B) string {
		return newTestEngine(b, rondo.Config{}).serve(func() rondo.Protocol { return echo{} })
	}},
	{"net", func(b *testing.B) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		var conns sync.WaitGroup
		conns.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				conns.Go(func() {
					defer c.Close()
					buf := make([]byte, 4096)
					for {
						n, err := c.Read(buf)
						if err != nil {
							return
						}
						if _, err := c.Write(buf[:n]); err != nil {
							return
						}
					}
				})
			}
		})
		b.Cleanup(func() { ln.Close(); conns.Wait() })
		return ln.Addr().String()
	}},
}

// exchange sends a message to an echo and reads it back.
func exchange(b *testing.B, c net.Conn, message, answer []byte) {
	if _, err := c.Write(message); err != nil {
		b.Fatal(err)
	}
	if _, err := io.ReadFull(c, answer); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEcho is a message of 128 bytes there and back, on one connection; the peer is package net's
// in both cases, and has a share in the time.
func BenchmarkEcho(b *testing.B) {
	for _, server := range servers {
		b.Run(server.name, func(b *testing.B) {
			addr := server.start(b)
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			message, answer := make([]byte, 128), make([]byte, 128)
			b.ReportAllocs()
			for b.Loop() {
				exchange(b, c, message, answer)
			}
		})
	}
}

// BenchmarkEchoClient has both ends on one loop.
func BenchmarkEchoClient(b *testing.B) {
	e := newTestEngine(b, rondo.Config{})
	addr := e.serve(func() rondo.Protocol { return echo{} })
	p := &pingPong{left: b.N, done: make(chan struct{}), message: make([]byte, 128)}
	b.ReportAllocs()
	b.ResetTimer()
	e.Dial(b.Context(), "tcp", addr, p)
	<-p.done
}

type pingPong struct {
	left    int
	done    chan struct{}
	message []byte
}

func (p *pingPong) ConnectionMade(c *rondo.Conn)      { _, _ = c.Write(p.message) }
func (p *pingPong) ConnectionLost(*rondo.Conn, error) { close(p.done) }
func (p *pingPong) DataReceived(c *rondo.Conn, data []byte) int {
	if p.left--; p.left <= 0 {
		_ = c.Close()
	} else {
		_, _ = c.Write(p.message)
	}
	return len(data)
}

// BenchmarkAccept is a whole connection: accept, one exchange, close.
func BenchmarkAccept(b *testing.B) {
	for _, server := range servers {
		b.Run(server.name, func(b *testing.B) {
			addr := server.start(b)
			message, answer := make([]byte, 128), make([]byte, 128)
			b.ReportAllocs()
			for b.Loop() {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					b.Fatal(err)
				}
				exchange(b, c, message, answer)
				// A reset leaves no connection behind in TIME_WAIT, of which there is room for few.
				_ = c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
		})
	}
}

// BenchmarkHandleWrite is a small write from another goroutine, to a peer that reads as fast as it can.
func BenchmarkHandleWrite(b *testing.B) {
	e := newTestEngine(b, rondo.Config{WriteLimit: 1 << 30})
	r := newRecorder(b)
	peer := e.connect(r)
	h := rig.Await(b, r.made).Handle()
	if err := peer.SetDeadline(time.Time{}); err != nil {
		b.Fatal(err)
	}
	drained := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, peer)
		drained <- n
	}()
	message := make([]byte, 128)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, err := h.Write(message); err != nil {
			b.Fatal(err)
		}
	}
	_ = h.Close()
	<-drained
}
