package http1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"syscall"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
	"github.com/rondo-go/rondo/task"
)

// exampleServer answers on a free port.
func exampleServer(e *rondo.Engine) (url string) {
	s := &http1.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "Hello, %s!", r.URL.Query().Get("name")) })}
	ln, err := e.Listen("tcp", "127.0.0.1:0", s.Protocol)
	if err != nil {
		panic(err)
	}
	return "http://" + ln.Addr().String() + "/?name="
}

// The same fetch in four ways: on a goroutine that waits, with a callback, as a future, and in a task. An error in it reaches whoever asked, each time.
func Example_client() {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		panic(err)
	}
	defer e.Close()
	url := exampleServer(e)
	transport := &http1.Transport{Engine: e}
	client := &http1.Client{Transport: transport, Timeout: 10 * time.Second}
	request := func(url string) *http.Request {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			panic(err)
		}
		return req
	}
	say := func(res *http.Response, err error) {
		if err != nil {
			fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		fmt.Println(string(body), err)
	}
	const nobody = "http://127.0.0.1:1/"

	// Synchronous: any code that has an http.Client.
	plain := &http.Client{Transport: transport}
	say(plain.Get(url + "goroutine"))
	say(plain.Get(nobody))

	// With a callback, which is called on the loop.
	done := make(chan struct{})
	client.FetchFunc(e.Loop(), request(url+"callback"), func(res *http.Response, err error) {
		say(res, err)
		client.FetchFunc(e.Loop(), request(nobody), func(res *http.Response, err error) {
			say(res, err)
			close(done)
		})
	})
	<-done

	// As a future.
	say(client.Fetch(e.Loop(), request(url+"future")).Wait(context.Background()))
	say(client.Fetch(e.Loop(), request(nobody)).Wait(context.Background()))

	// In a task: straight-line code on the loop.
	_, err = task.Go(e.Loop(), func(t *task.Task) (struct{}, error) {
		say(client.FetchTask(t, request(url+"task")))
		say(client.FetchTask(t, request(nobody)))
		return struct{}{}, nil
	}).Wait(context.Background())
	if err != nil {
		panic(err)
	}
	// Output:
	// Hello, goroutine! <nil>
	// refused: true
	// Hello, callback! <nil>
	// refused: true
	// Hello, future! <nil>
	// refused: true
	// Hello, task! <nil>
	// refused: true
}

// Many pages at once, in the order asked for, with cookies and a limit on the connections to one host.
func ExampleClient_Fetch() {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		panic(err)
	}
	defer e.Close()
	url := exampleServer(e)
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	client := &http1.Client{Transport: &http1.Transport{MaxConnsPerHost: 2}, Jar: jar}
	l := e.Loop()
	var pages []*rondo.Future[*http.Response]
	for _, name := range []string{"Anna", "Berta", "Clara", "Dora"} {
		req, err := http.NewRequest(http.MethodGet, url+name, nil)
		if err != nil {
			panic(err)
		}
		pages = append(pages, client.Fetch(l, req))
	}
	all := make(chan *rondo.Future[[]*http.Response], 1)
	l.Post(func() { all <- rondo.All(l, pages...) })
	answers, err := (<-all).Wait(context.Background())
	if err != nil {
		panic(err)
	}
	for _, res := range answers {
		body, err := io.ReadAll(res.Body)
		fmt.Println(res.Status, string(body), err)
	}
	// Output:
	// 200 OK Hello, Anna! <nil>
	// 200 OK Hello, Berta! <nil>
	// 200 OK Hello, Clara! <nil>
	// 200 OK Hello, Dora! <nil>
}
