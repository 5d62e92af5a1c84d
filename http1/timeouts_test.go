package http1_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
)

// host starts a server in a simulated world, at server:80.
func host(w *sim.World, s *http1.Server) *sim.Host {
	h := w.Host("server")
	h.Start(func(h *sim.Host) error {
		_, err := h.Engine().Listen("tcp", ":80", s.Protocol)
		return err
	})
	return h
}

// kindNames are those of kinds, in an order.
var kindNames = []string{"goroutine", "on the loop", "task"}

// ask has a peer make a request, and takes the answer's status and body.
func ask(w *sim.World, p *sim.Peer, raw string) (status, body string) {
	p.Send(raw)
	return reply(w, p)
}

// reply takes an answer, which must have a length.
func reply(w *sim.World, p *sim.Peer) (status, body string) {
	late := false
	defer w.After(time.Hour, func() { late = true })()
	w.Wait(func() bool { return late || p.Ended() || strings.Contains(p.Received(), "\r\n\r\n") })
	head, _, ok := strings.Cut(p.Received(), "\r\n\r\n")
	if !ok {
		return "no answer", ""
	}
	head += "\r\n\r\n"
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(head)), nil)
	if err != nil {
		w.Errorf("the answer %q: %v", head, err)
		return "", ""
	}
	if res.ContentLength < 0 {
		w.Fatalf("the answer has no length: %q", head)
	}
	whole := len(head) + int(res.ContentLength)
	w.Wait(func() bool { return late || p.Ended() || len(p.Received()) >= whole })
	all := p.Received()
	if len(all) < whole {
		w.Errorf("the answer is cut off: %q", all)
		return "", ""
	}
	p.Expect(all[:whole])
	return res.Status, all[len(head):whole]
}

func within(w *sim.World, what string, took, least, most time.Duration) {
	if took < least || took > most {
		w.Errorf("%s: it took %v, and not %v to %v", what, took, least, most)
	}
}

const plainGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// pause is a handler's way to wait in a simulated world, where it may.
func pause(w *sim.World, r *http.Request, d time.Duration) {
	if t := http1.TaskOf(r); t != nil {
		_ = task.Sleep(t, d)
		return
	}
	w.Sleep(d)
}

