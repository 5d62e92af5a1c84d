package http1_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// TestShutdownInTheMidst has an engine shut down while handlers of every kind run, stream, read, and have given their connection away. What was begun is completed, as far as there is time.
func TestShutdownInTheMidst(t *testing.T) {
	for _, x := range []struct {
		name, raw, want string
		late            bool // it does not end by itself
	}{
		{"running", "GET /run HTTP/1.1\r\nHost: h\r\n\r\n", "Connection: close\r\n\r\ndone", false},
		{"two requests", "GET /run HTTP/1.1\r\nHost: h\r\n\r\nGET /run HTTP/1.1\r\nHost: h\r\n\r\n", "Connection: close\r\n\r\ndone", false},
		{"streaming", "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n", "\r\n1\r\n8\r\n1\r\n9\r\n0\r\n\r\n", false},
		{"reading", "PUT /read HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234", "Connection: close\r\n\r\n0123456789", false},
		{"streaming without an end", "GET /events HTTP/1.1\r\nHost: h\r\n\r\n", "", true},
		{"hijacked", "GET /hijack HTTP/1.1\r\nHost: h\r\n\r\n", "mine", false},
	} {
		for _, kind := range []string{"goroutine", "task"} {
			t.Run(x.name+", "+kind, func(t *testing.T) {
				sim.Run(t, sim.Config{}, func(w *sim.World) {
					stopped := 0
					h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						switch r.URL.Path {
						case "/run":
							pause(w, r, 5*time.Second)
							io.WriteString(rw, "done")
						case "/stream":
							for i := range 10 {
								fmt.Fprint(rw, i)
								rw.(http.Flusher).Flush()
								pause(w, r, time.Second)
							}
						case "/read":
							io.Copy(rw, r.Body)
						case "/events":
							for r.Context().Err() == nil {
								if _, err := io.WriteString(rw, "event"); err != nil {
									break
								}
								rw.(http.Flusher).Flush()
								pause(w, r, time.Second)
							}
							stopped++
						case "/hijack":
							c, _, err := rw.(http.Hijacker).Hijack()
							if err != nil {
								w.Errorf("%v", err)
								return
							}
							w.Host("server").Go(func() {
								w.Sleep(7 * time.Second)
								io.WriteString(c, "mine")
								c.Close()
							})
						}
					})
					server := host(w, &http1.Server{Handler: kinds(h)[kind]})
					p := w.DialPeer("server:80")
					idle := w.DialPeer("server:80")
					p.Send(x.raw)
					w.Sleep(time.Second)
					done := false
					var failed error
					server.Go(func() {
						ctx, cancel := w.WithTimeout(t.Context(), 30*time.Second)
						defer cancel()
						failed = server.Engine().Shutdown(ctx)
						done = true
					})
					idle.ExpectEnd()
					if x.name == "reading" {
						w.Sleep(2 * time.Second)
						p.Send("56789")
					}
					w.Wait(func() bool { return done })
					w.Wait(p.Ended)
					if got := p.Received(); !strings.HasSuffix(got, x.want) || (failed != nil) != x.late {
						w.Errorf("the client got %q, want the end %q; Shutdown said %v", got, x.want, failed)
					}
					if x.late {
						w.Wait(func() bool { return stopped == 1 }) // it hears of it
					}
				})
			})
		}
	}
}

// TestNoLeak has nothing left of a server when its engine has ended: no goroutines that wait for work, none in a handler.
func TestNoLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	var left []string
	for round := range 3 {
		e, err := rondo.New(rondo.Config{Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		began := make(chan bool, 100)
		ln, err := e.Listen("tcp", "127.0.0.1:0", (&http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/read":
				began <- true
				if _, err := io.ReadAll(r.Body); err == nil {
					t.Error("the body is whole")
				}
			case "/write":
				began <- true
				for {
					if _, err := w.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			case "/wait":
				began <- true
				<-r.Context().Done()
			case "/late":
				http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour))
				began <- true
			default:
				began <- true
			}
		})}).Protocol)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, []string{
				"POST /read HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc", "GET /write HTTP/1.1\r\nHost: h\r\n\r\n", "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n",
				"GET /late HTTP/1.1\r\nHost: h\r\n\r\n", plainGet, plainGet,
			}[i%6])
			rig.Await(t, began)
		}
		if err := e.Close(); err != nil {
			t.Fatal(round, err)
		}
	}
	rig.Eventually(t, "the goroutines end", func() bool {
		p := make([]byte, 1<<20)
		left = nil
		for one := range strings.SplitSeq(string(p[:runtime.Stack(p, true)]), "\n\n") {
			if strings.Contains(one, "rondo/http1.") {
				left = append(left, one)
			}
		}
		return len(left) == 0
	})
	if n := runtime.NumGoroutine(); n > before+20 { // of net and of other tests
		t.Errorf("%d goroutines were there, and %d are", before, n)
	}
}

// TestWorkersEnd has the goroutines of handlers end when nobody has needed them for a while; a simulated world with some of them that wait does not stand still for that.
func TestWorkersEnd(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		host(w, &http1.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.Sleep(time.Second) })})
		for range 3 {
			var all []*sim.Peer
			for range 20 {
				p := w.DialPeer("server:80")
				p.Send(plainGet)
				all = append(all, p)
			}
			for _, p := range all {
				if status, _ := reply(w, p); status != "200 OK" {
					w.Errorf("%s", status)
				}
			}
			w.Sleep(time.Minute)
		}
	})
}

// TestHandlerStops has an engine close under a handler that waits in every way there is; each hears of it.
func TestHandlerStops(t *testing.T) {
	for name, wait := range map[string]func(w http.ResponseWriter, r *http.Request) error{
		"reading": func(w http.ResponseWriter, r *http.Request) error { _, err := io.ReadAll(r.Body); return err },
		"writing": func(w http.ResponseWriter, r *http.Request) error {
			for {
				if _, err := w.Write(make([]byte, 100000)); err != nil {
					return err
				}
			}
		},
		"its context": func(w http.ResponseWriter, r *http.Request) error { <-r.Context().Done(); return r.Context().Err() },
	} {
		t.Run(name, func(t *testing.T) {
			began, errs := make(chan bool), make(chan error, 1)
			e := rig.New(t, rondo.Config{})
			ln, err := e.Listen("tcp", "127.0.0.1:0", (&http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(began)
				errs <- wait(w, r)
			})}).Protocol)
			if err != nil {
				t.Fatal(err)
			}
			c := rig.Dial(t, ln.Addr().String())
			rig.Send(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc")
			rig.Await(t, began)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := e.Shutdown(ctx); err == nil {
				t.Error("a handler was running")
			}
			if err := rig.Await(t, errs); err == nil || errors.Is(err, io.EOF) {
				t.Error(err)
			}
			io.Copy(io.Discard, bufio.NewReader(c))
		})
	}
}
