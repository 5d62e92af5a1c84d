package http1_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

// Here stands what the documentation of net/http promises a handler, type by type.

func on(t *testing.T, h http.HandlerFunc) string { return serve(t, &http1.Server{Handler: h}) }

// TestContextValues are what r.Context() has: who listens, and which server it is.
func TestContextValues(t *testing.T) {
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		std, _ := r.Context().Value(http.ServerContextKey).(*http.Server)
		addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		fmt.Fprint(w, addr, std != nil && std.IdleTimeout == 3*time.Second, http1.ServerOf(r.Context()).IdleTimeout)
	})) {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, &http1.Server{Handler: h, IdleTimeout: 3 * time.Second})
			if body := get(t, "http://"+addr); body != addr+" true 3s" {
				t.Fatal(body)
			}
		})
	}
}

// TestMux routes by method, host and wildcard, and what one request has matched is not in the next one.
func TestMux(t *testing.T) {
	mux := http.NewServeMux()
	show := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Pattern, r.PathValue("id"), r.PathValue("own"))
		r.SetPathValue("own", "left behind")
	}
	mux.HandleFunc("GET /item/{id}", show)
	mux.HandleFunc("/rest/{id...}", show)
	mux.Handle("/strip/", http.StripPrefix("/strip", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })))
	handlers := kinds(mux)
	handlers["routed"] = http1.Routed(mux)
	for name, h := range handlers {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, &http1.Server{Handler: h})
			for path, want := range map[string]string{
				"/item/7": "GET /item/{id} 7 ", "/item/8": "GET /item/{id} 8 ", "/rest/a/b": "/rest/{id...} a/b ", "/strip/x": "/x", "/none": "404 page not found\n",
			} {
				if body := get(t, "http://"+addr+path); body != want {
					t.Errorf("%s: %q", path, body)
				}
			}
			if res, err := http.Post("http://"+addr+"/item/7", "", nil); err != nil || res.StatusCode != 405 || res.Header.Get("Allow") != "GET, HEAD" {
				t.Error(res, err)
			}
		})
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestRouted has each route's handler run where it may.
func TestRouted(t *testing.T) {
	where := func(w http.ResponseWriter, r *http.Request) {
		p := make([]byte, 64<<10)
		p = p[:runtime.Stack(p, false)]
		body, _ := io.ReadAll(r.Body)
		switch {
		case http1.TaskOf(r) != nil:
			fmt.Fprint(w, "task", string(body))
		case bytes.Contains(p, []byte("startInline")), bytes.Contains(p, []byte("(*inline)")):
			fmt.Fprint(w, "loop", string(body))
		default:
			fmt.Fprint(w, "goroutine", string(body))
		}
	}
	h := http.HandlerFunc(where)
	inner, mux := http.NewServeMux(), http.NewServeMux()
	inner.Handle("/in/loop", http1.NonBlocking(h))
	inner.Handle("/in/", h)
	mux.Handle("/in/", http1.Routed(inner))
	mux.Handle("/loop", http1.NonBlocking(h))
	mux.Handle("POST /loop/{id}", http1.NonBlocking(h))
	mux.Handle("/task", http1.Task(h))
	mux.Handle("/", h)
	mux.Handle("/within/", http.StripPrefix("/within", http1.NonBlocking(h)))
	addr := serve(t, &http1.Server{Handler: http1.Routed(mux)})
	c := rig.Dial(t, addr) // one connection for all of them, one after the other and at once
	in := bufio.NewReader(c)
	raw, want := "", ""
	for range 2 {
		for _, x := range [][2]string{
			{"GET /loop", "loop"},
			{"GET /task", "task"},
			{"GET /", "goroutine"},
			{"GET /other", "goroutine"},
			{"GET /in/loop", "loop"},
			{"GET /in/x", "goroutine"},
			{"GET /within/x", "goroutine"},
			{"POST /loop/3", "loop"},
			{"POST /task", "task"},
			{"POST /", "goroutine"},
		} {
			body := ""
			if strings.HasPrefix(x[0], "POST") {
				body = "body"
			}
			one := fmt.Sprintf("%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", x[0], len(body), body)
			rig.Send(t, c, one)
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			rig.ExpectEnd(t, res.Body, x[1]+body)
			raw += one
			want += x[1] + body + ","
		}
	}
	rig.Send(t, c, raw)
	got := ""
	for range strings.Count(want, ",") {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		got += string(rig.Rest(t, res.Body)) + ","
	}
	if got != want {
		t.Fatalf("got %s\nwant %s", got, want)
	}
}

