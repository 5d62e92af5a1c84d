package simtest

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

// Libraries' sockets run in a world too: goroutines wait in virtual time, for datagrams and for deadlines.
func TestNetPacketConnInWorld(t *testing.T) {
	sim.Run(t, sim.Config{Link: sim.Link{Latency: time.Second}}, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		s, err := server.Engine().ListenNetPacket("udp", ":53")
		if err != nil {
			w.Fatalf("%v", err)
		}
		server.Go(func() {
			buf := make([]byte, 100)
			for {
				n, from, err := s.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = s.WriteTo(buf[:n], from)
			}
		})
		c, err := client.Engine().DialNetPacket(t.Context(), "udp", "server:domain")
		if err != nil {
			w.Fatalf("%v", err)
		}
		buf := make([]byte, 100)
		for _, tt := range []struct {
			patience time.Duration
			answered bool
		}{{1500 * time.Millisecond, false}, {2500 * time.Millisecond, true}} {
			since := w.Elapsed()
			_ = c.SetReadDeadline(client.Engine().Loop().Now().Add(tt.patience))
			if _, err := c.Write([]byte("where?")); err != nil {
				w.Errorf("%v", err)
			}
			n, err := c.Read(buf)
			if tt.answered && (err != nil || string(buf[:n]) != "where?") || !tt.answered && !errors.Is(err, os.ErrDeadlineExceeded) {
				w.Errorf("with a patience of %v: %q, %v", tt.patience, buf[:n], err)
			}
			if d := w.Elapsed() - since; d > tt.patience+time.Millisecond {
				w.Errorf("it took %v", d)
			}
			if !tt.answered {
				_ = c.SetReadDeadline(time.Time{})
				_, _ = c.Read(buf) // the late one
			}
		}
		_ = c.Close()
		_ = s.Close()
	})
}
