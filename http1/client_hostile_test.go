package http1_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/http1/wire"
	"github.com/rondo-go/rondo/internal/rig"
)

// peer is one connection of a server that follows a script.
type peer struct {
	*net.TCPConn
	in *bufio.Reader
	n  int // which it is, from 1
}

// request reads one, with its body. It reports false at the end.
func (p *peer) request() (*http.Request, string, bool) {
	r, err := http.ReadRequest(p.in)
	if err != nil {
		return nil, "", false
	}
	body, err := io.ReadAll(r.Body)
	return r, string(body), err == nil
}

func (p *peer) say(text string) bool {
	_, err := io.WriteString(p, text)
	return err == nil
}

// answerWith is a good answer.
func answerWith(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// scripted is a server whose connections do what script says; they are closed behind it.
func scripted(t *testing.T, script func(p *peer)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	all.Go(func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				script(&peer{c.(*net.TCPConn), bufio.NewReader(c), n}) //nolint:errcheck // it is one
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return "http://" + ln.Addr().String()
}

// TestHostileServers has a first connection on which a server does what it must not, and says what comes of it. The next request is answered well, by another connection: nothing of the first has got into it.
func TestHostileServers(t *testing.T) {
	endless := func(text string) func(*peer) {
		return func(p *peer) {
			p.request()
			for p.say(strings.Repeat(text, 100)) {
			}
		}
	}
	says := func(text string) func(*peer) {
		return func(p *peer) {
			p.request()
			p.say(text)
		}
	}
	stays := func(text string) func(*peer) { // it is the client who must leave
		return func(p *peer) {
			p.request()
			p.say(text)
			_, _ = io.Copy(io.Discard, p)
		}
	}
	ofWire := func(err error) bool { _, ok := errors.AsType[*wire.Error](err); return ok }
	short := func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }
	for _, q := range []struct {
		name   string
		method string
		first  func(*peer)
		want   string           // the body
		fails  func(error) bool // how; nil if it does not
	}{
		{name: "closes at once", first: func(*peer) {}, fails: func(err error) bool {
			return short(err) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
		}},
		{name: "closes without an answer", first: says(""), fails: short},
		{name: "closes within the status line", first: says("HTTP/1.1 2"), fails: short},
		{name: "closes within the head", first: says("HTTP/1.1 200 OK\r\nContent-Le"), fails: short},
		{name: "closes within a body of known length", first: says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), fails: short},
		{name: "closes within a chunk", first: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"), fails: short},
		{name: "closes before the last chunk", first: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), fails: short},
		{name: "closes within the trailers", first: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n"), fails: short},
		{name: "ends with the connection", first: says("HTTP/1.1 200 OK\r\n\r\nall of it"), want: "all of it"},
		{name: "is HTTP/1.0", first: says("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold"), want: "old"},
		{name: "resets within the body", first: func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			_ = p.SetLinger(0)
		}, fails: func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{name: "resets a body that ends with the connection", first: func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\n\r\nabc")
			_ = p.SetLinger(0)
		}, fails: func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		{name: "garbage", first: stays("\x16\x03\x01\x00\x05hello"), fails: ofWire},
		{name: "another protocol", first: stays("SSH-2.0-OpenSSH_9.2\r\n"), fails: ofWire},
		{name: "HTTP/2", first: stays("HTTP/2.0 200 OK\r\n\r\n"), fails: ofWire},
		{name: "two lengths", first: stays("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), fails: ofWire},
		{name: "a length and chunks", first: stays("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"), fails: ofWire},
		{name: "a negative length", first: stays("HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"), fails: ofWire},
		{name: "a length beyond all", first: stays("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc"), fails: ofWire},
		{name: "a bad chunk at once", first: stays("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc"), fails: ofWire},
		{name: "a bad chunk later", first: stays("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n"), fails: ofWire},
		{name: "a bad chunk much later", first: func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 100) + "xyz\r\n")
			_, _ = io.Copy(io.Discard, p)
		}, fails: ofWire},
		{name: "a coding that is not known", first: stays("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), fails: ofWire},
		{name: "a folded field", first: stays("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"), fails: ofWire},
		{name: "an endless status line", first: endless("HTTP/1.1 200 OK "), fails: ofWire},
		{name: "an endless head", first: func(p *peer) {
			p.request()
			p.say("HTTP/1.1 200 OK\r\n")
			for p.say(strings.Repeat("X-A: "+strings.Repeat("b", 1000)+"\r\n", 100)) {
			}
		}, fails: ofWire},
		{name: "many small fields", first: stays("HTTP/1.1 200 OK\r\n" + strings.Repeat("a:\r\n", 100_000)), fails: ofWire},
		{name: "a flood of 1xx", first: endless("HTTP/1.1 103 Early Hints\r\n\r\n"), fails: func(err error) bool { return strings.Contains(err.Error(), "1xx") }},
		{name: "a flood of 100", first: endless("HTTP/1.1 100 Continue\r\n\r\n"), fails: func(err error) bool { return strings.Contains(err.Error(), "1xx") }},
		{name: "another protocol that nobody has asked for", first: stays("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), fails: func(err error) bool { return strings.Contains(err.Error(), "switched") }},
		{name: "an answer before the request", first: func(p *peer) {
			p.say(answerWith("early"))
			_, _ = io.Copy(io.Discard, p)
		}, want: "early"},
		{name: "two answers at once", first: stays(answerWith("first") + answerWith("evil")), want: "first"},
		{name: "two answers at once, in chunks", first: stays("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n" + answerWith("evil")), want: "first"},
		{name: "half a second answer", first: stays(answerWith("first") + "HTTP/1.1 2"), want: "first"},
		{name: "a byte too many", first: stays(answerWith("first") + "\n"), want: "first"},
		{name: "a body of 204", first: stays("HTTP/1.1 204 No Content\r\n\r\n" + answerWith("evil"))},
		{name: "a body of 304", first: stays("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil")},
		{name: "a body to HEAD", method: "HEAD", first: stays(answerWith("evil"))},
		{name: "a second answer when it is idle", first: func(p *peer) {
			p.request()
			p.say(answerWith("first"))
			for p.say("HTTP") { // until the client has left
			}
		}, want: "first"},
	} {
		t.Run(q.name, func(t *testing.T) {
			ways := fetchers(t)
			delete(ways, "net/http")
			for way, fetch := range ways {
				left := make(chan struct{})
				at := scripted(t, func(p *peer) {
					if p.n == 1 {
						q.first(p)
						close(left)
						return
					}
					for {
						if _, _, ok := p.request(); !ok {
							return
						}
						p.say(answerWith("good"))
					}
				})
				c := &http1.Client{}
				method := q.method
				if method == "" {
					method = "GET"
				}
				_, body, err := fetch(c, request(t, method, at, nil))
				switch {
				case q.fails != nil && (err == nil || !q.fails(err)):
					t.Errorf("%s: %v", way, err)
				case q.fails == nil && (err != nil || string(body) != q.want):
					t.Errorf("%s: %q, %v", way, body, err)
				}
				if q.name != "an answer before the request" {
					rig.Await(t, left)
				} else {
					c.CloseIdleConnections()
					continue
				}
				if _, body, err = fetch(c, request(t, "GET", at, nil)); err != nil || string(body) != "good" {
					t.Errorf("%s, afterwards: %q, %v", way, body, err)
				}
			}
		})
	}
}

// TestSecondAnswerToWaiter has a request wait for the only connection, whose server sends two answers to the one before. The first read ends where the first answer does, so that what is beyond it is still in the kernel when
// the connection becomes free.
func TestSecondAnswerToWaiter(t *testing.T) {
	for _, buffer := range []int{0, len(answerWith("first"))} {
		for _, second := range []string{answerWith("evil"), "HTTP/1.1 200 OK\r\nX: ", "\n"} {
			both := make(chan struct{})
			at := scripted(t, func(p *peer) {
				for {
					if _, _, ok := p.request(); !ok {
						return
					}
					if p.n > 1 {
						p.say(answerWith("good"))
						continue
					}
					rig.Await(t, both)
					p.say(answerWith("first") + second)
				}
			})
			e := rig.New(t, rondo.Config{ReadBuffer: buffer})
			t.Cleanup(func() { e.Log.Discard("more than it was asked for") })
			c := &http1.Client{Transport: &http1.Transport{MaxConnsPerHost: 1}}
			f1 := c.Fetch(e.Loop(), request(t, "GET", at, nil))
			f2 := c.Fetch(e.Loop(), request(t, "POST", at, nil))
			e.Loop().Post(func() { close(both) })
			for i, f := range []*rondo.Future[*http.Response]{f1, f2} {
				body, err := io.ReadAll(rig.Result(t, f).Body)
				if want := []string{"first", "good"}[i]; string(body) != want || err != nil {
					t.Fatalf("request %d is answered with %q, %v", i+1, body, err)
				}
			}
		}
	}
}

// TestStaleConnections has a server that closes a connection when its second request comes, as it may for having been idle: what can be sent again is, and nothing else.
func TestStaleConnections(t *testing.T) {
	for _, q := range []struct {
		name, method, body string
		header             http.Header
		stream             bool
		half               bool // something of an answer came
		again              bool
	}{
		{name: "GET", method: "GET", again: true},
		{name: "HEAD", method: "HEAD", again: true},
		{name: "POST", method: "POST", body: "said"},
		{name: "POST without a body", method: "POST"},
		{name: "DELETE", method: "DELETE"},
		{name: "POST with a key", method: "POST", body: "said", header: http.Header{"Idempotency-Key": {"1"}}, again: true},
		{name: "stream with a key", method: "POST", body: "said", header: http.Header{"Idempotency-Key": {"1"}}, stream: true},
		{name: "half an answer", method: "GET", half: true},
	} {
		t.Run(q.name, func(t *testing.T) {
			ways := fetchers(t)
			for way, fetch := range ways {
				if way == "net/http" && q.half {
					continue // which sends it again all the same, or not: it depends
				}
				var asked atomic.Int32
				at := scripted(t, func(p *peer) {
					for i := 1; ; i++ {
						_, body, ok := p.request()
						if !ok {
							return
						}
						asked.Add(1)
						if p.n == 1 && i == 2 {
							if q.half {
								p.say("HTTP/1.1 200")
							}
							return
						}
						p.say("HTTP/1.1 200 OK\r\nX-Body: " + body + "\r\nContent-Length: 0\r\n\r\n")
					}
				})
				c := &http1.Client{}
				if _, _, err := fetch(c, request(t, "GET", at, nil)); err != nil {
					t.Fatal(err)
				}
				var body io.Reader
				if q.body != "" {
					body = strings.NewReader(q.body)
				}
				if q.stream {
					body = struct{ io.Reader }{body}
				}
				req := request(t, q.method, at, body)
				maps.Copy(req.Header, q.header)
				res, _, err := fetch(c, req)
				switch {
				case q.again && (err != nil || res.Header.Get("X-Body") != q.body || asked.Load() != 3):
					t.Errorf("%s: %v, %v, after %d requests", way, res, err, asked.Load())
				case !q.again && (err == nil || asked.Load() != 2):
					t.Errorf("%s: it was answered, by request %d", way, asked.Load())
				}
			}
		})
	}
}

// TestEarlyAnswer has a server that answers before it has read the body: the answer counts, the body is given up, and the connection is not used again.
func TestEarlyAnswer(t *testing.T) {
	ways := fetchers(t)
	delete(ways, "net/http")
	for way, fetch := range ways {
		at := scripted(t, func(p *peer) {
			if _, err := http.ReadRequest(p.in); err != nil {
				return
			}
			p.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")
			_, _ = io.Copy(io.Discard, p) // as a server that lingers
		})
		body := &endlessBody{}
		res, text, err := fetch(&http1.Client{}, request(t, "POST", at, body))
		if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || string(text) != "no" {
			t.Errorf("%s: %q, %v", way, text, err)
		}
		rig.Eventually(t, "the body is closed", body.closed.get)
	}
}

// endlessBody never ends, but by being closed.
type endlessBody struct{ closed chanFlag }

func (b *endlessBody) Read(p []byte) (int, error) {
	if b.closed.get() {
		return 0, errors.New("closed")
	}
	return len(p), nil
}
func (b *endlessBody) Close() error { b.closed.set(); return nil }

// TestExpectContinue has servers that want the body, do not, or say nothing.
func TestExpectContinue(t *testing.T) {
	for _, q := range []struct {
		name, says, want string
		body             bool
	}{
		{"wants it", "HTTP/1.1 100 Continue\r\n\r\n", "said", true},
		{"does not", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno", "no", false},
		{"says nothing", "", "said", true},
	} {
		t.Run(q.name, func(t *testing.T) {
			ways := fetchers(t)
			delete(ways, "net/http")
			for way, fetch := range ways {
				more := make(chan bool, 1)
				at := scripted(t, func(p *peer) {
					r, err := http.ReadRequest(p.in)
					if err != nil {
						return
					}
					p.say(q.says)
					body, err := io.ReadAll(r.Body)
					more <- len(body) > 0
					if err == nil && q.body {
						p.say(answerWith(string(body)))
					}
				})
				req := request(t, "POST", at, strings.NewReader("said"))
				req.Header.Set("Expect", "100-continue")
				tr := &http1.Transport{ExpectContinueTimeout: 50 * time.Millisecond}
				if way == "http.Client" {
					tr.Engine = rig.New(t, rondo.Config{}).Engine
					fetch = func(_ *http1.Client, req *http.Request) (*http.Response, []byte, error) {
						res, err := tr.RoundTrip(req)
						if err != nil {
							return nil, nil, err
						}
						body, err := io.ReadAll(res.Body)
						return res, body, err
					}
				}
				if q.name == "wants it" {
					tr.ExpectContinueTimeout = time.Hour
				}
				_, body, err := fetch(&http1.Client{Transport: tr}, req)
				if err != nil || string(body) != q.want {
					t.Errorf("%s: %q, %v", way, body, err)
				}
				if got := rig.Await(t, more); got != q.body {
					t.Errorf("%s: the body was sent: %v", way, got)
				}
			}
		})
	}
}
