package http1

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/rondo-go/rondo/http1/wire"
)

// response makes the answer of its head, which is p. Its body is what the receiver makes it, if there is one.
func (x *call) response(r *wire.Response, p []byte) *http.Response {
	res := &http.Response{
		StatusCode: r.Status, Status: statusLine(r), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: min(r.Minor, 1),
		Request: x.req, Close: r.Close, Body: http.NoBody, Header: headerOf(r.Fields, p, r.Body.Chunked),
	}
	if r.Minor == 0 {
		res.Proto = "HTTP/1.0"
	}
	if r.Minor > 0 && r.Close && saysClose(res.Header["Connection"]) {
		delete(res.Header, "Connection") // Close says it, as in net/http
	}
	switch {
	case r.Body.Chunked:
		res.ContentLength, res.TransferEncoding = -1, chunkedCoding
		res.Trailer = announced(res.Header)
	case x.method == http.MethodHead:
		res.ContentLength = r.Length
	default:
		res.ContentLength = r.Body.Length
	}
	if x.unzips && r.Body != (wire.Framing{}) && isGzip(res.Header) {
		delete(res.Header, "Content-Encoding")
		delete(res.Header, "Content-Length")
		res.ContentLength, res.Uncompressed = -1, true
	}
	return res
}

func saysClose(values []string) bool {
	for _, v := range values {
		for token := range strings.SplitSeq(v, ",") {
			if wire.EqualFold(strings.TrimSpace(token), "close") {
				return true
			}
		}
	}
	return false
}

func isGzip(h http.Header) bool {
	v := h["Content-Encoding"]
	return len(v) == 1 && wire.EqualFold(v[0], "gzip")
}

// statusLine is the status as net/http has it, "200 OK".
func statusLine(r *wire.Response) string {
	if r.Status == http.StatusOK && string(r.Reason) == "OK" {
		return "200 OK"
	}
	return strconv.Itoa(r.Status) + " " + string(r.Reason)
}

// headerOf makes a header, all of whose values are parts of one string.
func headerOf(fields []wire.Field, p []byte, chunked bool) http.Header {
	h := make(http.Header, len(fields))
	if len(fields) == 0 {
		return h
	}
	all := string(p)
	values := make([]string, 0, len(fields))
	for _, f := range fields {
		if chunked && isTransferEncoding(f.Name) {
			continue
		}
		value := ""
		if len(f.Value) > 0 {
			at := cap(p) - cap(f.Value) // both begin in one array and end where it does
			value = all[at : at+len(f.Value)]
		}
		name := wire.CanonicalName(f.Name)
		if before := h[name]; before != nil {
			h[name] = append(before, value)
			continue
		}
		n := len(values)
		values = append(values, value)
		h[name] = values[n : n+1 : n+1]
	}
	return h
}

// inform is a response 1xx: the server wants the body, or says something in passing, which is for who traces the request (package httptrace).
func (x *call) inform(r *wire.Response, p []byte) {
	if r.Status == http.StatusContinue && x.body != nil {
		x.body.wanted()
	}
	trace := httptrace.ContextClientTrace(x.req.Context())
	if trace == nil {
		return
	}
	if r.Status == http.StatusContinue && trace.Got100Continue != nil {
		trace.Got100Continue()
	}
	if trace.Got1xxResponse != nil {
		if err := trace.Got1xxResponse(r.Status, textproto.MIMEHeader(headerOf(r.Fields, p, false))); err != nil {
			x.cancel(err)
		}
	}
}
