package secure_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/sim"
)

// FuzzAfterHandshake sends a server anything, in any pieces, once the handshake is over: nothing of it reaches the protocol, since it was not encrypted with the keys; the connection ends with an
// error that says what was wrong, or waits for the rest of a record.
func FuzzAfterHandshake(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 3, 1, 2, 3}, []byte{2}, true)
	f.Add([]byte{23, 3, 3, 0, 100, 1, 2, 3}, []byte{}, false)
	f.Add([]byte{23, 3, 3, 255, 255, 0}, []byte{}, true)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), []byte{1, 1, 1}, true)
	f.Add([]byte{21, 3, 3, 0, 2, 1, 0}, []byte{5}, true)
	f.Add([]byte{20, 3, 3, 0, 1, 1, 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 0}, []byte{6}, true)
	f.Add([]byte{22, 3, 3, 0, 4, 1, 0, 0, 0, 22, 3, 3, 0, 5, 24, 0, 0, 1, 0}, []byte{3}, false)
	f.Add([]byte{}, []byte{}, false)
	type pair struct{ server, client *tls.Config }
	pairs := make(map[bool]pair)
	for _, version := range versions {
		server, client := configs(f, version)
		client.CurvePreferences = []tls.CurveID{tls.X25519}
		pairs[version == tls.VersionTLS13] = pair{server, client}
	}
	f.Fuzz(func(t *testing.T, data, cuts []byte, tls13 bool) {
		server, client := pairs[tls13].server, pairs[tls13].client
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			l := &lost{reason: make(chan error, 1)}
			if _, err := w.Host("server").Engine().Listen("tcp", ":443", secure.Config{TLS: server}.Server(func() rondo.Protocol { return l })); err != nil {
				w.Fatalf("listening: %v", err)
			}
			raw, err := w.Host("client").Engine().DialContext(background, "tcp", "server:443")
			if err != nil {
				w.Fatalf("connecting: %v", err)
			}
			if err := tls.Client(raw, client).Handshake(); err != nil {
				w.Fatalf("the handshake: %v", err)
			}
			w.Sleep(time.Second)
			for rest := data; len(rest) > 0; {
				n := len(rest)
				if len(cuts) > 0 {
					n, cuts = min(n, 1+int(cuts[0])), cuts[1:]
					w.Sleep(time.Second) // so that it arrives as a piece
				}
				if _, err := raw.Write(rest[:n]); err != nil {
					break // the server has ended it
				}
				rest = rest[n:]
			}
			w.Sleep(time.Second)
			_ = raw.Close()
			w.Sleep(time.Second)
			if len(l.got) > 0 {
				w.Errorf("%q has arrived", l.got)
			}
			select {
			case err := <-l.reason:
				if err == nil || !errors.Is(err, secure.ErrNoCloseNotify) && !strings.Contains(err.Error(), "tls: ") {
					w.Errorf("the reason is %v", err)
				}
			default:
				w.Errorf("the connection has not ended")
			}
		})
	})
}
