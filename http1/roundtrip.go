package http1

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// incoming receives an answer for a goroutine, or for a task, that reads its body in pieces. The loop feeds it; what both touch is under mu.
type incoming struct {
	call   call
	engine *rondo.Engine

	ready chan struct{} // of a goroutine that waits for the head
	stop  func() bool   // minding the request's context
	ended func()        // told when the body has been read, or closed; may be nil

	monitor // of what follows; its task is the one whose the answer is
	answer  *http.Response
	in      []byte // of the body, not Read
	whole   bool   // it is all there
	err     error  // or why it never will be, and why there is no answer
	full    bool   // reading is paused, since in is full
	closed  bool   // Body.Close was called
	posted  bool   // the loop has been asked to come
	begun   bool   // the loop has come once
	given   error  // why nobody wants it any more
	trailer http.Header
}

var errNoEngine = errors.New("http1: RoundTrip needs Transport.Engine")

// RoundTrip implements http.RoundTripper. It must not be called on a loop, which it would stop: a [Client] has what is for there. In debug and race builds that is found out.
//
// When the request's context ends the call is given up, and so is the reading of the body. The errors are those of [Client.Fetch] that are not about redirects.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	x := &incoming{ready: make(chan struct{}, 1)}
	if err := t.prepare(x, req); err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	ctx := req.Context()
	if !x.loop.PostRunner(x) {
		x.call.stopSending()
		return nil, rondo.ErrEngineClosed
	}
	x.engine.Block(func() bool { return len(x.ready) > 0 || ctx.Err() != nil }, ctx, &x.monitor)
	select {
	case <-x.ready:
	case <-ctx.Done():
		x.giveUp(context.Cause(ctx))
		return nil, context.Cause(ctx)
	}
	return x.result(ctx)
}

func (t *Transport) prepare(x *incoming, req *http.Request) error {
	if t.Engine == nil {
		return errNoEngine
	}
	if err := x.call.prepare(t, req); err != nil {
		return err
	}
	x.call.to = x
	x.init(t.loopOf(x.call.key), nil)
	if x.loop.Debug() && x.loop.OnLoop() {
		return rondo.ErrOnLoop
	}
	return nil
}

func (x *incoming) init(l *rondo.Loop, t *task.Task) {
	x.monitor.init(l)
	x.engine, x.task = l.Engine(), t
}

// result is what has come, when something has.
func (x *incoming) result(ctx context.Context) (*http.Response, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answer == nil {
		return nil, x.err
	}
	if !x.whole && x.err == nil && ctx.Done() != nil {
		x.stop = x.engine.AfterContext(ctx, func() { x.giveUp(context.Cause(ctx)) })
	}
	return x.answer, nil
}

// giveUp ends the call, from any goroutine.
func (x *incoming) giveUp(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.whole || x.err != nil {
		return
	}
	x.err = err
	x.given = err
	x.in = nil
	x.wake()
	x.post()
}

// Run implements rondo.Runner: the loop comes to begin, and then to do what was asked for.
func (x *incoming) Run(l *rondo.Loop) {
	x.mu.Lock()
	begins, given := !x.begun, x.given
	x.begun, x.posted = true, false
	resume := x.full && len(x.in) < window/2
	if resume {
		x.full = false
	}
	x.mu.Unlock()
	switch {
	case given != nil:
		x.call.cancel(given)
	case begins:
		x.call.start(l)
	case resume:
		x.call.proceed()
	}
}

// post has the loop come, with the lock held.
func (x *incoming) post() {
	if !x.posted {
		x.posted = true
		x.loop.PostRunner(x)
	}
}

// answered implements receiver, as the two below do.
func (x *incoming) answered(res *http.Response, first []byte, whole bool, trailer http.Header) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.whole, x.trailer = whole, trailer
	if x.err != nil {
		return // given up
	}
	x.answer = res
	if !whole || len(first) > 0 || len(res.Trailer) > 0 || len(trailer) > 0 {
		x.in = append(x.in, first...)
		body := io.ReadCloser(&incomingBody{x})
		if res.Uncompressed {
			body = &unzipped{body: body}
		}
		if res.Body == http.NoBody {
			res.Body = body
		}
	}
	x.wake()
}

func (x *incoming) received(p []byte) (full bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || x.err != nil {
		return false
	}
	x.in = append(x.in, p...)
	x.full = len(x.in) >= window
	x.wake()
	return x.full
}

func (x *incoming) finished(trailer http.Header, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.whole, x.err, x.trailer = err == nil, err, trailer
	}
	x.wake()
}

// wake tells who waits, with the lock held: for the head, or for more of the body.
func (x *incoming) wake() {
	if x.task == nil {
		select {
		case x.ready <- struct{}{}:
		default:
		}
	}
	x.monitor.wake()
}

// incomingBody is an answer's body.
type incomingBody struct{ x *incoming }

// Read implements io.Reader.
func (b *incomingBody) Read(p []byte) (int, error) {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		switch {
		case x.closed:
			return 0, http.ErrBodyReadAfterClose
		case len(p) == 0:
			return 0, nil
		case len(x.in) > 0:
			n := take(p, &x.in)
			if x.full && len(x.in) < window/2 {
				x.post()
			}
			return n, nil
		case x.whole:
			x.unmind()
			for name, values := range x.trailer {
				if x.answer.Trailer == nil {
					x.answer.Trailer = http.Header{}
				}
				x.answer.Trailer[name] = values
			}
			x.trailer = nil
			return 0, io.EOF
		case x.err != nil:
			x.unmind()
			return 0, x.err
		}
		if err := x.wait(func() bool { return x.closed || len(x.in) > 0 || x.whole || x.err != nil }); err != nil {
			return 0, err
		}
	}
}

// unmind no longer minds the context, since all is over.
func (x *incoming) unmind() {
	if x.stop != nil {
		x.stop()
		x.stop = nil
	}
	if x.ended != nil {
		x.ended()
		x.ended = nil
	}
}

// Close implements io.Closer. If the body has not come yet its connection ends, as in net/http: what is left may be long.
func (b *incomingBody) Close() error {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	x.in = nil
	x.unmind()
	if !x.whole && x.err == nil {
		x.err, x.given = http.ErrBodyReadAfterClose, http.ErrBodyReadAfterClose
		x.post()
	}
	x.wake()
	return nil
}

// unzipped is a body that was sent in gzip (RFC 1952). Its head is looked for when somebody reads.
type unzipped struct {
	body io.ReadCloser
	zip  *gzip.Reader
	err  error
}

// Read implements io.Reader.
func (u *unzipped) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	if u.zip == nil {
		if u.zip, u.err = gzip.NewReader(u.body); u.err != nil {
			return 0, u.err
		}
	}
	return u.zip.Read(p)
}

// Close implements io.Closer.
func (u *unzipped) Close() error {
	u.err = http.ErrBodyReadAfterClose
	return u.body.Close()
}
