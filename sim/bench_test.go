package sim_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// pinger sends a message, and again when it has come back.
type pinger struct {
	left int
	done func()
	msg  []byte
}

func (p *pinger) ConnectionMade(c *rondo.Conn)      { _, _ = c.Write(p.msg) }
func (p *pinger) ConnectionLost(*rondo.Conn, error) {}
func (p *pinger) DataReceived(c *rondo.Conn, b []byte) int {
	if len(b) < len(p.msg) {
		return 0
	}
	if p.left--; p.left == 0 {
		p.done()
		c.Close()
		return len(b)
	}
	_, _ = c.Write(b)
	return len(b)
}

type echo struct{}

func (echo) ConnectionMade(*rondo.Conn)        {}
func (echo) ConnectionLost(*rondo.Conn, error) {}
func (echo) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p)
	return len(p)
}

// Events are turns of loops, packets that arrive and timers that are due.
func BenchmarkEvents(b *testing.B) {
	for _, conns := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(conns), func(b *testing.B) {
			var events uint64
			for b.Loop() {
				w, err := sim.Simulate(sim.Config{Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}, func(w *sim.World) {
					server := w.Host("server").Engine()
					if _, err := server.Listen("tcp", ":7", func() rondo.Protocol { return echo{} }); err != nil {
						b.Error(err)
					}
					client := w.Host("client").Engine()
					left := conns
					for range conns {
						client.Dial(background, "tcp", "server:7", &pinger{100_000 / conns, func() { left-- }, make([]byte, 64)})
					}
					w.Wait(func() bool { return left == 0 })
				})
				if err != nil {
					b.Fatal(err)
				}
				events += w.Events()
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// A thousand goroutines wait for something that does not come meanwhile, while two programs talk.
func BenchmarkBlocked(b *testing.B) {
	for name, wait := range map[string]func(w *sim.World, e *rondo.Engine, over *bool){
		"sleep": func(w *sim.World, _ *rondo.Engine, _ *bool) { w.Sleep(time.Hour) },
		"read": func(_ *sim.World, e *rondo.Engine, _ *bool) {
			c, err := e.DialContext(background, "tcp", "server:7")
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			if err == nil {
				panic("something came")
			}
		},
		"context": func(_ *sim.World, e *rondo.Engine, _ *bool) {
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			_, _ = rondo.NewPromise[int](e.Loop()).Future().Wait(ctx)
		},
		"func": func(w *sim.World, _ *rondo.Engine, over *bool) { w.Wait(func() bool { return *over }) },
	} {
		b.Run(name, func(b *testing.B) {
			var events uint64
			for b.Loop() {
				w, err := sim.Simulate(sim.Config{Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}, func(w *sim.World) {
					server := w.Host("server").Engine()
					if _, err := server.Listen("tcp", ":7", func() rondo.Protocol { return echo{} }); err != nil {
						b.Error(err)
					}
					client := w.Host("client").Engine()
					over := false
					for range 1000 {
						w.Go(func() { wait(w, client, &over) })
					}
					client.Dial(background, "tcp", "server:7", &pinger{30_000, func() { over = true }, make([]byte, 64)})
					w.Wait(func() bool { return over })
				})
				if err != nil {
					b.Fatal(err)
				}
				events += w.Events()
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// A thousand hosts that keep ten thousand connections.
func BenchmarkCrowd(b *testing.B) {
	for b.Loop() {
		before, began := inUse(), time.Now()
		_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			const hosts, each = 1000, 10
			engines := make([]*rondo.Engine, hosts)
			for i := range hosts {
				e := w.Host(fmt.Sprintf("h%d", i)).Engine()
				engines[i] = e
				if _, err := e.Listen("tcp", ":7", func() rondo.Protocol { return echo{} }); err != nil {
					b.Error(err)
				}
			}
			left := hosts * each
			for i, e := range engines {
				for j := range each {
					p := &pinger{10, func() { left-- }, make([]byte, 64)}
					e.Dial(background, "tcp", fmt.Sprintf("h%d:7", (i+j*37+1)%hosts), p)
				}
			}
			w.Wait(func() bool { return left == 0 })
			b.ReportMetric(float64(w.Events())/time.Since(began).Seconds(), "events/s")
			b.ReportMetric(float64(inUse()-before)/(1<<20), "MB")
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// inUse is the memory that is in use, in bytes.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
