package http1_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/internal/rig"
)

// behaviours are what handlers do. Each is run by net/http and by rondo, and the answers are to be the same.
var behaviours = map[string]http.HandlerFunc{
	"/plain":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "Hello, World!") },
	"/empty":   func(http.ResponseWriter, *http.Request) {},
	"/html":    func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<!DOCTYPE html><p>hello") },
	"/png":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "\x89PNG\x0d\x0a\x1a\x0a....") },
	"/status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
	"/unknown": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(799) },
	"/twice": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "body")
	},
	"/204": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		report(w.Write([]byte("x")))
	},
	"/204length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(204)
	},
	"/304": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Etag", `"a"`)
		w.Header().Set("Content-Length", "17")
		w.WriteHeader(http.StatusNotModified)
	},
	"/late": func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(200)
		w.Header().Set("X-Late", "is not sent")
		fmt.Fprint(w, "body")
	},
	"/fields": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Many"] = []string{"a", "b", ""}
		w.Header().Set("X-Line", "a\r\nX-Injected: yes")
		w.Header()["X Bad"] = []string{"is not sent"}
		w.Header()["x-lower"] = []string{"stays"}
		w.Header().Set("Server", "test")
	},
	"/nodate": func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil; fmt.Fprint(w, "no date") },
	"/notype": func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		fmt.Fprint(w, "no type")
	},
	"/encoding": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		fmt.Fprint(w, "xxx")
	},
	"/length": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		fmt.Fprint(w, "12345")
	},
	"/long": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		n, err := io.WriteString(w, "123")
		m, err2 := io.WriteString(w, "45")
		if n != 3 || err != nil || m != 0 || err2 != http.ErrContentLength { //nolint:errorlint // documented
			panic(fmt.Sprint(n, err, m, err2))
		}
	},
	"/badlength": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "x")
		fmt.Fprint(w, "12345")
	},
	"/big": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("0123456789", 30000)) },
	"/pieces": func(w http.ResponseWriter, _ *http.Request) {
		for i := range 300 {
			fmt.Fprintf(w, "line %d of some\n", i)
		}
	},
	"/flush": func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "a")
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "b")
	},
	"/flushfirst": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); fmt.Fprint(w, "b") },
	"/trailer": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, X-None")
		fmt.Fprint(w, "body")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Other", "1")
	},
	"/latetrailer": func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Other", "1")
	},
	"/close": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "bye")
	},
	"/redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/plain", http.StatusFound) },
	"/error":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
	"/body": func(w http.ResponseWriter, r *http.Request) {
		p, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%d %q %v %d %v", len(p), p[:min(len(p), 50)], err, r.ContentLength, r.TransferEncoding)
	},
	"/unread": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "not read") },
	"/after": func(w http.ResponseWriter, r *http.Request) {
		r.Body.Close()
		_, err := r.Body.Read(make([]byte, 1))
		fmt.Fprint(w, err != nil)
	},
	"/reqtrailer": func(w http.ResponseWriter, r *http.Request) {
		before := fmt.Sprint(r.Trailer)
		_, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, before, r.Trailer, err)
	},
	"/request": func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %q %q %q %q %q %v %d.%d %q\n", r.Method, r.RequestURI, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.Host, r.Close, r.ProtoMajor, r.ProtoMinor, r.Proto)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			fmt.Fprintf(w, "%s=%q\n", name, r.Header[name])
		}
		err := r.ParseForm()
		fmt.Fprint(w, r.Form, err)
	},
	"/early": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, "done")
	},
	"/abort": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	"/panic": func(http.ResponseWriter, *http.Request) { panic("it is meant to") },
	"/content": func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader("0123456789abcdefghijklmnopqrstuvwxyz"))
	},
}

// report is for writes that are to fail.
func report(n int, err error) {
	if n != 0 || err != http.ErrBodyNotAllowed { //nolint:errorlint // documented
		panic(fmt.Sprint(n, err))
	}
}

func behave(w http.ResponseWriter, r *http.Request) {
	if f := behaviours[r.URL.Path]; f != nil {
		f(w, r)
		return
	}
	behaviours["/request"](w, r)
}

