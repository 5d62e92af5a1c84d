// Fetch answers the four fetches of the Tornado guide: the same HTTP request as code that blocks, with a callback, with a Future,
// and in a coroutine, which here is a task. In Python:
//
//	def synchronous_fetch(url):            response = http_client.fetch(url); return response.body
//	def asynchronous_fetch(url, callback): http_client.fetch(url, callback=handle_response)
//	def async_fetch_future(url):           my_future = Future(); ...; return my_future
//	def fetch_coroutine(url):              response = yield http_client.fetch(url); raise Return(response.body)
//
// All four make one plain HTTP/1.0 request, which ends with the connection, and in all four an error reaches the caller:
// with the callback because the code below remembers to pass it on in each place, with the others by itself.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// SynchronousFetch waits for the page and returns it. It blocks its goroutine, so it must not be called on a loop.
func SynchronousFetch(engine *rondo.Engine, u *url.URL) (string, error) {
	conn, err := engine.DialContext(context.Background(), "tcp", u.Host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.Write(request(u)); err != nil {
		return "", err
	}
	response, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	return body(u, response)
}

// AsynchronousFetch returns at once. Later done is called, once, with the page or with an error. Only on the loop.
func AsynchronousFetch(loop *rondo.Loop, u *url.URL, done func(page string, err error)) {
	rondo.Dialer{Loop: loop}.Dial(context.Background(), loop.Engine(), "tcp", u.Host, &fetcher{url: u, done: done}).
		OnDone(func(_ *rondo.Conn, err error) {
			if err != nil {
				done("", err)
			}
		})
}

// A fetcher is the connection that a page comes by.
type fetcher struct {
	url      *url.URL
	response []byte
	done     func(string, error)
}

func (f *fetcher) ConnectionMade(c *rondo.Conn) { _, _ = c.Write(request(f.url)) }

func (f *fetcher) DataReceived(_ *rondo.Conn, p []byte) int {
	f.response = append(f.response, p...) // a copy: p is the loop's
	return len(p)
}

func (f *fetcher) ConnectionLost(_ *rondo.Conn, err error) {
	if !errors.Is(err, io.EOF) {
		f.done("", err)
		return
	}
	f.done(body(f.url, f.response))
}

// AsyncFetchFuture returns at once what will be the page. Any goroutine may call it.
func AsyncFetchFuture(loop *rondo.Loop, u *url.URL) *rondo.Future[string] {
	promise := rondo.NewPromise[string](loop)
	loop.Post(func() {
		AsynchronousFetch(loop, u, func(page string, err error) {
			if err != nil {
				promise.Reject(err)
				return
			}
			promise.Resolve(page)
		})
	})
	return promise.Future()
}

// FetchTask waits for the page and returns it, as SynchronousFetch does; but it is only the task that waits.
func FetchTask(t *task.Task, u *url.URL) (string, error) {
	s, err := stream.Dial(t, "tcp", u.Host)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if _, err := s.Write(t, request(u)); err != nil {
		return "", err
	}
	response, err := io.ReadAll(s.IO(t))
	if err != nil {
		return "", err
	}
	return body(u, response)
}

// request is what is said to the server.
func request(u *url.URL) []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", u.RequestURI(), u.Host)
}

// body is the page in what the server has said.
func body(u *url.URL, response []byte) (string, error) {
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(response)), nil)
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w", u.Path, err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return "", fmt.Errorf("fetching %s: %s", u.Path, r.Status)
	}
	page, err := io.ReadAll(r.Body)
	return string(page), err
}

// ways are the four, each called as it is from a goroutine that waits for the result.
var ways = []struct {
	name  string
	fetch func(*rondo.Engine, *url.URL) (string, error)
}{
	{"synchronous", SynchronousFetch},
	{"callback", func(e *rondo.Engine, u *url.URL) (page string, err error) {
		loop, called := e.Loop(), make(chan struct{})
		loop.Post(func() {
			AsynchronousFetch(loop, u, func(p string, failed error) {
				page, err = p, failed
				close(called)
			})
		})
		<-called
		return page, err
	}},
	{"future", func(e *rondo.Engine, u *url.URL) (string, error) {
		return AsyncFetchFuture(e.Loop(), u).Wait(context.Background())
	}},
	{"task", func(e *rondo.Engine, u *url.URL) (string, error) {
		f := task.Go(e.Loop(), func(t *task.Task) (string, error) { return FetchTask(t, u) })
		return f.Wait(context.Background())
	}},
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/poem" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "Where, like a pillow on a bed")
	}))
	defer server.Close()
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	for _, way := range ways {
		for _, path := range []string{"/poem", "/prose"} {
			page, err := way.fetch(engine, &url.URL{Scheme: "http", Host: server.Listener.Addr().String(), Path: path})
			fmt.Printf("%s: %q, %v\n", way.name, page, err)
		}
	}
}
