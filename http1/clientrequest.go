package http1

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

const userAgent = "rondo-http1/1"

// send writes the request: its head, and what there is of its body. (A method that usually has no body waits for the first piece: see outgoing.)
func (x *call) send(c *rondo.Conn) {
	if x.over { // ended by a callback, while it was on its way here
		h := x.conn
		x.conn, h.x = nil, nil
		h.pool.putIdle(h)
		return
	}
	if x.body != nil && x.body.probes() {
		x.body.begin(c)
		return
	}
	x.sendHead(c)
	switch {
	case x.body != nil:
		x.body.begin(c)
	default:
		x.expectAnswer()
	}
}

func (x *call) sendHead(c *rondo.Conn) {
	p := x.appendHead(x.pool.buffer())
	_, _ = c.Write(p) // what fails ends the connection
	x.pool.keepBuffer(p)
}

// expectAnswer is when all of the request was written.
func (x *call) expectAnswer() {
	if d := x.transport.ResponseHeaderTimeout; d > 0 && !x.over {
		x.timer.Stop()
		x.timer = x.pool.loop.After(d, func() { x.cancel(timedOut("the answer's head")) })
	}
}

// appendHead is the request's head, in the order and by the rules of net/http: what Request says in its members does not come from Header.
func (x *call) appendHead(p []byte) []byte {
	req, u := x.req, x.req.URL
	p = append(p, x.method...)
	p = append(p, ' ')
	switch {
	case x.method == http.MethodConnect && u.Path == "":
		p = append(p, cmp.Or(u.Opaque, hostOf(req))...)
	case x.proxy != nil && x.key.address == "":
		p = appendTarget(p, u.Scheme+"://"+hostOf(req)+u.RequestURI())
	case u.Opaque == "" && u.RawQuery == "" && !u.ForceQuery && u.RawPath == "" && isPlainPath(u.Path):
		p = append(p, u.Path...)
	default:
		p = appendTarget(p, u.RequestURI())
	}
	p = append(p, " HTTP/1.1\r\n"...)
	p = wire.AppendField(p, "Host", hostOf(req))
	if agents, ok := req.Header["User-Agent"]; !ok {
		p = append(p, "User-Agent: "+userAgent+"\r\n"...)
	} else if len(agents) > 0 && agents[0] != "" {
		p = wire.AppendField(p, "User-Agent", agents[0])
	}
	if x.closes() && !saysClose(req.Header["Connection"]) {
		p = append(p, "Connection: close\r\n"...)
	}
	p = x.appendFraming(p)
	p = appendHeader(p, req.Header)
	if x.unzips {
		p = append(p, "Accept-Encoding: gzip\r\n"...)
	}
	if x.proxy != nil && x.key.address == "" && req.Header["Proxy-Authorization"] == nil {
		if auth := proxyAuth(x.proxy); auth != "" {
			p = wire.AppendField(p, "Proxy-Authorization", auth)
		}
	}
	return append(p, "\r\n"...)
}

func (x *call) closes() bool { return x.req.Close || x.transport.DisableKeepAlives }

// appendFraming says how the body is sent (RFC 9112, section 6).
func (x *call) appendFraming(p []byte) []byte {
	switch b := x.body; {
	case b == nil || b.length == 0:
		if x.method == http.MethodPost || x.method == http.MethodPut || x.method == http.MethodPatch { // servers want to know
			p = append(p, "Content-Length: 0\r\n"...)
		}
	case b.length > 0:
		p = append(p, "Content-Length: "...)
		p = strconv.AppendInt(p, b.length, 10)
		p = append(p, "\r\n"...)
	default:
		p = append(p, "Transfer-Encoding: chunked\r\n"...)
		if len(x.req.Trailer) > 0 {
			names := make([]string, 0, len(x.req.Trailer))
			for name := range x.req.Trailer {
				names = append(names, http.CanonicalHeaderKey(name))
			}
			slices.Sort(names)
			p = append(p, "Trailer: "...)
			for i, name := range names {
				if i > 0 {
					p = append(p, ',', ' ')
				}
				p = append(p, name...)
			}
			p = append(p, "\r\n"...)
		}
	}
	return p
}

// appendHeader adds the fields in the order of their names, as net/http does: a map has none, and a request should look the same each time.
func appendHeader(p []byte, h http.Header) []byte {
	if len(h) == 0 {
		return p
	}
	var some [16]string
	names := some[:0]
	for name := range h {
		switch name {
		case "Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer":
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range h[name] {
			p = wire.AppendField(p, name, v)
		}
	}
	return p
}

// appendTarget adds a target, in which what cannot be there is escaped, lest there be a second line.
func appendTarget(p []byte, target string) []byte {
	if wire.ValidTarget(target) {
		return append(p, target...)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(target) {
		if c := target[i]; c > ' ' && c < 0x7f && c != '#' {
			p = append(p, c)
		} else {
			p = append(p, '%', hex[c>>4], hex[c&15])
		}
	}
	return p
}

// isPlainPath reports whether a path is its own escaped form.
func isPlainPath(path string) bool {
	if path == "" || path[0] != '/' || len(path) > 1 && path[1] == '/' {
		return false
	}
	for i := range len(path) {
		if !isPlain[path[i]] {
			return false
		}
	}
	return true
}
