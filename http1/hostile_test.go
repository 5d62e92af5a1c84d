package http1_test

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// TestSlowloris has a good client among thousands that say a byte of a head, or of a body, every few seconds. Its requests are answered as if it were alone, and the others get no further than they may.
func TestSlowloris(t *testing.T) {
	many := 2000
	if raceEnabled {
		many = 100
	}
	for _, x := range []struct{ name, head string }{
		{"heads", "GET / HTTP/1.1\r\nHost: h\r\nX-A: "},
		{"bodies", "POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"},
	} {
		for _, kind := range kindNames {
			t.Run(x.name+", "+kind, func(t *testing.T) {
				sim.Run(t, sim.Config{}, func(w *sim.World) {
					h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						io.Copy(io.Discard, r.Body)
						io.WriteString(w, "hello")
					})
					host(w, &http1.Server{Handler: kinds(h)[kind], ReadTimeout: 10 * time.Second})
					e := w.Host("bad").Engine()
					var bad slow
					bad.head = x.head
					for range many {
						e.Dial(t.Context(), "tcp", "server:80", &slowConn{of: &bad})
					}
					good := w.DialPeer("server:80")
					w.Wait(func() bool { return bad.made == many })
					worst := time.Duration(0)
					for range 50 {
						began := w.Elapsed()
						if status, body := ask(w, good, plainGet); status != "200 OK" || body != "hello" {
							w.Fatalf("%s %q", status, body)
						}
						worst = max(worst, w.Elapsed()-began)
						w.Sleep(200 * time.Millisecond)
					}
					if worst > 50*time.Millisecond {
						w.Errorf("the worst answer took %v", worst)
					}
					w.Sleep(20 * time.Second)
					if bad.lost != many {
						w.Errorf("%d of %d are still there after 30 s", many-bad.lost, many)
					}
				})
			})
		}
	}
}

// slow are clients that are.
type slow struct {
	head       string
	made, lost int
}

type slowConn struct {
	of    *slow
	timer rondo.Timer
}

func (s *slowConn) ConnectionMade(c *rondo.Conn) {
	s.of.made++
	c.Write([]byte(s.of.head))
	s.timer = c.Loop().Every(3*time.Second, func() { c.Write([]byte("x")) })
}
func (*slowConn) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (s *slowConn) ConnectionLost(*rondo.Conn, error)      { s.of.lost++; s.timer.Stop() }

// TestSlowlorisSockets has the same on sockets, some hundreds of them, each with half of a head or of a body.
func TestSlowlorisSockets(t *testing.T) {
	const many = 200
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "hello")
	})) {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, &http1.Server{Handler: h})
			for i := range many {
				c := rig.Dial(t, addr)
				rig.Send(t, c, []string{"GET / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n123", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12"}[i%3])
			}
			for range 20 {
				if body := get(t, "http://"+addr); body != "hello" {
					t.Fatal(body)
				}
			}
		})
	}
}

// readAll reads all answers of a connection to the end of its stream, and says what each was.
func readAll(c io.Reader) (all []string) {
	in := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				all = append(all, err.Error())
			}
			return all
		}
		body, err := io.ReadAll(res.Body)
		all = append(all, fmt.Sprint(res.StatusCode, " ", len(body), " ", err))
	}
}

