package http1_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

// transport is one under test, on an engine of its own.
func transport(t *testing.T) *http1.Transport {
	t.Helper()
	return &http1.Transport{Engine: rig.New(t, rondo.Config{}).Engine}
}

// answering is what the servers do that clients are tested against.
func answering(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/echo":
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
		w.Header().Set("X-Coding", fmt.Sprint(r.TransferEncoding))
		w.Header().Set("X-Expect", r.Header.Get("Expect"))
		_ = http.NewResponseController(w).EnableFullDuplex() // else net/http drops what was not read when the answer begins
		_, _ = io.Copy(w, r.Body)                            // the client will see
		for name, v := range r.Trailer {
			w.Header()[http.TrailerPrefix+"Got-"+name] = v
		}
	case "/fields":
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			for _, v := range r.Header[name] {
				fmt.Fprintf(w, "%s: %s\n", name, v)
			}
		}
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/chunks":
		w.Header().Set("Trailer", "X-Sum")
		for i := range 10 {
			fmt.Fprintf(w, "piece %d\n", i)
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("X-Sum", "ten")
	case "/gzip":
		if r.Header.Get("Accept-Encoding") != "gzip" {
			fmt.Fprint(w, "plain")
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, strings.Repeat("zipped ", 1000))
		z.Close()
	case "/large":
		fmt.Fprint(w, strings.Repeat("0123456789abcdef", 1<<16))
	case "/early":
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, "too large")
	case "/hints":
		for range 3 {
			w.Header().Set("Link", "</x>")
			w.WriteHeader(http.StatusEarlyHints)
		}
		fmt.Fprint(w, "at last")
	case "/close":
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "last")
	default:
		fmt.Fprint(w, "Hello, World!")
	}
}

// servers are those that a client must get on with.
func servers(t *testing.T, h http.HandlerFunc) map[string]string {
	t.Helper()
	theirs := httptest.NewServer(h)
	t.Cleanup(theirs.Close)
	return map[string]string{
		"net/http": theirs.URL,
		"http1":    "http://" + serve(t, &http1.Server{Handler: h}),
		"task":     "http://" + serve(t, &http1.Server{Handler: http1.Task(h)}),
	}
}

