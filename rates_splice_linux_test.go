package rondo_test

import (
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// stoppedSplicer is a stopped poller that splices.
type stoppedSplicer struct {
	*stopped
	poller.Splicer
}

// A splice obeys the rates of both its ends.
func TestSpliceRates(t *testing.T) {
	for name, limit := range map[string]func(s *splicer){
		"source": func(s *splicer) { s.src.SetReadRate(100_000, 50_000) },
		"sink":   func(s *splicer) { s.dst.SetWriteRate(100_000, 50_000) },
		"both":   func(s *splicer) { s.src.SetReadRate(100_000, 70_000); s.dst.SetWriteRate(100_000, 50_000) },
	} {
		t.Run(name, func(t *testing.T) {
			clock := new(stopped)
			clock.now.Store(int64(time.Second))
			e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
				clock.Poller = p
				return &stoppedSplicer{clock, p.(poller.Splicer)}
			})
			s := newSplicer(t, e, "tcp")
			rig.On(t, s.loop, func() { limit(s); s.begin() })
			data := make([]byte, 300_000)
			for i := range data {
				data[i] = byte(i % 251)
			}
			go func() {
				_, _ = s.in.Write(data)
				_ = s.in.(streamPeer).CloseWrite()
			}()
			rig.Expect(t, s.out, string(data[:50_000]))
			for got := 50_000; got < len(data); got += 25_000 {
				for range 3 {
					rig.On(t, s.loop, func() {})
				}
				moved := int64(0)
				rig.On(t, s.loop, func() { moved = s.splice.Moved() })
				if moved > int64(got) {
					t.Fatalf("%d bytes were moved, not %d", moved, got)
				}
				clock.advance(250 * time.Millisecond)
				rig.Expect(t, s.out, string(data[got:got+25_000]))
			}
			for i := 0; i < 1000 && len(s.done) == 0; i++ { // whenever the wait for the end begins
				rig.On(t, s.loop, func() {})
				clock.advance(250 * time.Millisecond)
			}
			if d := rig.Await(t, s.done); d.err != nil || d.n != int64(len(data)) {
				t.Errorf("%d bytes, %v", d.n, d.err)
			}
		})
	}
}
