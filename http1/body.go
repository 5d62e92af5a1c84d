package http1

import (
	"io"
	"net/http"
	"os"
)

// body is a request's, as its handler sees it.
type body struct{ x *handling }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.expects && !x.closed && !x.answers {
		x.expects = false
		x.asks |= askContinue
		x.post()
	}
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
			b.x.trail()
			return 0, io.EOF
		case x.inErr != nil:
			return 0, x.inErr
		case x.read.over():
			return 0, os.ErrDeadlineExceeded
		}
		if err := x.wait(func() bool { return x.closed || len(x.in) > 0 || x.whole || x.inErr != nil || x.read.over() }); err != nil {
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	x.in = nil
	if x.full {
		x.post()
	}
	return nil
}

// trail gives the request what came behind its body, with the lock held.
func (x *handling) trail() {
	for name, values := range x.parts.trailer {
		if x.req.Trailer == nil {
			x.req.Trailer = http.Header{}
		}
		x.req.Trailer[name] = values
	}
	x.parts.trailer = nil
}

// announced are the trailers that a request says will come, without their values.
func announced(h http.Header) http.Header {
	var w response
	w.announce(h["Trailer"])
	if len(w.trailers) == 0 {
		return nil
	}
	delete(h, "Trailer")
	t := http.Header{}
	for _, name := range w.trailers {
		t[name] = nil
	}
	return t
}