// TestRoundTrip has an http.Client work on a Transport, as it does on net/http's: each request is made with both, and what comes back is the same.
func TestRoundTrip(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	requests := []struct {
		name, method, path string
		body               func() io.Reader
		header             http.Header
		trailer            http.Header
	}{
		{name: "get", method: "GET", path: "/"},
		{name: "query", method: "GET", path: "/echo?a=b&c=%20d"},
		{name: "head", method: "HEAD", path: "/large"},
		{name: "no content", method: "GET", path: "/empty"},
		{name: "chunks and a trailer", method: "GET", path: "/chunks"},
		{name: "gzip", method: "GET", path: "/gzip"},
		{name: "gzip that was asked for", method: "GET", path: "/gzip", header: http.Header{"Accept-Encoding": {"gzip"}}},
		{name: "large", method: "GET", path: "/large"},
		{name: "fields", method: "GET", path: "/fields", header: http.Header{"X-A": {"1", "2"}, "X-B": {""}, "User-Agent": {"me"}, "Cookie": {"a=b"}}},
		{name: "no agent", method: "GET", path: "/fields", header: http.Header{"User-Agent": nil}},
		{name: "hints", method: "GET", path: "/hints"},
		{name: "close", method: "GET", path: "/close"},
		{name: "post", method: "POST", path: "/echo", body: func() io.Reader { return strings.NewReader("body") }},
		{name: "post nothing", method: "POST", path: "/echo"},
		{name: "post much", method: "POST", path: "/echo", body: func() io.Reader { return strings.NewReader(long) }},
		{name: "post without a length", method: "POST", path: "/echo", body: func() io.Reader { return struct{ io.Reader }{strings.NewReader(long)} }},
		{name: "post an empty stream", method: "POST", path: "/echo", body: func() io.Reader { return struct{ io.Reader }{strings.NewReader("")} }},
		{name: "get with a body", method: "GET", path: "/echo", body: func() io.Reader { return struct{ io.Reader }{strings.NewReader("body")} }},
		{name: "get with an empty body", method: "GET", path: "/echo", body: func() io.Reader { return struct{ io.Reader }{strings.NewReader("")} }},
		{name: "delete with a buffer", method: "DELETE", path: "/echo", body: func() io.Reader { return bytes.NewBufferString("gone") }},
		{name: "trailer", method: "POST", path: "/echo", body: func() io.Reader { return struct{ io.Reader }{strings.NewReader("body")} }, trailer: http.Header{"X-T": {"t"}}},
		{name: "expect", method: "PUT", path: "/echo", body: func() io.Reader { return strings.NewReader(long) }, header: http.Header{"Expect": {"100-continue"}}},
	}
	for server, url := range servers(t, answering) {
		t.Run(server, func(t *testing.T) {
			ours := transport(t)
			theirs := &http.Transport{}
			defer theirs.CloseIdleConnections()
			for _, q := range requests {
				t.Run(q.name, func(t *testing.T) {
					answers := [2]string{}
					for i, tr := range []http.RoundTripper{theirs, ours} {
						var body io.Reader
						if q.body != nil {
							body = q.body()
						}
						req, err := http.NewRequest(q.method, url+q.path, body)
						if err != nil {
							t.Fatal(err)
						}
						if q.header != nil {
							req.Header = q.header.Clone()
						}
						req.Trailer = q.trailer
						if req.Header["User-Agent"] == nil && q.header["User-Agent"] == nil && q.name != "no agent" {
							req.Header.Set("User-Agent", "test")
						}
						res, err := (&http.Client{Transport: tr}).Do(req)
						if err != nil {
							t.Fatal(err)
						}
						got, err := io.ReadAll(res.Body)
						res.Body.Close()
						res.Header.Del("Date")
						sum := sha256.Sum256(got)
						answers[i] = fmt.Sprintf("%s %s %v length %d coding %v close %v uncompressed %v trailer %v: %.300q %x %v",
							res.Proto, res.Status, res.Header, res.ContentLength, res.TransferEncoding, res.Close, res.Uncompressed, res.Trailer, got, sum, err)
					}
					if answers[0] != answers[1] {
						t.Errorf("net/http: %s\n   rondo: %s", answers[0], answers[1])
					}
				})
			}
		})
	}
}

// TestConnectionsAreKept counts the connections that many requests need.
func TestConnectionsAreKept(t *testing.T) {
	var mu sync.Mutex
	peers := map[string]bool{}
	for server, url := range servers(t, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		peers[r.RemoteAddr] = true
	}) {
		t.Run(server, func(t *testing.T) {
			mu.Lock()
			clear(peers)
			mu.Unlock()
			c := &http.Client{Transport: transport(t)}
			for range 20 {
				res, err := c.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			if len(peers) != 1 {
				t.Errorf("20 requests, one after the other, took %d connections", len(peers))
			}
		})
	}
}

// TestContextEnds has the caller lose its patience: before the head, and within the body.
func TestContextEnds(t *testing.T) {
	began, done := make(chan struct{}, 1), make(chan struct{})
	defer close(done)
	at := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			fmt.Fprint(w, strings.Repeat("x", 5000))
			_ = http.NewResponseController(w).Flush()
		}
		began <- struct{}{}
		<-r.Context().Done()
	})})
	c := &http.Client{Transport: transport(t)}
	reason := errors.New("patience lost")
	for _, path := range []string{"/head", "/body"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-began
			if path == "/head" {
				cancel(reason)
			}
		}()
		res, err := c.Do(req)
		if path == "/body" {
			if err != nil {
				t.Fatal(err)
			}
			if _, err = io.ReadFull(res.Body, make([]byte, 5000)); err != nil {
				t.Fatal(err)
			}
			cancel(reason)
			_, err = io.ReadAll(res.Body)
		}
		if !errors.Is(err, reason) {
			t.Errorf("%s: %v", path, err)
		}
		cancel(nil)
	}
}