// TestForms are the members of a request that are made from its body, and what bounds them.
func TestForms(t *testing.T) {
	for name, h := range kinds(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/form":
			fmt.Fprint(w, r.FormValue("a"), r.PostFormValue("a"), r.FormValue("b"))
		case "/file":
			f, head, err := r.FormFile("f")
			if err != nil {
				http.Error(w, err.Error(), 400)
				return
			}
			data, err := io.ReadAll(f)
			fmt.Fprint(w, head.Filename, len(data), err, r.FormValue("a"))
		case "/parts":
			parts, err := r.MultipartReader()
			for err == nil {
				var p *multipart.Part
				if p, err = parts.NextPart(); err == nil {
					data, _ := io.ReadAll(p)
					fmt.Fprint(w, p.FormName(), len(data), ",")
				}
			}
			fmt.Fprint(w, err)
		case "/limited":
			r.Body = http.MaxBytesReader(w, r.Body, 10)
			_, err := io.ReadAll(r.Body)
			if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
				http.Error(w, fmt.Sprint("at most ", tooLong.Limit), http.StatusRequestEntityTooLarge)
			}
		}
	})) {
		t.Run(name, func(t *testing.T) {
			addr := "http://" + serve(t, &http1.Server{Handler: h})
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			post := func(path, kind string, body io.Reader) string {
				t.Helper()
				res, err := (&http.Client{Transport: tr}).Post(addr+path, kind, body)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				return fmt.Sprint(res.StatusCode, " ", string(rig.Rest(t, res.Body)))
			}
			const coded = "application/x-www-form-urlencoded"
			if got := post("/form?a=0&b=2", coded, strings.NewReader("a=1")); got != "200 112" {
				t.Error(got)
			}
			if got := post("/form", coded, strings.NewReader("a="+strings.Repeat("x", 600000))); len(got) != 4+1200000 {
				t.Error(len(got))
			}
			var b bytes.Buffer
			m := multipart.NewWriter(&b)
			m.WriteField("a", "value")
			f, _ := m.CreateFormFile("f", "name.txt")
			f.Write(make([]byte, 200000))
			m.Close()
			if got := post("/file", m.FormDataContentType(), bytes.NewReader(b.Bytes())); got != "200 name.txt200000 <nil>value" {
				t.Error(got)
			}
			if got := post("/parts", m.FormDataContentType(), bytes.NewReader(b.Bytes())); got != "200 a5,f200000,EOF" {
				t.Error(got)
			}
			if got := post("/file", "text/plain", strings.NewReader("x")); !strings.HasPrefix(got, "400 ") {
				t.Error(got)
			}
			for _, n := range []int{5, 11, 5000, 900000} {
				want := "413 at most 10\n"
				if n <= 10 {
					want = "200 "
				}
				if got := post("/limited", "text/plain", strings.NewReader(strings.Repeat("x", n))); got != want {
					t.Error(n, got)
				}
			}
		})
	}
}

