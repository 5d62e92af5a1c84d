package rondo_test

import (
	"fmt"
	"io"
	"runtime"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// BenchmarkRelay compares the two ways to pass on what one connection receives to another: by SpliceTo, and by copying with
// pauses. What counts is the processor time of the loop alone, whose goroutine is locked to a thread for that: the peers
// cost as much either way. "stream" sends messages without pause, "message" the next when the one before has arrived.
func BenchmarkRelay(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		for _, size := range []int{1 << 10, 64 << 10} {
			for _, pattern := range []string{"stream", "message"} {
				for _, way := range []string{"splice", "copy"} {
					b.Run(fmt.Sprintf("%s/%dKiB/%s/%s", network, size>>10, pattern, way), func(b *testing.B) {
						relay(b, network, size, pattern == "stream", way == "splice")
					})
				}
			}
		}
	}
}

func relay(b *testing.B, network string, size int, stream, kernel bool) {
	e := newTestEngine(b, rondo.Config{})
	s := newSplicer(b, e, network)
	rig.On(b, s.loop, func() {
		runtime.LockOSThread()
		if kernel {
			s.begin()
			return
		}
		s.src.SetProtocol(&copier{to: s.dst})
		s.dst.SetProtocol(&copier{from: s.src})
	})
	message, got := random(size), make([]byte, size)
	before := threadTime(b, s.loop)
	b.SetBytes(int64(size))
	b.ResetTimer()
	if stream {
		go func() {
			for range b.N {
				if _, err := s.in.Write(message); err != nil {
					return
				}
			}
		}()
	}
	for range b.N {
		if !stream {
			if _, err := s.in.Write(message); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := io.ReadFull(s.out, got); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	used := threadTime(b, s.loop) - before
	b.ReportMetric(float64(used)/1e3*(1<<20)/float64(b.N)/float64(size), "loop-µs/MiB")
	b.ReportMetric(float64(used)/float64(b.N), "loop-ns/op")
	rig.On(b, s.loop, runtime.UnlockOSThread)
}

// threadTime is the processor time, in nanoseconds, that the loop's thread has used.
func threadTime(b *testing.B, l *rondo.Loop) (ns int64) {
	const thread = 1 // RUSAGE_THREAD
	rig.On(b, l, func() {
		var u syscall.Rusage
		if err := syscall.Getrusage(thread, &u); err != nil {
			b.Error(err)
		}
		ns = u.Utime.Nano() + u.Stime.Nano()
	})
	return ns
}

// copier is one side of a relay that copies: what from receives it writes to to, which pauses it.
type copier struct{ from, to *rondo.Conn }

func (*copier) ConnectionMade(*rondo.Conn)        {}
func (*copier) ConnectionLost(*rondo.Conn, error) {}
func (c *copier) DataReceived(_ *rondo.Conn, p []byte) int {
	_, _ = c.to.Write(p)
	return len(p)
}
func (c *copier) PauseWriting(*rondo.Conn)  { c.from.PauseReading() }
func (c *copier) ResumeWriting(*rondo.Conn) { c.from.ResumeReading() }
