package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestExample(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	s := &http1.Server{Handler: routes()}
	ln, err := e.Listen("tcp", "127.0.0.1:0", s.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, x := range []struct{ method, path, body, want string }{
		{"GET", "/hello/Donne", "", "Hello, Donne!\n"},
		{"POST", "/sum", "[1, 2, 39]", "42\n"},
		{"POST", "/sum", "x", "The body must be a list of numbers: invalid character 'x' looking for beginning of value\n"},
		{"GET", "/ticks", "", "data: 0\n\ndata: 1\n\ndata: 2\n\n"},
		{"GET", "/nothing", "", "404 page not found\n"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), x.method, "http://"+ln.Addr().String()+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if res.Body.Close(); err != nil || string(got) != x.want {
			t.Errorf("%s %s: got %q, %v; want %q", x.method, x.path, got, err, x.want)
		}
	}
}