// TestTimeouts are those of a Server, to the second.
func TestTimeouts(t *testing.T) {
	var w *sim.World
	var readErr error
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			pause(w, r, 20*time.Second)
		case "/body":
			if _, readErr = io.ReadAll(r.Body); readErr != nil {
				rw.WriteHeader(http.StatusRequestTimeout)
			}
		case "/big":
			rw.Header().Set("Content-Length", fmt.Sprint(4<<20))
			rw.Write(make([]byte, 4<<20))
			return
		}
		io.WriteString(rw, "done")
	})
	second := time.Second
	for _, x := range []struct {
		name   string
		server http1.Server
		only   []string // kinds of handler
		script func(p *sim.Peer)
	}{
		{"nobody says anything", http1.Server{IdleTimeout: 7 * second}, nil, func(p *sim.Peer) {
			within(w, "idle", p.ExpectEnd(), 6*second, 9*second)
		}},
		{"idle between two requests", http1.Server{IdleTimeout: 7 * second}, nil, func(p *sim.Peer) {
			for range 3 { // the time begins anew with each
				ask(w, p, plainGet)
				p.ExpectNothing(6 * second)
			}
			ask(w, p, plainGet)
			within(w, "idle", p.ExpectEnd(), 6*second, 9*second)
		}},
		{"idle after a WriteTimeout that is shorter", http1.Server{IdleTimeout: 7 * second, WriteTimeout: 2 * second}, nil, func(p *sim.Peer) {
			ask(w, p, plainGet)
			within(w, "idle", p.ExpectEnd(), 6*second, 9*second)
		}},
		{"by default, for two minutes", http1.Server{}, nil, func(p *sim.Peer) {
			within(w, "idle", p.ExpectEnd(), 119*second, 122*second)
		}},
		{"for ever, if it is to be", http1.Server{IdleTimeout: -1}, nil, func(p *sim.Peer) {
			p.ExpectNothing(30 * time.Minute)
			ask(w, p, plainGet)
		}},
		{"a head a byte a second", http1.Server{ReadHeaderTimeout: 5 * second}, nil, func(p *sim.Peer) {
			p.SendEvery(second, strings.Split(plainGet, "")[:7]...)
			if status, _ := reply(w, p); status != "408 Request Timeout" {
				w.Errorf("%s", status)
			}
			p.ExpectEnd()
		}},
		{"a head, by default", http1.Server{}, nil, func(p *sim.Peer) {
			p.Send("GET ")
			p.ExpectNothing(9 * second)
			if status, _ := reply(w, p); status != "408 Request Timeout" {
				w.Errorf("%s", status)
			}
		}},
		{"a head in pieces and in time", http1.Server{ReadHeaderTimeout: 5 * second}, nil, func(p *sim.Peer) {
			for range 3 {
				p.SendEvery(second, "GET / HTTP/1.1\r", "\nHost: h", "\r\n\r")
				if status, body := ask(w, p, "\n"); status != "200 OK" || body != "done" {
					w.Errorf("%s %q", status, body)
				}
			}
		}},
		{"ReadTimeout holds for a head too", http1.Server{ReadTimeout: 3 * second}, nil, func(p *sim.Peer) {
			p.Send("GET ")
			p.ExpectNothing(2 * second)
			if status, _ := reply(w, p); status != "408 Request Timeout" {
				w.Errorf("%s", status)
			}
		}},
		{"a body that does not come", http1.Server{ReadTimeout: 5 * second}, nil, func(p *sim.Peer) {
			readErr = os.ErrDeadlineExceeded
			p.Send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345")
			p.ExpectNothing(4 * second)
			if status, _ := reply(w, p); status != "408 Request Timeout" || !errors.Is(readErr, os.ErrDeadlineExceeded) {
				w.Errorf("%s, and reading the body said %v", status, readErr)
			}
			p.ExpectEnd()
		}},
		{"a body that comes in time", http1.Server{ReadTimeout: 5 * second}, nil, func(p *sim.Peer) {
			for range 3 {
				p.SendEvery(second, "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1", "2", "3", "4")
				if status, _ := ask(w, p, "5"); status != "200 OK" {
					w.Errorf("%s", status)
				}
			}
			p.ExpectNothing(20 * second)
		}},
		{"a body longer than IdleTimeout", http1.Server{IdleTimeout: 5 * second}, nil, func(p *sim.Peer) {
			p.Send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n1")
			p.ExpectNothing(time.Minute)
			if status, _ := ask(w, p, "2345"); status != "200 OK" {
				w.Errorf("%s", status)
			}
		}},
		{"a body that nobody reads", http1.Server{ReadHeaderTimeout: 5 * second}, []string{"goroutine", "task"}, func(p *sim.Peer) {
			if status, _ := ask(w, p, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n12345"); status != "200 OK" {
				w.Errorf("%s", status)
			}
			p.SendEvery(second, "1", "2", "3", "4")
			within(w, "the rest of the body", p.ExpectEnd(), 0, 3*second)
		}},
		{"ReadTimeout is not the handler's", http1.Server{ReadTimeout: 5 * second}, []string{"goroutine", "task"}, func(p *sim.Peer) {
			for _, raw := range []string{"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n", "POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"} {
				if status, body := ask(w, p, raw); status != "200 OK" || body != "done" {
					w.Errorf("%s %q", status, body)
				}
			}
		}},
		{"a handler longer than WriteTimeout", http1.Server{WriteTimeout: 5 * second}, []string{"goroutine", "task"}, func(p *sim.Peer) {
			p.Send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
			within(w, "WriteTimeout", p.ExpectReset(), 4*second, 7*second)
		}},
		{"WriteTimeout behind a body that took longer", http1.Server{WriteTimeout: 8 * second, ReadTimeout: 5 * second}, []string{"goroutine", "task"}, func(p *sim.Peer) {
			p.Send("POST /slow HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n1")
			p.SendEvery(second, "2")
			within(w, "WriteTimeout", p.ExpectReset(), 5*second, 9*second)
		}},
		{"an answer that the client does not read", http1.Server{WriteTimeout: 5 * second}, nil, func(p *sim.Peer) {
			p.PauseReading()
			p.Send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
			w.Sleep(12 * second)
			p.ResumeReading()
			p.ExpectReset()
			if n := len(p.Received()); n > 1<<20 {
				w.Errorf("%d bytes have come", n)
			}
		}},
		{"a request and then an answer that are not read", http1.Server{}, nil, func(p *sim.Peer) { // no WriteTimeout: it is waited for
			p.PauseReading()
			p.Send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
			w.Sleep(50 * second)
			p.ResumeReading()
			if status, body := reply(w, p); status != "200 OK" || len(body) != 4<<20 {
				w.Errorf("%s, %d bytes", status, len(body))
			}
			ask(w, p, plainGet)
		}},
	} {
		for _, kind := range kindNames {
			if x.only != nil && !slices.Contains(x.only, kind) {
				continue
			}
			t.Run(x.name+", "+kind, func(t *testing.T) {
				sim.Run(t, sim.Config{}, func(world *sim.World) {
					w = world
					s := x.server
					s.Handler = kinds(handler)[kind]
					host(w, &s)
					x.script(w.DialPeer("server:80"))
				})
			})
		}
	}
}

