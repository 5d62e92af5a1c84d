package http1

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// gathering is a Fetch: its receiver keeps the body until all of it is there. A redirect is followed in a task, by http.Client's own rules; without one there is none.
type gathering struct {
	client  *Client
	loop    *rondo.Loop
	call    call
	req     *http.Request // as it was given
	promise *rondo.Promise[*http.Response]
	done    func(*http.Response, error) // in place of it
	timer   rondo.Timer                 // Timeout
	stop    func() bool                 // minding the request's context
	follows *rondo.Future[*http.Response]
	over    bool

	res  *http.Response
	body []byte
}

// On the loop a body is unzipped that is no longer than this: it may be a thousand times as long then, which takes some 10 ms.
const maxUnzipOnLoop = 4 << 10

// begin is called on any goroutine.
func (g *gathering) begin(req *http.Request) {
	g.req = req
	if !g.loop.PostRunner(g) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		if g.done != nil {
			g.done(nil, urlError(req, rondo.ErrEngineClosed))
		} else {
			g.promise.Reject(urlError(req, rondo.ErrEngineClosed))
		}
	}
}

// Run implements rondo.Runner.
func (g *gathering) Run(l *rondo.Loop) {
	if g.over { // cancelled before
		g.closeBody()
		return
	}
	req, ctx := g.prepared(), g.req.Context()
	err := contextCause(ctx)
	if err == nil {
		err = g.call.prepare(g.client.transport(), req)
	}
	if err != nil {
		g.closeBody()
		g.settle(nil, err)
		return
	}
	g.call.to = g
	if d := g.client.Timeout; d > 0 {
		g.timer = l.After(d, func() { g.cancel(timedOut("fetching")) })
	}
	if ctx.Done() != nil {
		g.stop = l.Engine().AfterContext(ctx, func() { l.Post(func() { g.cancel(contextCause(ctx)) }) })
	}
	g.call.start(l)
}

func (g *gathering) closeBody() {
	if g.req.Body != nil {
		_ = g.req.Body.Close()
	}
}

// contextCause is why a context has ended; nil if it has not.
func contextCause(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return context.Cause(ctx)
}

// prepared is the request with what http.Client adds: the URL's user, and the jar's cookies.
func (g *gathering) prepared() *http.Request {
	req, jar := g.req, g.client.Jar
	if req.URL == nil || req.Header != nil && req.URL.User == nil && jar == nil {
		return req
	}
	own := new(http.Request)
	*own = *req
	if own.Header = req.Header.Clone(); own.Header == nil {
		own.Header = http.Header{}
	}
	if u := req.URL.User; u != nil && own.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		own.SetBasicAuth(u.Username(), password)
	}
	if jar != nil {
		for _, c := range jar.Cookies(req.URL) {
			own.AddCookie(c)
		}
	}
	return own
}

// CancelFuture implements rondo.Canceller.
func (g *gathering) CancelFuture(reason error) { g.cancel(reason) }

func (g *gathering) cancel(err error) {
	switch {
	case g.over:
	case g.follows != nil:
		g.follows.Cancel(err) // which is settled by it
	case g.call.to == nil: // not begun
		g.settle(nil, err)
	default:
		g.call.cancel(err)
		g.settle(nil, err) // if it was over, and the body is being unzipped
	}
}

// answered implements receiver, as the two below do.
func (g *gathering) answered(res *http.Response, first []byte, whole bool, trailer http.Header) {
	g.res = res
	if res.ContentLength > 0 && res.ContentLength < 1<<20 && !whole {
		g.body = make([]byte, 0, res.ContentLength)
	}
	if g.received(first); whole && !g.over {
		g.finished(trailer, nil)
	}
}

func (g *gathering) received(p []byte) (full bool) {
	most := g.client.maxBody()
	if most >= 0 && int64(len(g.body)+len(p)) > most {
		g.cancel(&http.MaxBytesError{Limit: most})
		return false
	}
	g.body = append(g.body, p...)
	return false
}

func (g *gathering) finished(trailer http.Header, err error) {
	if err != nil {
		g.settle(nil, err)
		return
	}
	for name, values := range trailer {
		if g.res.Trailer == nil {
			g.res.Trailer = http.Header{}
		}
		g.res.Trailer[name] = values
	}
	switch {
	case !g.res.Uncompressed:
		g.gathered(nil)
	case len(g.body) <= maxUnzipOnLoop:
		var err error
		g.body, err = unzip(g.body, g.client.maxBody())
		g.gathered(err)
	default:
		rondo.Run(g.loop, func(context.Context) ([]byte, error) { return unzip(g.body, g.client.maxBody()) }).OnDone(func(p []byte, err error) {
			g.body = p
			g.gathered(err)
		})
	}
}

func unzip(p []byte, most int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, err
	}
	return readAll(z, most)
}

// readAll is io.ReadAll with a limit; below 0 there is none.
func readAll(r io.Reader, most int64) ([]byte, error) {
	if most < 0 {
		return io.ReadAll(r)
	}
	p, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(p)) > most {
		return nil, &http.MaxBytesError{Limit: most}
	}
	return p, err
}

// gathered is when the body is there as it is wanted.
func (g *gathering) gathered(err error) {
	if err != nil {
		g.settle(nil, err)
		return
	}
	if len(g.body) > 0 {
		g.res.Body = io.NopCloser(bytes.NewReader(g.body))
	}
	if isRedirect(g.res) {
		g.follow()
		return
	}
	if jar := g.client.Jar; jar != nil {
		if cookies := g.res.Cookies(); len(cookies) > 0 {
			jar.SetCookies(g.req.URL, cookies)
		}
	}
	g.settle(g.res, nil)
}

func isRedirect(res *http.Response) bool {
	switch res.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return res.Header.Get("Location") != ""
	}
	return false
}

// follow has http.Client follow the redirect, which begins with the answer that is there.
func (g *gathering) follow() {
	if g.over {
		return
	}
	g.follows = task.Start(g.loop, func(t *task.Task) (*http.Response, error) {
		r := &taskTripper{client: g.client, task: t, first: g.res}
		res, err := r.do(g.req)
		if res == nil {
			return nil, err
		}
		defer res.Body.Close()
		body, readErr := readAll(res.Body, g.client.maxBody())
		res.Body = io.NopCloser(bytes.NewReader(body))
		if err == nil && readErr != nil {
			return nil, urlError(g.req, readErr)
		}
		return res, err // both, of a CheckRedirect that has said no
	})
	g.follows.OnDone(func(res *http.Response, err error) { g.resolve(res, err) })
}

// settle is the end, unless it has been.
func (g *gathering) settle(res *http.Response, err error) {
	if err != nil {
		err = urlError(g.req, err)
	}
	g.resolve(res, err)
}

func (g *gathering) resolve(res *http.Response, err error) {
	if g.over {
		return
	}
	g.over = true
	g.timer.Stop()
	if g.stop != nil {
		g.stop()
	}
	switch {
	case g.done != nil:
		g.done(res, err)
	case err != nil:
		g.promise.Reject(err)
	default:
		g.promise.Resolve(res)
	}
}