// TestBodies are handlers that do not read what they are sent, little or much, announced or in chunks; the next request is answered if the rest was little.
func TestBodies(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/some":
			io.ReadFull(r.Body, make([]byte, 10))
		case "/closed":
			r.Body.Close()
		}
		io.WriteString(w, "fine")
	})
	for name, h := range kinds(h) {
		for _, path := range []string{"/none", "/some", "/closed"} {
			for _, x := range []struct {
				size    int
				chunked bool
				next    bool
			}{{0, false, true}, {100, false, true}, {100, true, true}, {200 << 10, false, true}, {200 << 10, true, true}, {900 << 10, false, false}, {900 << 10, true, false}, {8 << 20, false, false}} {
				if name == "on the loop" && x.size > 1<<20 {
					continue // 413, which TestRefused is about
				}
				t.Run(fmt.Sprintf("%s%s %d %v", name, path, x.size, x.chunked), func(t *testing.T) {
					c := rig.Dial(t, serve(t, &http1.Server{Handler: h}))
					go func() {
						w := bufio.NewWriter(c)
						data := make([]byte, x.size)
						if x.chunked {
							fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", path)
							for piece := range slices.Chunk(data, 1000) {
								fmt.Fprintf(w, "%x\r\n%s\r\n", len(piece), piece)
							}
							fmt.Fprint(w, "0\r\n\r\n")
						} else {
							fmt.Fprintf(w, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", path, x.size, data)
						}
						fmt.Fprint(w, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
						w.Flush()
					}()
					want := "200 4 <nil>"
					if x.next || name == "on the loop" || path == "/closed" { // for who closes the body reads on while the handler runs
						want += ",200 4 <nil>"
					}
					if got := strings.Join(readAll(c), ","); got != want && (path != "/closed" || got != "200 4 <nil>") {
						t.Errorf("got %q, want %q", got, want)
					}
				})
			}
		}
	}
}

// TestPromised has bodies that are shorter than was said, since the client ends, and longer: what is too much is the next request.
func TestPromised(t *testing.T) {
	const (
		length = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: "
		chunks = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc"
		whole  = "200 POSTabc<nil>"
		short  = "200 POSTabcunexpected EOF" // for a client that may still read
	)
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, string(body), err)
	})) {
		t.Run(name, func(t *testing.T) {
			for _, x := range []struct{ raw, want, onLoop string }{
				{length + "3\r\n\r\nabc" + plainGet, whole + ",200 GET<nil>", ""},
				{length + "3\r\n\r\nabcdef\r\n\r\n", whole + ",400", ""},
				{length + "10\r\n\r\nabc", short, "nothing"},
				{chunks, short, "nothing"},
				{chunks + "\r\n", short, "nothing"},
				{chunks + "d\r\n0\r\n\r\n", "200 POSTabcwire: a chunk's data is followed by 'd', and not by CRLF", "400"},
				{chunks + "\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", whole + ",400", ""},
			} {
				c := rig.Dial(t, serve(t, &http1.Server{Handler: h}))
				rig.Send(t, c, x.raw)
				c.CloseWrite()
				want := x.want
				if x.onLoop != "" && name == "on the loop" {
					want = x.onLoop
				}
				if got := said(c); got != want {
					t.Errorf("%q\ngot %q, want %q", x.raw, got, want)
				}
			}
		})
	}
}

// said is what all the answers of a connection are, with the bodies of those of handlers; "nothing" if there is none.
func said(c io.Reader) string {
	var all []string
	in := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return cmp.Or(strings.Join(all, ","), "nothing")
		}
		body, err := io.ReadAll(res.Body)
		switch {
		case err != nil:
			all = append(all, err.Error())
		case res.StatusCode == http.StatusOK:
			all = append(all, fmt.Sprint(res.StatusCode, " ", string(body)))
		default:
			all = append(all, fmt.Sprint(res.StatusCode))
		}
	}
}

// TestBrokenChunks gives a handler what came before, and an error; and the answer is the connection's last.
func TestBrokenChunks(t *testing.T) {
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, string(body), err != nil && !errors.Is(err, io.EOF))
	})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n"+plainGet)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || !res.Close {
		t.Fatal(res, err)
	}
	rig.ExpectEnd(t, res.Body, "abctrue")
	rig.ExpectEnd(t, c, "")
}

// TestLeaveInTheMidst has clients that leave while their answer comes, and before it does; the handler hears of it, and others are served.
func TestLeaveInTheMidst(t *testing.T) {
	errs := make(chan error, 1)
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/big" {
			io.WriteString(w, "fine")
			return
		}
		var err error
		for range 500 {
			if _, err = w.Write(make([]byte, 64<<10)); err != nil {
				break
			}
		}
		errs <- err
	})) {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, &http1.Server{Handler: h})
			c := rig.Dial(t, addr)
			rig.Send(t, c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
			rig.Expect(t, c, "HTTP/1.1 200 OK\r\n")
			c.SetLinger(0)
			c.Close()
			if err := rig.Await(t, errs); err == nil && name != "on the loop" {
				t.Error("the handler was not told")
			}
			if body := get(t, "http://"+addr); body != "fine" {
				t.Error(body)
			}
		})
	}
}

