package rondo_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// BenchmarkSendFile compares sendfile(2) with reading and writing. What counts is the processor time of the loop alone, whose goroutine is locked to a thread for that.
func BenchmarkSendFile(b *testing.B) {
	for _, size := range []int{16 << 10, 1 << 20, 16 << 20} {
		for _, way := range []string{"kernel", "copied"} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, way), func(b *testing.B) {
				e := newEngineOver(b, rondo.Config{}, func(p poller.Poller) poller.Poller {
					if way == "copied" {
						return &faulty{Poller: p}
					}
					return p
				})
				f := fileWith(b, scrambled(size))
				r := newRecorder(b)
				peer := e.connect(r)
				c := rig.Await(b, r.made)
				rig.On(b, c.Loop(), runtime.LockOSThread)
				before := threadTime(b, c.Loop())
				b.SetBytes(int64(size))
				b.ResetTimer()
				for range b.N {
					c.Loop().Post(func() {
						if _, err := c.SendFile(f, 0, int64(size), nil); err != nil {
							b.Error(err)
						}
					})
					if _, err := io.CopyN(io.Discard, peer, int64(size)); err != nil {
						b.Fatal(err)
					}
				}
				b.StopTimer()
				used := threadTime(b, c.Loop()) - before
				b.ReportMetric(float64(used)/1e3*(1<<20)/float64(b.N)/float64(size), "loop-µs/MiB")
				rig.On(b, c.Loop(), runtime.UnlockOSThread)
			})
		}
	}
}
