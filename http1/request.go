package http1

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strconv"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// parts are what a request is made of. Those of a NonBlocking handler are used again.
type parts struct {
	url     url.URL
	header  http.Header
	values  []string    // of header, one after the other
	trailer http.Header // that came behind the body, and the request has not been given
}

// fill makes req of a head, which is the first n bytes of p.
func (q *parts) fill(req *http.Request, h *conn, c *rondo.Conn, r *wire.Request, p []byte) error {
	s := h.shard
	req.Method = method(r.Method)
	req.RequestURI = string(r.Target)
	req.URL = &q.url
	if err := parseTarget(&q.url, req.Method, req.RequestURI); err != nil {
		return &wire.Error{Status: http.StatusBadRequest, Reason: err.Error()}
	}
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, min(r.Minor, 1)
	if r.Minor == 0 {
		req.Proto = "HTTP/1.0"
	}
	if string(r.Host) != s.host {
		s.host = string(r.Host)
	}
	req.Host = s.host
	q.fields(r, p)
	req.Header = q.header
	req.Close = r.Close
	req.ContentLength = r.Body.Length
	req.TransferEncoding = nil
	if r.Body.Chunked {
		req.ContentLength = -1
		req.TransferEncoding = chunkedCoding
	}
	if h.remote == "" {
		h.remote = c.RemoteAddr().String()
	}
	req.RemoteAddr = h.remote
	req.TLS = secured(c)
	return nil
}

var chunkedCoding = []string{"chunked"}

// secured is what a layer of TLS says of itself.
func secured(c *rondo.Conn) *tls.ConnectionState {
	if s, ok := c.Layer().(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := s.ConnectionState()
		return &state
	}
	return nil
}

// fields makes a header of r's, all of whose values are parts of one string. As in net/http, Host and Transfer-Encoding are not among them.
func (q *parts) fields(r *wire.Request, p []byte) {
	if q.header == nil {
		q.header = make(http.Header, len(r.Fields))
	} else {
		clear(q.header)
	}
	if len(r.Fields) == 1 && isHost(r.Fields[0].Name) {
		return
	}
	all := ""
	if cap(q.values) < len(r.Fields) {
		q.values = make([]string, 0, len(r.Fields))
	}
	q.values = q.values[:0]
	for _, f := range r.Fields {
		if isHost(f.Name) || r.Body.Chunked && isTransferEncoding(f.Name) {
			continue
		}
		value := ""
		if len(f.Value) > 0 {
			if all == "" {
				all = string(p)
			}
			at := cap(p) - cap(f.Value) // both begin in one array and end where it does
			value = all[at : at+len(f.Value)]
		}
		name := wire.CanonicalName(f.Name)
		if before := q.header[name]; before != nil {
			q.header[name] = append(before, value)
			continue
		}
		n := len(q.values)
		q.values = append(q.values, value)
		q.header[name] = q.values[n : n+1 : n+1]
	}
}

func isHost(name []byte) bool { return len(name) == len("host") && wire.EqualFold(name, "host") }

func isTransferEncoding(name []byte) bool {
	return len(name) == len("transfer-encoding") && wire.EqualFold(name, "transfer-encoding")
}

// method is the string, without an allocation for those that are common.
func method(p []byte) string {
	switch string(p) {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodPost:
		return http.MethodPost
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodOptions:
		return http.MethodOptions
	case http.MethodPatch:
		return http.MethodPatch
	}
	return string(p)
}

// parseTarget is url.ParseRequestURI, and for plain paths nothing but a look at each byte.
func parseTarget(u *url.URL, method, target string) error {
	if path, query, ok := plain(target); ok {
		*u = url.URL{Path: path, RawQuery: query}
		return nil
	}
	if method == http.MethodConnect && target[0] != '/' { // the authority form (RFC 9112, section 3.2.3)
		parsed, err := url.ParseRequestURI("http://" + target)
		if err != nil {
			return err
		}
		parsed.Scheme = ""
		*u = *parsed
		return nil
	}
	parsed, err := url.ParseRequestURI(target)
	if err != nil {
		return err
	}
	*u = *parsed
	return nil
}

// plain takes a target apart that needs no decoding: a path of letters, digits and what else never is escaped, and perhaps a query, which no one decodes here.
func plain(target string) (path, query string, ok bool) {
	if len(target) == 0 || target[0] != '/' || len(target) > 1 && target[1] == '/' {
		return "", "", false
	}
	for i := range len(target) {
		if c := target[i]; !isPlain[c] {
			if c != '?' || i+1 == len(target) { // "/?" is told from "/": ForceQuery
				return "", "", false
			}
			return target[:i], target[i+1:], true
		}
	}
	return target, "", true
}

var isPlain = func() (table [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/" {
		table[c] = true
	}
	return table
}()

func itoa(n int) string { return strconv.Itoa(n) }