// TestTimeoutHandler is net/http's, whose own goroutine goes on when it has given up.
func TestTimeoutHandler(t *testing.T) {
	release, wrote := make(chan bool), make(chan error, 1)
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			w.Header().Set("X-A", "b")
			io.WriteString(w, "in time")
			return
		}
		<-r.Context().Done()
		<-release
		_, err := io.WriteString(w, "too late")
		wrote <- err
	})
	addr := "http://" + serve(t, &http1.Server{Handler: http.TimeoutHandler(slow, 20*time.Millisecond, "it took too long")})
	if body := get(t, addr); body != "it took too long" {
		t.Fatal(body)
	}
	close(release)
	if err := rig.Await(t, wrote); !errors.Is(err, http.ErrHandlerTimeout) {
		t.Fatal(err)
	}
}

// TestReverseProxy has http1 before net/http's proxy and behind it.
func TestReverseProxy(t *testing.T) {
	back := "http://" + on(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			w.Header().Set("Trailer", "X-Sum")
			n, _ := io.Copy(w, r.Body)
			w.Header().Set("X-Sum", fmt.Sprint(n))
		case "/cut":
			w.Header().Set("Content-Length", "1000000")
			w.Write(make([]byte, 100000))
		case "/cutchunked":
			w.Write(make([]byte, 100000))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/upgrade":
			c, rw, _ := w.(http.Hijacker).Hijack()
			defer c.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			line, _ := rw.ReadString('\n')
			fmt.Fprint(rw, "said ", line)
			rw.Flush()
		default:
			fmt.Fprint(w, r.Host, r.Header.Get("X-Forwarded-For"))
		}
	})
	to, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{Transport: tr, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to); p.SetXForwarded() }, ErrorLog: log.New(io.Discard, "", 0)}
	front := serve(t, &http1.Server{Handler: proxy})
	if body := get(t, "http://"+front); body != to.Host+"127.0.0.1" {
		t.Error(body)
	}
	own := &http.Transport{}
	defer own.CloseIdleConnections()
	client := &http.Client{Transport: own}
	data := strings.Repeat("0123456789", 100000)
	res, err := client.Post("http://"+front+"/echo", "text/plain", struct{ io.Reader }{strings.NewReader(data)})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(rig.Rest(t, res.Body)); got != data || res.Trailer.Get("X-Sum") != "1000000" {
		t.Error(len(got), res.Trailer)
	}
	for _, path := range []string{"/cut", "/cutchunked"} {
		res, err := client.Get("http://" + front + path)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); !errors.Is(err, io.ErrUnexpectedEOF) || n == 0 {
			t.Errorf("%s: an answer that was cut off is %d bytes and %v", path, n, err)
		}
		res.Body.Close()
	}
	c := rig.Dial(t, front)
	rig.Send(t, c, "GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(c)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	rig.Send(t, c, "hello\n")
	rig.ExpectEnd(t, in, "said hello\n")
}

// TestEvents are server-sent events: each comes when it was flushed, and when the client leaves the handler hears of it, also after it was paused.
func TestEvents(t *testing.T) {
	next, gone := make(chan string), make(chan error, 2)
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		left := w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // it is what is tested
		w.Header().Set("Content-Type", "text/event-stream")
		rc := http.NewResponseController(w)
		rc.Flush()
		for {
			select {
			case data := <-next:
				fmt.Fprintf(w, "data: %s\n\n", data)
				if err := rc.Flush(); err != nil {
					t.Error(err)
				}
			case <-left:
				<-r.Context().Done()
				gone <- r.Context().Err()
				return
			}
		}
	})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "GET / HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || res.Header.Get("Content-Type") != "text/event-stream" || res.TransferEncoding == nil {
		t.Fatal(res, err)
	}
	for _, data := range []string{"1", "2", strings.Repeat("3", 4<<20)} { // the last is more than the network takes, so that writing is paused
		next <- data
		rig.Expect(t, res.Body, "data: "+data+"\n\n")
	}
	next <- "4"
	rig.Expect(t, res.Body, "data: 4\n\n")
	c.CloseWrite()
	if err := rig.Await(t, gone); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestInterfaces are those that a ResponseWriter of net/http's has.
