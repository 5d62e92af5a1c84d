package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

func get(t *testing.T, url string) string {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	res, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}

// TestPipeline sends ten thousand requests at once, whose answers come in their order. A part of them waits in the kernel while the client does not read.
func TestPipeline(t *testing.T) {
	const many = 10000
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })) {
		t.Run(name, func(t *testing.T) {
			c := rig.Dial(t, serve(t, &http1.Server{Handler: h}))
			sent := make(chan error, 1)
			go func() {
				w := bufio.NewWriter(c)
				for i := range many {
					fmt.Fprintf(w, "GET /%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
				}
				sent <- w.Flush()
			}()
			in := bufio.NewReader(c)
			for i := range many {
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(i, err)
				}
				if body, err := io.ReadAll(res.Body); err != nil || string(body) != fmt.Sprint("/", i) {
					t.Fatalf("answer %d is %q, %v", i, body, err)
				}
			}
			if err := rig.Await(t, sent); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestBigBodies sends 32 MB each way at once, through a handler that is no faster than its client.
func TestBigBodies(t *testing.T) {
	addr := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	})})
	for _, length := range []bool{true, false} {
		data := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
		var body io.Reader = bytes.NewReader(data)
		if !length {
			body = struct{ io.Reader }{body}
		}
		tr := &http.Transport{}
		res, err := (&http.Client{Transport: tr}).Post("http://"+addr, "x/y", body)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if n, err := io.Copy(sum, res.Body); n != int64(len(data)) || err != nil || [32]byte(sum.Sum(nil)) != sha256.Sum256(data) {
			t.Fatal(n, err)
		}
		res.Body.Close()
		tr.CloseIdleConnections()
	}
}

// TestHandlerWaitsForReader has a client that does not read: the handler stands, and nothing is gathered without end.
func TestHandlerWaitsForReader(t *testing.T) {
	written := make(chan int64, 1)
	gone := make(chan error, 1)
	addr := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		context.AfterFunc(r.Context(), func() { gone <- r.Context().Err() })
		var n int64
		for {
			m, err := w.Write(make([]byte, 64<<10))
			if n += int64(m); err != nil {
				written <- n
				return
			}
		}
	})})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	rig.Eventually(t, "the handler waits", func() bool { return len(written) == 0 && waits("handOver") })
	reset(c)
	if n := rig.Await(t, written); n > 64<<20 {
		t.Fatalf("%d bytes were taken for a client that does not read", n)
	}
	if err := rig.Await(t, gone); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestClientGone has a client that leaves while its handler waits: its context ends.
func TestClientGone(t *testing.T) {
	for name, leave := range map[string]func(c *net.TCPConn){
		"by an end":   func(c *net.TCPConn) { c.Close() },
		"half":        func(c *net.TCPConn) { _ = c.CloseWrite() },
		"by a reset":  reset,
		"with a body": nil,
	} {
		t.Run(name, func(t *testing.T) {
			began, over := make(chan bool), make(chan error, 1)
			addr := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(began)
				if leave == nil {
					_, err := io.ReadAll(r.Body)
					over <- err
					return
				}
				<-r.Context().Done()
				over <- r.Context().Err()
			})})
			c := rig.Dial(t, addr)
			if leave == nil {
				rig.Send(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
				rig.Await(t, began)
				c.Close()
				if err := rig.Await(t, over); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
				return
			}
			rig.Send(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			rig.Await(t, began)
			leave(c)
			if err := rig.Await(t, over); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		})
	}
}

// TestHijack gives the connection to the handler, with what had come and was not read.
func TestHijack(t *testing.T) {
	failed := make(chan error, 1)
	addr := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrHijacked) {
			t.Error(err)
		}
		go func() {
			defer c.Close()
			line, err := rw.ReadString('\n')
			fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\n\r\nsaid %q\n", line)
			failed <- errors.Join(err, rw.Flush())
		}()
	})})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nearly ")
	rig.Send(t, c, "late\n")
	rig.ExpectEnd(t, c, "HTTP/1.1 101 Switching Protocols\r\n\r\nsaid \"early late\\n\"\n")
	if err := rig.Await(t, failed); err != nil {
		t.Fatal(err)
	}
}

// TestContinue has a client that waits to be asked for its body, and a handler that does not ask.
func TestContinue(t *testing.T) {
	addr := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Error(err)
			}
		}
	})})
	c := rig.Dial(t, addr)
	in := bufio.NewReader(c)
	rig.Send(t, c, "POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	rig.Expect(t, in, "HTTP/1.1 100 Continue\r\n\r\n")
	rig.Send(t, c, "abc")
	if res, err := http.ReadResponse(in, nil); err != nil || res.ContentLength != 3 {
		t.Fatal(res, err)
	} else {
		rig.Expect(t, res.Body, "abc")
	}
	rig.Send(t, c, "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 200 || !res.Close {
		t.Fatal("nobody can tell whether the body will come, so the connection must end", res, err)
	}
	rig.ExpectEnd(t, in, "")
}

