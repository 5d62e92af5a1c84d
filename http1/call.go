package http1

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// receiver is who is given an answer, on the loop.
type receiver interface {
	// answered is given the head, and what there is of the body at that moment. If that is whole nothing else follows, and trailer is what has come behind it.
	answered(res *http.Response, first []byte, whole bool, trailer http.Header)
	// received is given a further piece of the body, and reports whether no more is wanted for now: see call.proceed.
	received(p []byte) (full bool)
	// finished is the end, once, unless the answer was whole: of the body, or, before there was an answer, of the call.
	finished(trailer http.Header, err error)
}

// call is one request, and its answer: what RoundTrip does, on a loop. But for prepare, it is all on the loop.
type call struct {
	transport *Transport
	req       *http.Request
	to        receiver
	method    string
	key       hostKey
	proxy     *url.URL // nil without one
	unzips    bool     // gzip was asked for, and nobody knows

	pool     *pool
	host     *host
	conn     *clientConn // nil while there is none
	body     *outgoing   // nil without one
	timer    rondo.Timer // ResponseHeaderTimeout
	informed int         // responses 1xx that have come
	waits    bool        // in host.waiting
	dials    bool        // a connection is being made on its account
	over     bool        // the receiver was told the end
}

// Errors of requests that cannot be sent, before anything is.
var (
	errNoURL    = errors.New("http1: the request has no URL")
	errNoHeader = errors.New("http1: the request has no Header: make one")
	errNoHost   = errors.New("http1: the request's URL has no host")
)

// prepare looks at a request as far as that can be done on any goroutine.
func (x *call) prepare(t *Transport, req *http.Request) error {
	x.transport, x.req = t, req
	x.method = req.Method
	if x.method == "" {
		x.method = http.MethodGet
	}
	switch {
	case req.URL == nil:
		return errNoURL
	case req.Header == nil:
		return errNoHeader
	case !wire.ValidToken(x.method):
		return fmt.Errorf("http1: the method %q is no token", x.method)
	case req.URL.Host == "":
		return errNoHost
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("http1: the scheme %q is not known: http and https are", req.URL.Scheme)
	case req.URL.Scheme == "https" && t.Secure == nil:
		return errors.New("http1: https needs Transport.Secure, which package httpd has")
	}
	if err := validFields(req.Header); err != nil {
		return err
	}
	for name := range req.Trailer {
		if !wire.ValidTrailer(name) {
			return fmt.Errorf("http1: the field %q cannot be a trailer", name)
		}
	}
	if host := hostOf(req); host == "" || !wire.ValidHost(host) {
		return fmt.Errorf("http1: the host %q is none, or not in ASCII: write it with xn--", host)
	}
	if t.Proxy != nil {
		proxy, err := t.Proxy(req)
		if err != nil {
			return err
		}
		x.proxy = proxy
	}
	x.key = hostKey{scheme: req.URL.Scheme, address: addressOf(req.URL)}
	if p := x.proxy; p != nil {
		switch {
		case p.Scheme != "http" && p.Scheme != "https":
			return fmt.Errorf("http1: proxies of the scheme %q are not known: http and https are", p.Scheme)
		case p.Scheme == "https" && t.Secure == nil:
			return errors.New("http1: a proxy by https needs Transport.Secure, which package httpd has")
		case p.Scheme == "https" && req.URL.Scheme == "https":
			return errors.New("http1: https through a proxy by https would be TLS within TLS, which is not known here: take a proxy by http")
		}
		x.key.proxy = p.String()
		if req.URL.Scheme == "http" {
			x.key.address = ""
		}
	}
	x.unzips = !t.DisableCompression && x.method != http.MethodHead && req.Header["Accept-Encoding"] == nil && req.Header["Range"] == nil
	if req.Body != nil && req.Body != http.NoBody {
		x.body = newOutgoing(x, req.Body)
	}
	return nil
}