func TestInterfaces(t *testing.T) {
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		_, f := w.(http.Flusher)
		_, h := w.(http.Hijacker)
		_, rf := w.(io.ReaderFrom)
		_, s := w.(io.StringWriter)
		_, n := w.(http.CloseNotifier) //nolint:staticcheck // it is what is tested
		fmt.Fprint(w, f, h, rf, s, n, http.NewResponseController(w).EnableFullDuplex())
	})
	if body := get(t, "http://"+addr); body != "true true true true true <nil>" {
		t.Fatal(body)
	}
}

// TestReadFrom copies what is no file.
func TestReadFrom(t *testing.T) {
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(w, struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 100000))})
		if n != 100000 || err != nil {
			t.Error(n, err)
		}
	})
	if body := get(t, "http://"+addr); len(body) != 100000 {
		t.Fatal(len(body))
	}
}

// TestFullDuplex has an answer come while the request is still being made.
func TestFullDuplex(t *testing.T) {
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, strings.ToUpper(line))
			rc.Flush()
		}
	})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	in := bufio.NewReader(c)
	var res *http.Response
	for i, line := range []string{"one\n", "two\n", "three\n"} {
		rig.Send(t, c, fmt.Sprintf("%x\r\n%s\r\n", len(line), line))
		if i == 0 {
			var err error
			if res, err = http.ReadResponse(in, nil); err != nil {
				t.Fatal(err)
			}
		}
		rig.Expect(t, res.Body, strings.ToUpper(line))
	}
	rig.Send(t, c, "0\r\n\r\n")
	rig.ExpectEnd(t, res.Body, "")
}

// TestContinueLate has a body be read when the answer has begun: there is no 100 Continue in the midst of that.
func TestContinueLate(t *testing.T) {
	var got atomic.Pointer[string]
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write(make([]byte, 3000))
		w.(http.Flusher).Flush()
		body, _ := io.ReadAll(r.Body)
		s := string(body)
		got.Store(&s)
	})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 200 || !res.Close {
		t.Fatal(res, err)
	}
	rig.Expect(t, res.Body, strings.Repeat("\x00", 3000))
	rig.Send(t, c, "abc")
	rig.ExpectEnd(t, res.Body, "")
	rig.ExpectEnd(t, in, "")
	if *got.Load() != "abc" {
		t.Fatal(*got.Load())
	}
}

// TestWebSocket is an upgrade as the libraries make it: they take the connection, look at what has come, lift its deadlines, and write the answer's head themselves.
func TestWebSocket(t *testing.T) {
	addr := on(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			http.Error(w, "not a WebSocket", http.StatusUpgradeRequired)
			return
		}
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if rw.Reader.Buffered() > 0 {
			t.Error("the client has sent data before the handshake was complete")
		}
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Error(err)
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		if _, err := r.Body.Read(make([]byte, 1)); err == nil {
			t.Error("the body is still there")
		}
		io.Copy(c, rw)
	})
	c := rig.Dial(t, addr)
	rig.Send(t, c, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	rig.Send(t, c, "\x81\x05hello")
	rig.Expect(t, in, "\x81\x05hello")
	c.CloseWrite()
	rig.ExpectEnd(t, in, "")
}

// TestClients uses an httptest server's own client for the handlers that they were written for.
func TestClients(t *testing.T) {
	ref := httptest.NewServer(http.HandlerFunc(behave))
	defer ref.Close()
	addr := serve(t, &http1.Server{Handler: http.HandlerFunc(behave)})
	for _, path := range []string{"/plain", "/redirect", "/content", "/trailer", "/204", "/big"} {
		one, err := ref.Client().Get(ref.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		two, err := ref.Client().Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := string(rig.Rest(t, one.Body)), string(rig.Rest(t, two.Body)); a != b || one.Status != two.Status {
			t.Errorf("%s: %s %.100q, and not %s %.100q", path, two.Status, b, one.Status, a)
		}
	}
}
