package proxied_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/sim"
)

// TestRefusalsAreFewLines: who makes a thousand connections with false headers does not fill the log, and it is known how many they were.
func TestRefusalsAreFewLines(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var log bytes.Buffer
		server, err := w.Host("server").New(rondo.Config{Loops: 2, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			w.Fatalf("starting: %v", err)
		}
		if _, err := server.Listen("tcp", ":7", proxied.Config{TrustUnix: true}.Server(newTeller)); err != nil {
			w.Fatalf("listening: %v", err)
		}
		lie := func(times int) {
			for range times {
				c, err := w.Host("liar").Engine().DialContext(background, "tcp", "server:7")
				if err != nil {
					w.Fatalf("dialing: %v", err)
				}
				_, _ = c.Read(make([]byte, 1))
				_ = c.Close()
			}
		}
		expect := func(told int, more string) {
			if n := strings.Count(log.String(), "for its PROXY header"); n != told {
				w.Errorf("%d were told of, want %d", n, told)
			}
			if n := strings.Count(log.String(), "more connections were reset"); more == "" && n > 0 || more != "" && !strings.Contains(log.String(), "connections="+more) {
				w.Errorf("not %q more:\n%s", more, log.String())
			}
			log.Reset()
		}
		lie(4)
		w.Sleep(5 * time.Second)
		expect(4, "")
		lie(100)
		w.Sleep(5 * time.Second)
		expect(5, "95")
		lie(6)
		w.Sleep(5 * time.Second)
		expect(5, "1")
	})
}