// TestShutdown has a request under way finished, and an idle connection closed.
func TestShutdown(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	began, release := make(chan bool), make(chan bool)
	s := &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-release
		fmt.Fprint(w, "done")
	})}
	ln, err := e.Listen("tcp", "127.0.0.1:0", s.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	idle, busy := rig.Dial(t, ln.Addr().String()), rig.Dial(t, ln.Addr().String())
	rig.Send(t, busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	rig.Await(t, began)
	down := make(chan error, 1)
	go func() { down <- e.Shutdown(t.Context()) }()
	rig.ExpectEnd(t, idle, "")
	for _, l := range e.Loops() {
		rig.On(t, l, func() {}) // it has drained
	}
	close(release)
	res, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || !res.Close {
		t.Fatal(res, err)
	}
	rig.ExpectEnd(t, res.Body, "done")
	if err := rig.Await(t, down); err != nil {
		t.Fatal(err)
	}
}

// TestDeadlines are those of an http.ResponseController.
func TestDeadlines(t *testing.T) {
	errs := make(chan error, 2)
	addr := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Error(err)
		}
		_, err := io.ReadAll(r.Body)
		errs <- err
		for err = rc.SetWriteDeadline(time.Now().Add(time.Millisecond)); err == nil; {
			_, err = w.Write(make([]byte, 64<<10))
		}
		errs <- err
	})})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
	for range 2 {
		if err := rig.Await(t, errs); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
}

// TestFile serves a file by its http.FileServer, also in part.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	data := bytes.Repeat([]byte("0123456789"), 100000)
	if err := os.WriteFile(filepath.Join(dir, "file.txt"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	addr := serve(t, &http1.Server{Handler: http.FileServer(http.Dir(dir))})
	if body := get(t, "http://"+addr+"/file.txt"); body != string(data) {
		t.Fatalf("%d bytes", len(body))
	}
	req, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr+"/file.txt", nil)
	req.Header.Set("Range", "bytes=500003-600002")
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || !bytes.Equal(body, data[500003:600003]) || res.StatusCode != http.StatusPartialContent {
		t.Fatal(res.Status, len(body), err)
	}
}

// TestRefused are requests that are none.
func TestRefused(t *testing.T) {
	var many strings.Builder
	for i := range 100000 {
		fmt.Fprintf(&many, "X-%d: 1\r\n", i)
	}
	for name, x := range map[string]struct{ raw, status string }{
		"a megabyte of header":      {"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "431 Request Header Fields Too Large"},
		"a hundred thousand fields": {"GET / HTTP/1.1\r\nHost: h\r\n" + many.String() + "\r\n", "431 Request Header Fields Too Large"},
		"a URL of a megabyte":       {"GET /" + strings.Repeat("x", 1<<20) + " HTTP/1.1\r\nHost: h\r\n\r\n", "414 Request URI Too Long"},
		"two lengths":               {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "400 Bad Request"},
		"TLS":                       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 Bad Request"},
		"HTTP/2":                    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP Version Not Supported"},
		"a bad escape":              {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "400 Bad Request"},
		"a bad chunk":               {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400 Bad Request"},
		"too large a body":          {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n", "413 Request Entity Too Large"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, &http1.Server{Handler: http1.NonBlocking(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))})
			c := rig.Dial(t, addr)
			go fmt.Fprint(c, x.raw)
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || res.Status != x.status || !res.Close {
				t.Fatal(res, err)
			}
			if body, err := io.ReadAll(res.Body); err != nil || len(body) < 20 {
				t.Fatalf("%q %v", body, err)
			}
		})
	}
}

// TestAccessLog has a line for each request.
func TestAccessLog(t *testing.T) {
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(202); fmt.Fprint(w, "abc") })) {
		t.Run(name, func(t *testing.T) {
			lines := make(chan string, 1)
			addr := serve(t, &http1.Server{Handler: h, AccessLog: slog.New(slog.NewTextHandler(lineWriter(lines), nil))})
			get(t, "http://"+addr+"/a?b")
			if line := rig.Await(t, lines); !strings.Contains(line, "method=GET target=/a?b proto=HTTP/1.1 status=202 bytes=3 took=") {
				t.Fatal(line)
			}
		})
	}
}

type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) { w <- string(p); return len(p), nil }

// TestAllBegin has many handlers of one loop wait for each other: none waits for a goroutine that another holds.
func TestAllBegin(t *testing.T) {
	const many = 500
	var all sync.WaitGroup
	all.Add(many)
	e := rig.New(t, rondo.Config{Loops: 1})
	ln, err := e.Listen("tcp", "127.0.0.1:0", (&http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		all.Done()
		all.Wait()
		fmt.Fprint(w, "all")
	})}).Protocol)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time with goroutines that are there
		var conns []*net.TCPConn
		for range many {
			c := rig.Dial(t, ln.Addr().String())
			rig.Send(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			conns = append(conns, c)
		}
		for _, c := range conns {
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			rig.Expect(t, res.Body, "all")
			c.Close()
		}
		all.Add(many)
	}
}
