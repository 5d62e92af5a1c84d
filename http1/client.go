package http1

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Client fetches: it sends requests, follows redirects and keeps cookies, on loops. For goroutines there is http.Client, with a [Transport] as its Transport; the rules here are that one's, whose code follows the redirects.
// The zero Client is ready, for http.
//
// Requests and answers are net/http's. A request must not be changed until its answer has come, and its body is always closed. Its context ends the fetching.
//
// Any goroutine may use it, several at a time. Its fields must not be changed once it is in use.
type Client struct {
	// Transport has the connections. Nil means one of the Client's own, which asks the environment for proxies (http.ProxyFromEnvironment) and cannot do https: package httpd has one that can.
	Transport *Transport

	// CheckRedirect is asked before a redirect is followed, as that of http.Client: it is called on the loop, and must not block. Nil allows ten.
	CheckRedirect func(req *http.Request, via []*http.Request) error

	// Jar keeps cookies: net/http/cookiejar has one. Nil keeps none. It is called on the loop, and must not block.
	Jar http.CookieJar

	// Timeout bounds the whole, redirects and the body included. Zero means no limit.
	Timeout time.Duration

	// MaxBody is how long a body may be that Fetch and FetchFunc gather, in bytes, once it is unzipped; the error of a longer one is an *http.MaxBytesError. Zero means 64 MiB, less than zero no limit.
	MaxBody int64

	once sync.Once
	own  *Transport
}

const defaultMaxBody = 64 << 20

func (c *Client) transport() *Transport {
	if c.Transport != nil {
		return c.Transport
	}
	c.once.Do(func() { c.own = &Transport{Proxy: http.ProxyFromEnvironment} })
	return c.own
}

func (c *Client) maxBody() int64 {
	if c.MaxBody == 0 {
		return defaultMaxBody
	}
	return c.MaxBody
}

// CloseIdleConnections closes the connections that nobody uses at the moment. It does not wait.
func (c *Client) CloseIdleConnections() { c.transport().CloseIdleConnections() }

// Fetch sends a request on loop l and gathers its answer: the future, which belongs to l, is done when all of the body has come, so that reading Response.Body never waits. Cancelling it gives the request up.
//
// The error is a *url.Error, in which errors.Is and errors.As find: what CheckRedirect says; io.ErrUnexpectedEOF, if the connection has ended within the answer, or before it; a *wire.Error of what is no HTTP; a *net.OpError of
// connecting; a [*ProxyError]; os.ErrDeadlineExceeded of a timeout, whichever; an *http.MaxBytesError; the context's cause; rondo.ErrEngineClosed.
//
// Any goroutine may call it, also on another loop.
func (c *Client) Fetch(l *rondo.Loop, req *http.Request) *rondo.Future[*http.Response] {
	g := &gathering{client: c, loop: l, promise: rondo.NewPromise[*http.Response](l)}
	g.promise.SetCanceller(g)
	g.begin(req)
	return g.promise.Future()
}

// FetchFunc is [Client.Fetch] with a callback: done is called once, on loop l, and never from within FetchFunc, unless the engine has ended: then it is called at once.
func (c *Client) FetchFunc(l *rondo.Loop, req *http.Request, done func(*http.Response, error)) {
	g := &gathering{client: c, loop: l, done: done}
	g.begin(req)
}

// FetchTask sends a request in a task, and returns when the head of its answer has come: the task then reads Response.Body, which waits as the task's other calls do and leaves the loop to others, and closes it. No other
// task nor goroutine may. If the task is cancelled the request is given up. The errors are those of [Client.Fetch].
func (c *Client) FetchTask(t *task.Task, req *http.Request) (*http.Response, error) {
	r := &taskTripper{client: c, task: t}
	if c.Timeout > 0 {
		r.timer = t.Loop().After(c.Timeout, r.timeOut)
	}
	res, err := r.do(req)
	if err != nil {
		r.timer.Stop()
	}
	return res, err
}

// urlError is the error of fetching, as http.Client has it.
func urlError(req *http.Request, err error) error {
	op := req.Method
	if op == "" {
		op = http.MethodGet
	}
	where := ""
	if req.URL != nil {
		where = req.URL.Redacted()
	}
	return &url.Error{Op: op[:1] + strings.ToLower(op[1:]), URL: where, Err: err}
}

// taskTripper is the http.RoundTripper of an http.Client that follows redirects within a task.
type taskTripper struct {
	client  *Client
	task    *task.Task
	first   *http.Response // the answer to the first request, if it has come already
	timer   rondo.Timer
	expired bool
	current *incoming
}

// do is http.Client's Do: it calls nothing that blocks but RoundTrip and the body.
func (r *taskTripper) do(req *http.Request) (*http.Response, error) {
	c := http.Client{Transport: r, CheckRedirect: r.client.CheckRedirect, Jar: r.client.Jar}
	return c.Do(req)
}

// RoundTrip implements http.RoundTripper.
func (r *taskTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if res := r.first; res != nil {
		r.first = nil
		res.Request = req
		return res, nil
	}
	x := new(incoming)
	err := x.call.prepare(r.client.transport(), req)
	if err == nil && r.expired {
		err = r.late()
	}
	if err == nil {
		err = contextCause(req.Context())
	}
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	x.call.to = x
	x.init(r.task.Loop(), r.task)
	x.begun = true
	x.ended = func() {
		if r.current == x {
			r.timer.Stop()
			r.current = nil
		}
	}
	return x.exchange(r)
}

// exchange waits for the head.
func (x *incoming) exchange(r *taskTripper) (*http.Response, error) {
	ctx := x.call.req.Context()
	r.current = x
	if ctx.Done() != nil {
		x.stop = x.engine.AfterContext(ctx, func() { x.giveUp(contextCause(ctx)) })
	}
	x.call.start(x.loop)
	x.mu.Lock()
	err := x.wait(func() bool { return x.answer != nil || x.err != nil })
	if err == nil && x.answer == nil {
		err = x.err
	}
	x.mu.Unlock()
	if err != nil {
		x.call.cancel(err)
		r.current = nil
		if x.stop != nil {
			x.stop()
		}
		return nil, err
	}
	if x.answer.Body == http.NoBody {
		x.mu.Lock()
		x.unmind()
		x.mu.Unlock()
	}
	return x.answer, nil
}

func (r *taskTripper) late() error { return timedOut("fetching") }

func (r *taskTripper) timeOut() {
	r.expired = true
	if r.current != nil {
		r.current.giveUp(r.late())
	}
}