// TestPrefixes has every prefix of every request of the conformance table end its connection, or stand there: it is answered with an error, or not at all, and no handler is called.
func TestPrefixes(t *testing.T) {
	for _, kind := range kindNames {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				called := 0
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err == nil {
						called++
					}
				})
				host(w, &http1.Server{Handler: kinds(h)[kind]})
				e := w.Host("client").Engine()
				heads := map[string]bool{}
				for _, raw := range requests() {
					if len(raw) < 1000 {
						heads[raw] = true
					}
				}
				all := map[string]bool{}
				for raw := range heads {
					for i := range len(raw) {
						all[raw[:i]] = true
					}
				}
				for raw := range heads {
					delete(all, raw) // one is the beginning of another
				}
				n, ended, i := 0, 0, 0
				for _, raw := range slices.Sorted(maps.Keys(all)) {
					if i++; raceEnabled && i%20 != 0 {
						continue
					}
					for whole := range heads {
						if strings.HasPrefix(raw, whole) { // a request, and the beginning of what is none
							raw = ""
						}
					}
					if raw == "" {
						continue
					}
					n++
					e.Dial(t.Context(), "tcp", "server:80", &once{raw: raw, ended: func(got []byte) {
						ended++
						if bytes.HasPrefix(got, []byte("HTTP/1.1 2")) && kind == "on the loop" {
							w.Errorf("%q is answered with %q", raw, got)
						}
					}})
					if n%500 == 0 {
						w.Wait(func() bool { return ended == n })
					}
				}
				w.Wait(func() bool { return ended == n })
				if called != 0 || n < 3000 && !raceEnabled {
					w.Errorf("of %d prefixes %d have come to a handler, and were whole for it", n, called)
				}
			})
		})
	}
}

// once is a client that says one thing, and then ends its direction.
type once struct {
	raw   string
	got   []byte
	ended func(got []byte)
}

func (o *once) ConnectionMade(c *rondo.Conn) {
	c.Write([]byte(o.raw))
	c.CloseWrite()
}

func (o *once) DataReceived(_ *rondo.Conn, p []byte) int {
	o.got = append(o.got, p...)
	return len(p)
}
func (o *once) ConnectionLost(*rondo.Conn, error) { o.ended(o.got) }

// TestLimitsOfHeads are heads at the limit, and one byte beyond; in one piece and byte by byte.
func TestLimitsOfHeads(t *testing.T) {
	for _, x := range []struct {
		name, raw string
		status    int
	}{
		{"as long as may be", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 1000-32) + "\r\n\r\n", 200},
		{"a byte longer", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 1000-31) + "\r\n\r\n", 431},
		{"as many fields", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", 9) + "\r\n", 200},
		{"one more", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", 10) + "\r\n", 431},
		{"a URL", "GET /" + strings.Repeat("x", 1000) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
	} {
		t.Run(x.name, func(t *testing.T) {
			addr := serve(t, &http1.Server{MaxHeaderBytes: 1000, MaxHeaderFields: 10, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
			for _, pieces := range []int{len(x.raw), 1} {
				c := rig.Dial(t, addr)
				for piece := range slices.Chunk([]byte(x.raw), pieces) {
					c.Write(piece)
				}
				if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != x.status {
					t.Error(res, err)
				}
			}
		})
	}
}

// TestGreedyPipeline has a client ask and ask, and read nothing: handlers are called as long as their answers find room, and no longer.
func TestGreedyPipeline(t *testing.T) {
	for _, kind := range kindNames {
		t.Run(kind, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				called := 0
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					called++
					w.Header().Set("Content-Length", "100000")
					w.Write(make([]byte, 100000))
				})
				host(w, &http1.Server{Handler: kinds(h)[kind]})
				p := w.DialPeer("server:80")
				p.PauseReading()
				p.Send(strings.Repeat(plainGet, 200))
				w.Sleep(30 * time.Second)
				if called == 0 || called > 20 {
					w.Errorf("%d handlers were called for a client that does not read", called)
				}
				p.ResumeReading()
				for range 200 {
					if status, body := reply(w, p); status != "200 OK" || len(body) != 100000 {
						w.Fatalf("%s, %d bytes", status, len(body))
					}
				}
			})
		})
	}
}
