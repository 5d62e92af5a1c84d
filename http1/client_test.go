package http1_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// fetcher is a way to fetch, with all of the body.
type fetcher func(c *http1.Client, req *http.Request) (*http.Response, []byte, error)

// fetchers are all of them, beside an http.Client over net/http's transport, which is the yardstick.
func fetchers(t *testing.T) map[string]fetcher {
	t.Helper()
	e := rig.New(t, rondo.Config{})
	t.Cleanup(func() { e.Log.Discard("more than it was asked for") })
	read := func(res *http.Response, err error) (*http.Response, []byte, error) {
		if err != nil {
			return res, nil, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res, body, err
	}
	theirs := &http.Transport{MaxResponseHeaderBytes: 1 << 20}
	t.Cleanup(theirs.CloseIdleConnections)
	ours := &http1.Transport{Engine: e.Engine}
	return map[string]fetcher{
		"net/http": func(c *http1.Client, req *http.Request) (*http.Response, []byte, error) {
			return read((&http.Client{Transport: theirs, CheckRedirect: c.CheckRedirect, Jar: c.Jar, Timeout: c.Timeout}).Do(req))
		},
		"http.Client": func(c *http1.Client, req *http.Request) (*http.Response, []byte, error) {
			return read((&http.Client{Transport: ours, CheckRedirect: c.CheckRedirect, Jar: c.Jar, Timeout: c.Timeout}).Do(req))
		},
		"future": func(c *http1.Client, req *http.Request) (*http.Response, []byte, error) {
			return read(rig.Outcome(t, c.Fetch(e.Loop(), req)))
		},
		"callback": func(c *http1.Client, req *http.Request) (*http.Response, []byte, error) {
			type result struct {
				res *http.Response
				err error
			}
			done := make(chan result, 1)
			c.FetchFunc(e.Loop(), req, func(res *http.Response, err error) { done <- result{res, err} })
			r := rig.Await(t, done)
			return read(r.res, r.err)
		},
		"task": func(c *http1.Client, req *http.Request) (*http.Response, []byte, error) {
			var res *http.Response
			body, err := rig.Outcome(t, task.Go(e.Loop(), func(t *task.Task) ([]byte, error) {
				var err error
				var body []byte
				res, body, err = read(c.FetchTask(t, req))
				return body, err
			}))
			return res, body, err
		},
	}
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// TestRedirects follows those that a server can answer with, in every way there is to fetch. What arrives, and what comes of it, is what net/http's transport has.
func TestRedirects(t *testing.T) {
	at := serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) //nolint:errcheck // it shows
		if code, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); ok {
			n, _ := strconv.Atoi(code) //nolint:errcheck // the tests' own
			if rest != "" {
				w.Header().Set("Location", "/"+rest)
			}
			http.SetCookie(w, &http.Cookie{Name: "c" + code, Value: "set"})
			w.WriteHeader(n)
			fmt.Fprintf(w, "moved by %s", code)
			return
		}
		if r.URL.Path == "/again" {
			http.Redirect(w, r, "/again", http.StatusFound)
			return
		}
		fmt.Fprintf(w, "%s %s %q\n", r.Method, r.URL, body)
		for _, name := range []string{"Authorization", "Cookie", "Referer", "Content-Type", "X-Own"} {
			fmt.Fprintf(w, "%s: %s\n", name, r.Header.Get(name))
		}
	})})
	no := func(*http.Request, []*http.Request) error { return errors.New("no further") }
	last := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, q := range []struct {
		name, method, path, body string
		stream, jar, noHeader    bool
		check                    func(*http.Request, []*http.Request) error
	}{
		{name: "301", method: "GET", path: "/301/end"},
		{name: "302 twice", method: "GET", path: "/302/302/end"},
		{name: "303 of a POST", method: "POST", path: "/303/end", body: "said"},
		{name: "307 of a POST", method: "POST", path: "/307/end", body: "said"},
		{name: "308 of a PUT", method: "PUT", path: "/308/end", body: "said"},
		{name: "307 of a stream", method: "POST", path: "/307/end", body: "said", stream: true},
		{name: "301 of a stream", method: "POST", path: "/301/end", body: "said", stream: true},
		{name: "302 of a HEAD", method: "HEAD", path: "/302/end"},
		{name: "nowhere", method: "GET", path: "/302/"},
		{name: "no redirect", method: "GET", path: "/404/end"},
		{name: "cookies", method: "GET", path: "/302/301/end", jar: true},
		{name: "to another host", method: "GET", path: "/302//localhost/end"},
		{name: "without end", method: "GET", path: "/again"},
		{name: "refused", method: "GET", path: "/302/end", check: no},
		{name: "the last", method: "GET", path: "/302/end", check: last},
		{name: "no header", method: "GET", path: "/302/end", noHeader: true},
	} {
		t.Run(q.name, func(t *testing.T) {
			want := ""
			ways := fetchers(t)
			names := []string{"net/http", "http.Client", "future", "callback", "task"}
			for _, way := range names {
				c := &http1.Client{CheckRedirect: q.check}
				if q.jar {
					c.Jar, _ = cookiejar.New(nil) //nolint:errcheck // it has none
				}
				var body io.Reader
				if q.body != "" {
					body = strings.NewReader(q.body)
				}
				if q.stream {
					body = struct{ io.Reader }{body}
				}
				_, port, _ := strings.Cut(at, ":")
				path := strings.Replace(q.path, "//localhost/", "//localhost:"+port+"/", 1)
				req := request(t, q.method, "http://user:secret@"+at+path, body)
				req.Header = http.Header{"Cookie": {"own=1"}, "X-Own": {"mine"}, "Content-Type": {"a/b"}}
				if q.noHeader {
					req.Header = nil
				}
				res, text, err := ways[way](c, req)
				got := fmt.Sprintf("%q %v", text, err)
				if err == nil {
					got += fmt.Sprintf(" %s of %s", res.Status, res.Request.URL)
				}
				if c.Jar != nil {
					u, _ := url.Parse("http://" + at) //nolint:errcheck // a good one
					got += fmt.Sprint(c.Jar.Cookies(u))
				}
				if want == "" {
					want = got
				} else if got != want {
					t.Errorf("%s: %s\n  net/http: %s", way, got, want)
				}
			}
		})
	}
}

