package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/sim"
)

// weather is what goes wrong in a world of requests.
var weather = []struct {
	name   string
	faults sim.Faults
	calm   bool // nothing but that what is sent is cut to pieces: every request is answered
}{
	{"calm", sim.Faults{Cut: 0.5}, true},
	{"rough", sim.Faults{
		Refuse: 0.05, Lose: 0.1, Abort: 0.05, Reset: 0.1, Stall: 0.3, Join: 0.3, Cut: 0.5, Jitter: 20 * time.Millisecond,
		Pause: 2 * time.Second, ClockStep: 2 * time.Second, NoFiles: 2 * time.Second, Partition: 4 * time.Second, Repair: time.Second, Until: 10 * time.Second,
	}, false},
	{"chaos", sim.Chaos(), false},
}

// TestChaos has clients of all kinds ask handlers of all kinds in worlds where much goes wrong. What is answered is the answer, to the byte; nobody waits for ever; and engines end.
func TestChaos(t *testing.T) {
	for _, c := range weather {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sim.Search(t, seeds(60), sim.Config{Faults: c.faults, Link: sim.Link{Latency: 500 * time.Microsecond, Jitter: time.Millisecond}}, func(w *sim.World) { visit(w, c.calm) })
		})
	}
}

func seeds(n int) int {
	if raceEnabled || testing.Short() {
		return max(2, n/10)
	}
	return n
}

// visit is one such world.
func visit(w *sim.World, calm bool) {
	var engine *rondo.Engine
	s := &http1.Server{Handler: site(w), ErrorLog: slog.New(meant{w}), ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 30 * time.Second}
	server := w.Host("server")
	server.Start(func(h *sim.Host) error {
		e, err := h.New(rondo.Config{Loops: 2, ReadBuffer: 1 + w.Rand().IntN(8<<10), CloseTimeout: 20 * time.Second})
		if err != nil {
			return err
		}
		engine = e
		_, err = e.Listen("tcp", ":80", s.Protocol)
		return err
	})
	running := 0
	for i := range 4 {
		running++
		v := &visitor{w: w, r: rand.New(rand.NewPCG(w.Seed(), uint64(i))), calm: calm}
		w.Go(func() {
			defer func() { running-- }()
			v.run(w.Host("client" + strconv.Itoa(i)))
		})
	}
	w.Wait(func() bool { return running == 0 })
	if !calm {
		w.Sleep(2 * time.Minute) // until all is repaired
	}
	w.Wait(server.Up)
	done := false
	began := w.Elapsed()
	server.Go(func() {
		ctx, cancel := w.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := engine.Shutdown(ctx); err != nil && calm {
			w.Errorf("the end: %v", err)
		}
		done = true
	})
	w.Wait(func() bool { return done })
	if took := w.Elapsed() - began; took > 90*time.Second {
		w.Errorf("the end took %v", took)
	}
}

// meant lets those panics pass that are.
type meant struct{ w *sim.World }

func (meant) Enabled(context.Context, slog.Level) bool { return true }
func (m meant) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	if !strings.Contains(line, "it is meant to") && m.w.Host("server").Up() { // else it is the deferred functions of a process that was killed, which would not have run
		m.w.Errorf("%s", line)
	}
	return nil
}
func (m meant) WithAttrs([]slog.Attr) slog.Handler { return m }
func (m meant) WithGroup(string) slog.Handler      { return m }

// text is n bytes that are known.
func text(n int) string { return strings.Repeat("0123456789abcdef", n/16+1)[:n] }

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}