// TestTimeoutsBesideOthers has a connection whose time is over soon among some that may be idle for long, and were there before it, or come behind it.
func TestTimeoutsBesideOthers(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		host(w, &http1.Server{ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 10 * time.Minute, Handler: http.NotFoundHandler()})
		for range 3 {
			began := w.Elapsed()
			before := w.DialPeer("server:80")
			w.Sleep(time.Second)
			p := w.DialPeer("server:80")
			p.Send("GET / ")
			behind := w.DialPeer("server:80")
			start := w.Elapsed()
			if status, _ := reply(w, p); status != "408 Request Timeout" {
				w.Errorf("%s", status)
			}
			within(w, "the head", w.Elapsed()-start, 4*time.Second, 7*time.Second)
			before.ExpectEnd()
			behind.ExpectEnd()
			within(w, "idle", w.Elapsed()-began, 9*time.Minute, 11*time.Minute)
		}
	})
}

// TestDrip has clients that take their answers slowly, which they may: for longer than IdleTimeout.
func TestDrip(t *testing.T) {
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 100
		if r.URL.Path == "/big" {
			n = 1 << 20
		}
		io.WriteString(w, strings.Repeat("#", n))
	})) {
		for _, x := range []struct {
			path      string
			size      int
			bandwidth int64
		}{{"/", 100, 16}, {"/big", 1 << 20, 64 << 10}} {
			t.Run(name+" "+x.path, func(t *testing.T) {
				sim.Run(t, sim.Config{}, func(w *sim.World) {
					host(w, &http1.Server{Handler: h, IdleTimeout: 5 * time.Second})
					p := w.DialPeer("server:80")
					p.Send("GET " + x.path + " HTTP/1.1\r\nHost: h\r\n")
					w.SetLink(p.Host(), w.Host("server"), sim.Link{Latency: time.Millisecond, Bandwidth: x.bandwidth})
					p.Send("\r\n")
					late := false
					defer w.After(time.Hour, func() { late = true })()
					w.Wait(func() bool { return late || strings.Count(p.Received(), "#") >= x.size || p.Ended() })
					if n := strings.Count(p.Received(), "#"); n != x.size {
						w.Errorf("%d bytes have come, %v", n, p.Err())
					}
				})
			})
		}
	}
}