// TestFetchFails has each way to fetch say what went wrong.
func TestFetchFails(t *testing.T) {
	hang := make(chan struct{})
	at := "http://" + serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hangs":
			<-hang
		case "/hangs-within":
			fmt.Fprint(w, strings.Repeat("x", 5000))
			_ = http.NewResponseController(w).Flush()
			<-hang
		case "/abort":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "10 bytes..")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/bad-gzip":
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "this is none")
		}
	})})
	defer close(hang)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + nobody.Addr().String()
	nobody.Close()
	for _, q := range []struct {
		name, url string
		want      error
		contains  string
		timeout   time.Duration
		method    string
		header    http.Header
	}{
		{name: "refused", url: closed, contains: "connection refused"},
		{name: "timeout", url: at + "/hangs", timeout: 20 * time.Millisecond, want: os.ErrDeadlineExceeded},
		{name: "timeout within the body", url: at + "/hangs-within", timeout: 50 * time.Millisecond, want: os.ErrDeadlineExceeded},
		{name: "aborted", url: at + "/abort", want: io.ErrUnexpectedEOF},
		{name: "gzip", url: at + "/bad-gzip", want: gzip.ErrHeader},
		{name: "scheme", url: "gopher://x", contains: "scheme"},
		{name: "https", url: "https://x", contains: "https"},
		{name: "no host", url: "http:///path", contains: "host"},
		{name: "bad host", url: "http://ex\u00e4mple.com", contains: "ASCII"},
		{name: "method", url: at, method: "GET X", contains: "method"},
		{name: "field", url: at, header: http.Header{"X-A": {"a\r\nInjected: b"}}, contains: "field"},
		{name: "field name", url: at, header: http.Header{"X A": {"a"}}, contains: "field"},
	} {
		t.Run(q.name, func(t *testing.T) {
			for way, fetch := range fetchers(t) {
				if way == "net/http" {
					continue
				}
				u, err := url.Parse(q.url)
				if err != nil {
					t.Fatal(err)
				}
				body := &closing{}
				req := (&http.Request{Method: q.method, URL: u, Header: q.header, Body: body, ContentLength: 0}).WithContext(t.Context())
				_, _, err = fetch(&http1.Client{Timeout: q.timeout}, req)
				switch {
				case err == nil:
					t.Errorf("%s: no error", way)
				case q.want != nil && !errors.Is(err, q.want) && (way != "http.Client" || !errors.Is(err, context.DeadlineExceeded)):
					t.Errorf("%s: %v", way, err)
				case !strings.Contains(err.Error(), q.contains):
					t.Errorf("%s: %v", way, err)
				}
				rig.Eventually(t, "the body is closed", body.isClosed)
			}
		})
	}
}

// closing is an empty body that knows whether it was closed.
type closing struct{ closed chanFlag }

func (*closing) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closing) Close() error           { c.closed.set(); return nil }
func (c *closing) isClosed() bool         { return c.closed.get() }

