package stream_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// echo answers with what it hears.
func echo(t *task.Task, s *stream.Stream) error {
	for {
		p, err := s.Next(t, 4096)
		if err != nil {
			return err
		}
		if _, err := s.Write(t, p); err != nil {
			return err
		}
	}
}

// protocolEcho is what a stream is measured against.
type protocolEcho struct{}

func (protocolEcho) ConnectionMade(*rondo.Conn)        {}
func (protocolEcho) ConnectionLost(*rondo.Conn, error) {}
func (protocolEcho) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p)
	return len(p)
}

// BenchmarkEcho is a round trip of 64 bytes over loopback, with a client of package net's, and with 100 of them that take turns.
func BenchmarkEcho(b *testing.B) {
	servers := []struct {
		name   string
		listen func(b *testing.B) string
	}{
		{"stream", func(b *testing.B) string { return listen(b, stream.Handle(echo)) }},
		{"protocol", func(b *testing.B) string { return listen(b, func() rondo.Protocol { return protocolEcho{} }) }},
		{"net", listenNet},
	}
	for _, clients := range []int{1, 100} {
		for _, server := range servers {
			b.Run(fmt.Sprintf("%s/%d", server.name, clients), func(b *testing.B) {
				addr := server.listen(b)
				var conns []net.Conn
				for range clients {
					conns = append(conns, rig.Dial(b, addr))
				}
				message := make([]byte, 64)
				b.ReportAllocs()
				for b.Loop() {
					for _, c := range conns {
						if _, err := c.Write(message); err != nil {
							b.Fatal(err)
						}
					}
					for _, c := range conns {
						if _, err := io.ReadFull(c, message); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*clients), "ns/message")
			})
		}
	}
}

func listen(b *testing.B, accept func() rondo.Protocol) string {
	b.Helper()
	ln, err := rig.New(b, rondo.Config{}).Listen("tcp", "127.0.0.1:0", accept)
	if err != nil {
		b.Fatal(err)
	}
	return ln.Addr().String()
}

func listenNet(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for p := make([]byte, 4096); ; {
					n, err := c.Read(p)
					if err != nil {
						return
					}
					if _, err := c.Write(p[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// BenchmarkNextWrite is what a stream adds to a message: from DataReceived to the task, and back when it waits again.
func BenchmarkNextWrite(b *testing.B) {
	b.ReportAllocs()
	onMessages(b, func(step func()) {
		for b.Loop() {
			step()
		}
	})
}

// onMessages has a task read and write, and calls fn on the loop with what delivers one message to it.
func onMessages(tb testing.TB, fn func(step func())) {
	tb.Helper()
	e := rig.New(tb, rondo.Config{})
	ready := make(chan *stream.Stream, 1)
	ln, err := e.Listen("tcp", "127.0.0.1:0", stream.Handle(func(t *task.Task, s *stream.Stream) error {
		ready <- s
		p := make([]byte, 64)
		for {
			if _, err := s.Next(t, 4096); err != nil {
				return err
			}
			if _, err := s.Read(t, p); err != nil {
				return err
			}
			if _, err := s.Write(t, nil); err != nil { // not to the kernel
				return err
			}
		}
	}))
	if err != nil {
		tb.Fatal(err)
	}
	rig.Dial(tb, ln.Addr().String())
	s := rig.Await(tb, ready)
	message := make([]byte, 64)
	done := make(chan struct{})
	e.Loop().Post(func() {
		defer close(done)
		fn(func() { s.DataReceived(nil, message) })
	})
	<-done
}

// A message costs no allocation.
func TestMessagesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("needs a build without the race detector, which allocates")
	}
	onMessages(t, func(step func()) {
		for range 100 {
			step() // what is kept for later is made once
		}
		if n := testing.AllocsPerRun(1000, step); n != 0 {
			t.Errorf("a message allocates %v times", n)
		}
	})
}

// What waits holds no buffer: many streams whose tasks are in Next have the loop's pool's few.
func TestIdleStreamsHoldNothing(t *testing.T) {
	run(t, func(t *task.Task) error {
		var streams []*stream.Stream
		const many = 200
		for range many {
			s, end, err := fed(t)
			if err != nil {
				return err
			}
			defer end()
			streams = append(streams, s)
			task.Spawn(t, func(t *task.Task) (int, error) { return 0, echo1(t, s) }).Ignore()
		}
		settle(t)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, s := range streams {
			s.DataReceived(nil, []byte("x"))
			_ = task.Yield(t)
		}
		settle(t)
		var grown int64
		for range 10 { // others have memory too: the watchdog a megabyte while it looks
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown = int64(after.HeapAlloc) - int64(before.HeapAlloc); grown <= many*4096/2 {
				return nil
			}
			_ = task.Yield(t)
		}
		return fmt.Errorf("%d idle streams hold %d bytes", many, grown)
	})
}

func echo1(t *task.Task, s *stream.Stream) error {
	for {
		if _, err := s.Next(t, 10); err != nil {
			return err
		}
	}
}
