package http1_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/sim"
)

// FuzzAnswer has a server say anything, cut in two, and then end: the fetch ends, once, and leaves nothing; and what it takes for an answer net/http takes for the same.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\n\r\nto the end",
		"HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nzip",
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n\x00",
		"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nLocation: \r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add(seed, uint(len(seed)/2))
	}
	f.Fuzz(func(t *testing.T, says string, cut uint) {
		if strings.Contains(says, "\nLocation:") || len(says) > 100_000 {
			return // it would be followed
		}
		at := int(cut % uint(len(says)+1)) //nolint:gosec // small
		var got *http.Response
		var err error
		ended := 0
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			ln := w.ListenPeer("server:80")
			e := w.Host("client").Engine()
			c := &http1.Client{Transport: &http1.Transport{DisableCompression: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			req, reqErr := http.NewRequest(http.MethodGet, "http://server/", nil) //nolint:noctx,usetesting // not the test's
			if reqErr != nil {
				w.Fatalf("%v", reqErr)
			}
			c.FetchFunc(e.Loop(), req, func(res *http.Response, e error) {
				got, err = res, e
				ended++
			})
			p := ln.Accept()
			p.Expect("GET / HTTP/1.1\r\nHost: server\r\nUser-Agent: rondo-http1/1\r\n\r\n")
			p.Send(says[:at], says[at:])
			p.Close()
			w.Wait(func() bool { return ended > 0 })
			c.CloseIdleConnections()
			w.Wait(func() bool { return e.Conns() == 0 })
		})
		if ended != 1 {
			t.Fatalf("the fetch has ended %d times", ended)
		}
		if err != nil {
			return
		}
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(strings.NewReader(says))
		for {
			theirs, err := http.ReadResponse(in, &http.Request{Method: http.MethodGet})
			if err != nil {
				t.Fatalf("net/http refuses it: %v", err)
			}
			if theirs.StatusCode < 200 && theirs.StatusCode != http.StatusSwitchingProtocols {
				continue
			}
			want, err := io.ReadAll(theirs.Body)
			if err != nil {
				t.Fatalf("net/http does not read its body: %v", err)
			}
			if theirs.StatusCode != got.StatusCode || !bytes.Equal(want, body) {
				t.Errorf("%s and %q, but to net/http %s and %q", got.Status, body, theirs.Status, want)
			}
			return
		}
	})
}