// site are handlers of all kinds: each path below /goroutine, /loop and /task.
func site(w *sim.World) http.Handler {
	h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, what, _ := strings.Cut(r.URL.Path[1:], "/")
		n := number(r, "n")
		onLoop := strings.HasPrefix(r.URL.Path, "/loop")
		if d := number(r, "wait"); d > 0 && !onLoop {
			pause(w, r, time.Duration(d)*time.Millisecond)
		}
		switch what {
		case "text":
			if r.URL.Query().Has("length") {
				rw.Header().Set("Content-Length", strconv.Itoa(n))
			}
			io.WriteString(rw, text(n))
		case "pieces":
			for all := text(n); len(all) > 0; {
				k := min(len(all), 1000)
				if _, err := io.WriteString(rw, all[:k]); err != nil {
					return
				}
				rw.(http.Flusher).Flush()
				all = all[k:]
				if !onLoop && number(r, "wait") > 0 {
					pause(w, r, 10*time.Millisecond)
				}
			}
		case "echo":
			rw.Header().Set("X-Method", r.Method)
			if _, err := io.Copy(rw, r.Body); err != nil {
				panic(http.ErrAbortHandler)
			}
		case "unread":
			io.WriteString(rw, "not read")
		case "short":
			rw.Header().Set("Content-Length", strconv.Itoa(n+1))
			io.WriteString(rw, text(n))
		case "panic":
			panic("it is meant to")
		case "hijack":
			c, in, err := http.NewResponseController(rw).Hijack()
			if err != nil {
				return
			}
			talk := func() {
				defer c.Close()
				fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
				io.Copy(c, in)
			}
			if http1.TaskOf(r) != nil {
				w.Host("server").Go(talk)
			} else {
				talk()
			}
		default:
			http.NotFound(rw, r)
		}
	})
	mux := http.NewServeMux()
	mux.Handle("/goroutine/", h)
	mux.Handle("/loop/", http1.NonBlocking(h))
	mux.Handle("/task/", http1.Task(h))
	return http1.Routed(mux)
}

// visitor is a client.
type visitor struct {
	w    *sim.World
	r    *rand.Rand
	calm bool
}

func (v *visitor) run(h *sim.Host) {
	for range 1 + v.r.IntN(4) {
		if v.w.Wait(h.Up); true {
			over := false
			h.Go(func() {
				defer func() { over = true }()
				v.visit(h)
			})
			v.w.Wait(func() bool { return over || !h.Up() })
		}
		v.w.Sleep(time.Duration(v.r.IntN(2000)) * time.Millisecond)
	}
}

// wish is a request, and what is to come of it.
type wish struct {
	raw, method, body string
	cut               bool // the answer is to be cut off
	hijack            bool
}

func (v *visitor) wish() wish {
	r := v.r
	kind := kindPaths[r.IntN(3)]
	size := []int{0, 1, 100, 3000, 70000, 300000}[r.IntN(6)]
	size += r.IntN(1 + size/4)
	wait := 0
	if r.IntN(4) == 0 {
		wait = 1 + r.IntN(500)
	}
	get := func(what, more string) string {
		return fmt.Sprintf("GET /%s/%s?n=%d&wait=%d%s HTTP/1.1\r\nHost: server\r\n\r\n", kind, what, size, wait, more)
	}
	switch r.IntN(12) {
	case 0, 1:
		return wish{raw: get("text", ""), method: "GET", body: text(size)}
	case 2:
		return wish{raw: get("text", "&length"), method: "GET", body: text(size)}
	case 3:
		size = min(size, 20000)
		return wish{raw: get("pieces", ""), method: "GET", body: text(size)}
	case 4:
		return wish{raw: strings.Replace(get("text", ""), "GET", "HEAD", 1), method: "HEAD"}
	case 5, 6:
		return wish{raw: fmt.Sprintf("PUT /%s/echo?wait=%d HTTP/1.1\r\nHost: server\r\nContent-Length: %d\r\n\r\n%s", kind, wait, size, text(size)), method: "PUT", body: text(size)}
	case 7, 8:
		var b bytes.Buffer
		fmt.Fprintf(&b, "PUT /%s/echo?wait=%d HTTP/1.1\r\nHost: server\r\nTransfer-Encoding: chunked\r\n\r\n", kind, wait)
		for all := text(size); len(all) > 0; {
			k := min(len(all), 1+r.IntN(5000))
			fmt.Fprintf(&b, "%x\r\n%s\r\n", k, all[:k])
			all = all[k:]
		}
		b.WriteString("0\r\nX-T: v\r\n\r\n")
		return wish{raw: b.String(), method: "PUT", body: text(size)}
	case 9:
		size = min(size, 100000)
		return wish{raw: fmt.Sprintf("POST /%s/unread HTTP/1.1\r\nHost: server\r\nContent-Length: %d\r\n\r\n%s", kind, size, text(size)), method: "POST", body: "not read"}
	case 10:
		if r.IntN(2) == 0 {
			return wish{raw: get("panic", ""), method: "GET", cut: true}
		}
		return wish{raw: get("short", ""), method: "GET", cut: true}
	default:
		if kind == "loop" {
			kind = "task"
		}
		return wish{raw: fmt.Sprintf("GET /%s/hijack HTTP/1.1\r\nHost: server\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", kind), method: "GET", body: text(size), hijack: true}
	}
}

