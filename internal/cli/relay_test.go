package cli

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

// TestRelayChaos: whatever goes wrong, nothing is lost, made up or counted twice, and no end passes for one that is none.
func TestRelayChaos(t *testing.T) {
	whole := 0
	faults := sim.Faults{Lose: 0.1, Reset: 0.1, Stall: 0.2, Cut: 0.7, Pause: 2 * time.Second, Until: 20 * time.Second}
	sim.Search(t, 100, sim.Config{Faults: faults}, func(w *sim.World) {
		p := proxyIn(w, proxyOptions{connect: 10 * time.Second}, 1000)
		said := make([]byte, 100_000)
		for i := range said {
			said[i] = byte(i * i >> 8)
		}
		c := p.dialed()
		if c == nil {
			return // it was lost in connecting
		}
		defer c.Close()
		p.Host("client").Go(func() {
			if _, err := c.Write(said); err == nil {
				_ = c.(interface{ CloseWrite() error }).CloseWrite()
			}
		})
		got, err := io.ReadAll(c)
		switch {
		case !bytes.HasPrefix(said, got):
			w.Errorf("%d bytes came, and other ones", len(got))
		case err == nil && len(got) < len(said):
			w.Errorf("%d bytes came, and an end in good order", len(got))
		case err == nil:
			whole++
		}
		ended := err == nil
		_ = c.Close()
		w.Sleep(2 * time.Minute)
		if from, to := p.stats.fromClients.Load(), p.stats.toClients.Load(); to < int64(len(got)) || from < to || from > int64(len(said)) {
			w.Errorf("%d and %d bytes are counted, and %d have come", from, to, len(got))
		}
		if from, to := p.stats.fromClients.Load(), p.stats.toClients.Load(); ended && (from != int64(len(said)) || to != int64(len(said))) {
			w.Errorf("%d and %d bytes are counted", from, to)
		}
		if n := p.engine.Conns(); n != 0 {
			w.Errorf("%d connections are left", n)
		}
	})
	if whole < 20 {
		t.Errorf("only %d of 100 came whole", whole)
	}
}
