package http1_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// TestHandlers are handlers that do what they should not, by every kind there is; the connection's next request shows what has become of it.
func TestHandlers(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("it is meant to")
		case "/written":
			io.WriteString(w, "abc")
			panic("it is meant to")
		case "/flushed":
			w.Header().Set("Content-Length", "10000")
			w.Write(make([]byte, 5000))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/flushedchunks":
			w.Write(make([]byte, 5000))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/goexit":
			runtime.Goexit()
		case "/short":
			w.Header().Set("Content-Length", "10")
			io.WriteString(w, "abc")
		case "/long":
			w.Header().Set("Content-Length", "3")
			io.WriteString(w, "abc")
			if _, err := io.WriteString(w, "def"); !errors.Is(err, http.ErrContentLength) {
				t.Error(err)
			}
		case "/huge":
			w.Write(make([]byte, 40<<20))
		default:
			io.WriteString(w, "fine")
		}
	})
	for name, h := range kinds(h) {
		for path, want := range map[string]string{
			"/panic":         "",
			"/written":       "",
			"/flushed":       "200 5000 unexpected EOF",
			"/flushedchunks": "200 5000 unexpected EOF",
			"/goexit":        "",
			"/short":         "200 3 unexpected EOF",
			"/long":          "200 3 <nil>,200 4 <nil>",
			"/huge":          "200 41943040 <nil>,200 4 <nil>",
		} {
			if name == "on the loop" && strings.HasPrefix(path, "/flushed") {
				want = "" // nothing goes out before it has returned
			}
			if name == "on the loop" && path == "/goexit" {
				want = "reset" // which it has asked for
			}
			t.Run(name+path, func(t *testing.T) {
				e := rig.New(t, rondo.Config{})
				defer e.Log.Discard("a handler did not return")
				defer e.Log.Discard("Goexit")
				ln, err := e.Listen("tcp", "127.0.0.1:0", (&http1.Server{Handler: h}).Protocol)
				if err != nil {
					t.Fatal(err)
				}
				c := rig.Dial(t, ln.Addr().String())
				rig.Send(t, c, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\nGET /fine HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
				got := strings.Join(readAll(c), ",")
				if strings.Contains(got, "reset by peer") {
					got = "reset"
				}
				if got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if body := get(t, "http://"+ln.Addr().String()); body != "fine" {
					t.Error(body)
				}
			})
		}
	}
}

// TestCloseDelimited has an answer that ends with its connection cut off: the client, which could not see that, is reset.
func TestCloseDelimited(t *testing.T) {
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 5000))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "GET / HTTP/1.0\r\n\r\n")
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Fatal("the answer passes for whole")
	}
}

// TestLeftovers are goroutines that a handler leaves behind, and that use its request and its ResponseWriter: nothing of that reaches this answer, or another one.
func TestLeftovers(t *testing.T) {
	var left atomic.Pointer[http.ResponseWriter]
	var request atomic.Pointer[http.Request]
	read := make(chan error, 1)
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/leave":
			go func() {
				_, err := r.Body.Read(make([]byte, 1)) // which waits for what does not come
				read <- err
			}()
			rig.Eventually(t, "it waits", func() bool { return waits("Wait") })
			left.Store(&w)
			request.Store(r)
		case "/use":
			late := *left.Load()
			late.Header().Set("X-Late", "yes")
			late.WriteHeader(500)
			if _, err := late.Write([]byte("late")); err == nil {
				t.Error("it may be written")
			}
			late.(http.Flusher).Flush()
			rc := http.NewResponseController(late)
			_, _, err := rc.Hijack()
			for _, err := range []error{err, rc.Flush(), rc.SetReadDeadline(time.Time{}), rc.SetWriteDeadline(time.Time{})} {
				if err == nil {
					t.Error("it may be used")
				}
			}
			if _, err := io.Copy(late, strings.NewReader("late")); err == nil {
				t.Error("it may be copied to")
			}
			if _, err := request.Load().Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
				t.Error(err)
			}
		}
		io.WriteString(w, "fine")
	})
	first, second := rig.Dial(t, addr), rig.Dial(t, addr)
	rig.Send(t, first, "POST /leave HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
	in := bufio.NewReader(first)
	if res, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	} else {
		rig.ExpectEnd(t, res.Body, "fine")
	}
	if err := rig.Await(t, read); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Fatal(err)
	}
	rig.Send(t, second, "GET /use HTTP/1.1\r\nHost: h\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(second), nil); err != nil || res.StatusCode != 200 || res.Header.Get("X-Late") != "" {
		t.Fatal(res, err)
	} else {
		rig.ExpectEnd(t, res.Body, "fine")
	}
	rig.Send(t, first, "0123456789GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if got := strings.Join(readAll(in), ","); got != "200 4 <nil>" {
		t.Fatal(got)
	}
}

// TestHijacked is what becomes of a connection that was given away while its handler does what it should not.
func TestHijacked(t *testing.T) {
	for _, x := range []struct {
		name string
		then func(w http.ResponseWriter)
	}{
		{"returns", func(http.ResponseWriter) {}},
		{"writes", func(w http.ResponseWriter) {
			w.WriteHeader(500)
			if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrHijacked) {
				t.Error(err)
			}
			w.(http.Flusher).Flush()
			if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrHijacked) {
				t.Error(err)
			}
		}},
		{"panics", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }},
		{"ends its goroutine", func(http.ResponseWriter) { runtime.Goexit() }},
	} {
		t.Run(x.name, func(t *testing.T) {
			conns := make(chan net.Conn, 1)
			addr := on(t, func(w http.ResponseWriter, r *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := r.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
					t.Error(err)
				}
				conns <- c
				x.then(w)
			})
			c := rig.Dial(t, addr)
			rig.Send(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
			own := rig.Await(t, conns)
			rig.Send(t, own, "mine")
			rig.Expect(t, c, "mine")
			rig.Send(t, c, "yours")
			rig.Expect(t, own, "yours")
			own.Close()
			rig.ExpectEnd(t, c, "")
		})
	}
}

// TestWriteDeadlinePassed has a handler that does not look at what its writes have said, and returns when its deadline has passed: the client is reset, and does not get the rest some time later.
func TestWriteDeadlinePassed(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		host(w, &http1.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Length", fmt.Sprint(4<<20))
			if err := http.NewResponseController(rw).SetWriteDeadline(w.Now().Add(3 * time.Second)); err != nil {
				w.Errorf("%v", err)
			}
			for range 64 {
				rw.Write(make([]byte, 64<<10))
			}
		})})
		p := w.DialPeer("server:80")
		p.PauseReading()
		p.Send(plainGet)
		w.Sleep(10 * time.Second)
		p.ResumeReading()
		p.ExpectReset()
	})
}