var kindPaths = []string{"goroutine", "loop", "task"}

// visit makes some requests on a connection, sometimes several at once.
func (v *visitor) visit(h *sim.Host) {
	w := v.w
	ctx, cancel := w.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := h.Engine().DialContext(ctx, "tcp", "server:80")
	if err != nil {
		if v.calm {
			w.Errorf("dial: %v", err)
		}
		return
	}
	defer c.Close()
	if err := c.SetDeadline(w.Now().Add(5 * time.Minute)); err != nil {
		return
	}
	in := bufio.NewReader(c)
	for range 1 + v.r.IntN(6) {
		wishes := []wish{v.wish()}
		for v.r.IntN(3) == 0 && !wishes[len(wishes)-1].hijack && !wishes[len(wishes)-1].cut {
			wishes = append(wishes, v.wish())
		}
		raw := ""
		for _, x := range wishes {
			raw += x.raw
		}
		if v.r.IntN(20) == 0 { // it leaves in the midst of it
			io.WriteString(c, raw[:v.r.IntN(len(raw))])
			return
		}
		wrote := false
		h.Go(func() { io.WriteString(c, raw); wrote = true })
		for _, x := range wishes {
			if !v.check(c, in, x) {
				return
			}
		}
		if v.calm {
			w.Wait(func() bool { return wrote })
		}
	}
}

// check takes the answer to x, and reports whether the connection is of further use.
func (v *visitor) check(c io.Writer, in *bufio.Reader, x wish) bool {
	fail := func(format string, args ...any) bool {
		v.w.Errorf("%.200q: %s", x.raw, fmt.Sprintf(format, args...))
		return false
	}
	res, err := http.ReadResponse(in, &http.Request{Method: x.method})
	if err != nil {
		if v.calm && !x.cut {
			return fail("no answer: %v", err)
		}
		return false
	}
	if x.hijack {
		if res.StatusCode != 101 {
			return fail("%s", res.Status)
		}
		data := x.body[:min(len(x.body), 5000)]
		io.WriteString(c, data)
		got := make([]byte, len(data))
		if n, err := io.ReadFull(in, got); string(got[:n]) != data[:n] || err != nil && v.calm {
			return fail("%d bytes came back, %v", n, err)
		}
		return false
	}
	body, err := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusRequestTimeout && !v.calm {
		return false
	}
	switch {
	case res.StatusCode != 200:
		return fail("%s %q", res.Status, body)
	case !strings.HasPrefix(x.body, string(body)) && !x.cut:
		return fail("%d bytes that are not the answer: %.100q", len(body), body)
	case x.cut && err == nil:
		return fail("an answer that was cut off passes for whole")
	case err != nil:
		return v.calm && !x.cut && fail("%d bytes, %v", len(body), err)
	case string(body) != x.body && x.method != "HEAD":
		return fail("%d bytes of %d pass for whole", len(body), len(x.body))
	}
	return !res.Close
}