func validFields(h http.Header) error {
	for name, values := range h {
		if !wire.ValidName(name) {
			return fmt.Errorf("http1: the field name %q is none", name)
		}
		for _, v := range values {
			if !wire.ValidValue(v) { // and not what it is: it may be a secret
				return fmt.Errorf("http1: the value of field %q has a control character", name)
			}
		}
	}
	return nil
}

// addressOf is host:port of a URL, the same for all that mean the same.
func addressOf(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if u.Port() != "" {
		return host
	}
	return strings.TrimSuffix(host, ":") + ":" + defaultPort(u.Scheme)
}

// hostOf is what the Host field says: without a zone, as RFC 6874 wants it.
func hostOf(req *http.Request) string {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	if i := strings.LastIndexByte(host, '%'); i >= 0 && strings.HasPrefix(host, "[") {
		if j := strings.LastIndexByte(host, ']'); j > i {
			host = host[:i] + host[j:]
		}
	}
	return strings.TrimSuffix(host, ":")
}

// Run implements rondo.Runner: the call begins.
func (x *call) Run(l *rondo.Loop) { x.start(l) }

func (x *call) start(l *rondo.Loop) {
	if x.over { // cancelled before
		return
	}
	x.pool = x.transport.pool(l)
	x.pool.add(x, false)
}

// answered passes the answer on.
func (x *call) answered(res *http.Response, first []byte, whole bool, trailer http.Header) {
	x.timer.Stop()
	x.over = whole
	x.to.answered(res, first, whole, trailer)
}

// received passes a piece of the body on.
func (x *call) received(c *rondo.Conn, p []byte) {
	if x.to.received(p) && !x.over {
		c.PauseReading()
	}
}

// proceed has more of the body come.
func (x *call) proceed() {
	if x.conn != nil {
		x.conn.c.ResumeReading()
	}
}

// finished ends the call.
func (x *call) finished(trailer http.Header, err error) {
	if x.over {
		return
	}
	x.over = true
	x.timer.Stop()
	x.stopSending()
	x.to.finished(trailer, err)
}

func (x *call) fail(err error) { x.finished(nil, err) }

// cancel ends the call whatever state it is in, and the connection if it has one.
func (x *call) cancel(err error) {
	if x.over {
		return
	}
	if x.waits {
		x.host.remove(x)
	}
	if h := x.conn; h != nil {
		h.fail(err)
		return
	}
	x.fail(err)
}

// unanswered is when the connection has ended before anything of the answer has come. That is nobody's fault if the server has closed it while it was idle: then the request is sent again, if doing it twice is doing it
// once (RFC 9110, section 9.2.2), or nothing of it was sent.
func (x *call) unanswered(h *clientConn, err error) {
	nothing := h.partial == nil && x.informed == 0
	if h.calls > 1 && nothing && x.repeatable() {
		x.timer.Stop()
		x.again()
		return
	}
	if err == io.EOF { //nolint:errorlint // documented to be bare
		err = io.ErrUnexpectedEOF
	}
	x.fail(fmt.Errorf("http1: the server has ended the connection without an answer: %w", err))
}

// repeatable is net/http's rule.
func (x *call) repeatable() bool {
	if x.body != nil && x.req.GetBody == nil {
		return false
	}
	switch x.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return x.req.Header["Idempotency-Key"] != nil || x.req.Header["X-Idempotency-Key"] != nil
}

// again sends the request on another connection, with its body from the beginning.
func (x *call) again() {
	x.dials = false
	if x.body == nil {
		x.pool.add(x, true)
		return
	}
	x.stopSending()
	l := x.pool.loop
	l.Engine().Go(func() { // it may block
		body, err := x.req.GetBody()
		l.Post(func() {
			switch {
			case err != nil:
				x.fail(err)
			case x.over:
				_ = body.Close()
			default:
				x.body = newOutgoing(x, body)
				x.pool.add(x, true)
			}
		})
	})
}
