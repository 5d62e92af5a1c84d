package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

// BenchmarkRequest is one short request and its answer on one connection, with what is allocated for it.
func BenchmarkRequest(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Hello, World!") })
	for _, x := range []struct {
		name string
		h    http.Handler
	}{{"NonBlocking", http1.NonBlocking(h)}, {"Task", http1.Task(h)}, {"Goroutine", h}} {
		b.Run(x.name, func(b *testing.B) {
			e := rig.New(b, rondo.Config{Loops: 1})
			ln, err := e.Listen("tcp", "127.0.0.1:0", (&http1.Server{Handler: x.h}).Protocol)
			if err != nil {
				b.Fatal(err)
			}
			c := rig.Dial(b, ln.Addr().String())
			ask := []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			answer := make([]byte, len("HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 16:48:59 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\nHello, World!"))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(ask); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
