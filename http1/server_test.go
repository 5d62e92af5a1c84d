package http1_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

func serve(t *testing.T, s *http1.Server) string {
	t.Helper()
	e := rig.New(t, rondo.Config{})
	t.Cleanup(func() { e.Log.Discard("http1: a request was refused") })
	ln, err := e.Listen("tcp", "127.0.0.1:0", s.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

func kinds(h http.Handler) map[string]http.Handler {
	return map[string]http.Handler{"goroutine": h, "on the loop": http1.NonBlocking(h), "task": http1.Task(h)}
}

func TestHello(t *testing.T) {
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Said", string(body))
		fmt.Fprint(w, strings.Repeat(r.Method+" "+r.URL.Path+" ", 1+len(body)))
	})) {
		t.Run(name, func(t *testing.T) {
			at := "http://" + serve(t, &http1.Server{Handler: h})
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for range 3 {
				for _, said := range []string{"", "abc", strings.Repeat("x", 5000)} {
					res, err := c.Post(at+"/path", "text/plain", struct{ io.Reader }{strings.NewReader(said)})
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					if want := strings.Repeat("POST /path ", 1+len(said)); err != nil || string(got) != want || res.Header.Get("X-Said") != said {
						t.Fatalf("%v: got %.100q and %v", said, got, err)
					}
				}
			}
		})
	}
}