// TestMaxBody bounds what is gathered, zipped or not.
func TestMaxBody(t *testing.T) {
	at := "http://" + serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n")) //nolint:errcheck // the tests' own
		if r.URL.Path == "/bomb" {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			fmt.Fprint(z, strings.Repeat("0", n))
			z.Close()
			return
		}
		fmt.Fprint(w, strings.Repeat("0", n))
	})})
	e := rig.New(t, rondo.Config{})
	for _, path := range []string{"/plain", "/bomb"} {
		for n, ok := range map[int]bool{10_000: true, 100_000: true, 100_001: false, 10_000_000: false} {
			c := &http1.Client{MaxBody: 100_000}
			res, err := rig.Outcome(t, c.Fetch(e.Loop(), request(t, "GET", fmt.Sprint(at, path, "?n=", n), nil)))
			if limit, is := errors.AsType[*http.MaxBytesError](err); is == ok || is && limit.Limit != 100_000 {
				t.Errorf("%s of %d bytes: %v", path, n, err)
			}
			if ok {
				if body, err := io.ReadAll(res.Body); len(body) != n || err != nil {
					t.Errorf("%s of %d bytes: %d, %v", path, n, len(body), err)
				}
			}
		}
	}
}

// TestFetchIsCancelled gives up by the future, by the context and by the task: each time the server's handler is told that nobody waits for it.
func TestFetchIsCancelled(t *testing.T) {
	began, gone := make(chan struct{}), make(chan struct{})
	at := "http://" + serve(t, &http1.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})})
	e := rig.New(t, rondo.Config{})
	reason := errors.New("no longer")
	c := &http1.Client{}
	for name, start := range map[string]func(ctx context.Context) (*rondo.Future[*http.Response], func()){
		"future": func(context.Context) (*rondo.Future[*http.Response], func()) {
			f := c.Fetch(e.Loop(), request(t, "GET", at, nil))
			return f, func() { e.Loop().Post(func() { f.Cancel(reason) }) }
		},
		"context": func(ctx context.Context) (*rondo.Future[*http.Response], func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return c.Fetch(e.Loop(), request(t, "GET", at, nil).WithContext(ctx)), func() { cancel(reason) }
		},
		"task": func(context.Context) (*rondo.Future[*http.Response], func()) {
			f := task.Go(e.Loop(), func(tk *task.Task) (*http.Response, error) { return c.FetchTask(tk, request(t, "GET", at, nil)) })
			return f, func() { e.Loop().Post(func() { f.Cancel(reason) }) }
		},
		"context of a task": func(ctx context.Context) (*rondo.Future[*http.Response], func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return task.Go(e.Loop(), func(tk *task.Task) (*http.Response, error) {
				return c.FetchTask(tk, request(t, "GET", at, nil).WithContext(ctx))
			}), func() { cancel(reason) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, cancel := start(t.Context())
			rig.Await(t, began)
			cancel()
			if _, err := rig.Outcome(t, f); !errors.Is(err, reason) {
				t.Error(err)
			}
			rig.Await(t, gone)
		})
	}
}

// TestTaskStreams reads a body in a task while it comes, which leaves the loop to another one.
func TestTaskStreams(t *testing.T) {
	next := make(chan struct{})
	at := "http://" + serve(t, &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			fmt.Fprintf(w, "%d", i)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})})
	e := rig.New(t, rondo.Config{})
	c := &http1.Client{}
	got := rig.Result(t, task.Go(e.Loop(), func(tk *task.Task) (string, error) {
		res, err := c.FetchTask(tk, request(t, "GET", at, nil))
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		all := ""
		for p := make([]byte, 10); ; {
			n, err := res.Body.Read(p)
			if all += string(p[:n]) + ","; err != nil {
				return all, nil //nolint:nilerr // the end
			}
			next <- struct{}{} // the handler waits for it: this does not block
		}
	}))
	if got != "0,1,2,," {
		t.Errorf("%q", got)
	}
}

// TestUploads streams a body that is larger than all buffers, both ways at once.
func TestUploads(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	for server, url := range servers(t, answering) {
		for _, kind := range []string{"memory", "stream"} {
			t.Run(server+" "+kind, func(t *testing.T) {
				var body io.Reader = bytes.NewReader(data)
				if kind == "stream" {
					body = struct{ io.Reader }{body}
				}
				ways := fetchers(t)
				delete(ways, "net/http")
				for way, fetch := range ways {
					if seeker, ok := body.(io.Seeker); ok {
						_, _ = seeker.Seek(0, io.SeekStart) // it can
					} else {
						body = struct{ io.Reader }{bytes.NewReader(data)}
					}
					if _, got, err := fetch(&http1.Client{}, request(t, "POST", url+"/echo", body)); err != nil || !slices.Equal(got, data) {
						t.Errorf("%s: %d bytes, %v", way, len(got), err)
					}
				}
			})
		}
	}
}