// answer is what comes back, in words.
func answer(t *testing.T, addr, raw string) string {
	t.Helper()
	c := rig.Dial(t, addr)
	defer c.Close()
	go fmt.Fprint(c, raw)
	var b strings.Builder
	in := bufio.NewReader(c)
	method, _, _ := strings.Cut(raw, " ")
	res, err := http.ReadResponse(in, &http.Request{Method: method})
	for err == nil && res.StatusCode < 200 && res.StatusCode != 101 {
		fmt.Fprintf(&b, "%s %v\n", res.Status, res.Header)
		res, err = http.ReadResponse(in, &http.Request{Method: method})
	}
	if err != nil {
		return b.String() + "no answer"
	}
	body, err := io.ReadAll(res.Body)
	if _, ok := res.Header["Date"]; ok {
		res.Header.Set("Date", "now")
	}
	fmt.Fprintf(&b, "%s %s length %d %v close %v\n", res.Proto, res.Status, res.ContentLength, res.TransferEncoding, res.Close)
	for _, name := range slices.Sorted(maps.Keys(res.Header)) {
		fmt.Fprintf(&b, "%s: %q\n", name, res.Header[name])
	}
	fmt.Fprintf(&b, "%d bytes %.200q %v\ntrailer %v\n", len(body), body, err, res.Trailer)
	if err == nil && !res.Close { // it must be of further use
		fmt.Fprint(c, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n")
		again, err := http.ReadResponse(in, nil)
		if err != nil {
			return b.String() + "and no answer after it"
		}
		rest, _ := io.ReadAll(again.Body)
		fmt.Fprintf(&b, "then %s %q", again.Status, rest)
		return b.String()
	}
	if n, err := io.Copy(io.Discard, in); err == nil {
		fmt.Fprintf(&b, "then %d bytes and an end", n)
	} else {
		fmt.Fprintf(&b, "then an error")
	}
	return b.String()
}

func TestConformance(t *testing.T) {
	ref := httptest.NewUnstartedServer(http.HandlerFunc(behave))
	ref.Config.ErrorLog = log.New(io.Discard, "", 0)
	ref.Start()
	t.Cleanup(ref.Close)
	quiet := rigLogger(t)
	var addrs []string
	names := []string{"goroutine", "on the loop", "task"}
	for _, h := range []http.Handler{http.HandlerFunc(behave), http1.NonBlocking(http.HandlerFunc(behave)), http1.Task(http.HandlerFunc(behave))} {
		addrs = append(addrs, serve(t, &http1.Server{Handler: h, ErrorLog: quiet}))
	}
	for _, raw := range requests() {
		want := answer(t, ref.Listener.Addr().String(), raw)
		for i, addr := range addrs {
			if why := known(raw, names[i]); why != "" {
				continue
			}
			if got := answer(t, addr, raw); got != want {
				t.Errorf("%.300q, %s\ngot\n%s\nwant\n%s", raw, names[i], got, want)
			}
		}
	}
}

// requests are the ordinary ones: every behaviour by several methods, and both versions.
func requests() (all []string) {
	for _, path := range slices.Sorted(maps.Keys(behaviours)) {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, rest := range []string{
				" HTTP/1.1\r\nHost: example.org\r\n\r\n",
				" HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n",
				" HTTP/1.0\r\n\r\n",
				" HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
				" HTTP/1.1\r\nHost: example.org\r\nContent-Length: 10\r\n\r\n0123456789",
				" HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5;ext=1\r\n56789\r\n0\r\n\r\n",
			} {
				all = append(all, method+" "+path+rest)
			}
		}
	}
	for _, target := range []string{"/", "/a%20b?c=d&e", "/?", "/a//b", "//a/b", "/a[b]", "/a%2Fb", "http://other.example:81/x?y=1", "*", "/a;b,c", "/%E4%B8%96", "/ä"} {
		all = append(all, "GET "+target+" HTTP/1.1\r\nHost: example.org\r\n\r\n")
	}
	return append(all,
		"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /request HTTP/1.1\r\nhost: h\r\nx-a: 1\r\nX-A:   2  \r\nX-Empty:\r\nCookie: a=b\r\nCookie: c=d\r\nAccept-Encoding: gzip\r\n\r\n",
		"PATCH /request?a=1 HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\nb=2&c=3",
		"POST /reqtrailer HTTP/1.1\r\nHost: h\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n",
		"POST /body HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
		"POST /unread HTTP/1.1\r\nHost: h\r\nContent-Length: 30000\r\n\r\n"+strings.Repeat("x", 30000),
		"POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n"+strings.Repeat("x", 300000),
		"GET /content HTTP/1.1\r\nHost: h\r\nRange: bytes=5-9\r\n\r\n",
		"GET /content HTTP/1.1\r\nHost: h\r\nRange: bytes=1-2,4-5\r\n\r\n"[:0]+"GET /content HTTP/1.1\r\nHost: h\r\nRange: bytes=100-\r\n\r\n",
		"GET /content HTTP/1.1\r\nHost: h\r\nIf-Modified-Since: Sun, 09 Sep 2001 01:46:40 GMT\r\n\r\n",
		"HEAD /content HTTP/1.1\r\nHost: h\r\n\r\n",
	)
}

// known are differences that are meant: net/http is asked, and the answer is not compared.
func known(raw, kind string) string {
	_, rest, _ := strings.Cut(raw, " ")
	path, rest, _ := strings.Cut(rest, " ")
	switch {
	case path == "/unknown":
		return "a status that has no name gets none: RFC 9112, section 4"
	case path == "/badlength":
		return "a Content-Length that is no number is dropped; net/http panics after HEAD and to HTTP/1.0"
	case path == "/long":
		return "an answer that was cut off where it was announced to end is whole, and the connection of further use"
	case path == "/early" && strings.HasPrefix(rest, "HTTP/1.0"):
		return "HTTP/1.0 knows no status below 200: RFC 9110, section 15.2"
	case path == "*" && !strings.HasPrefix(raw, "OPTIONS"):
		return "the asterisk form is for OPTIONS only: RFC 9112, section 3.2.4"
	case strings.Contains(rest, "100-continue"):
		return "a body that is there already is not asked for: RFC 9110, section 10.1.1"
	case kind == "on the loop" && path == "/reqtrailer":
		return "the handler is called when all has come"
	case kind == "on the loop" && (path == "/big" || path == "/pieces"):
		return "the answer is sent when the handler has returned, so its length is known"
	}
	return ""
}
