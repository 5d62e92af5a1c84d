package wire

import (
	"bytes"
	"math"
)

// Request is the head of a request (RFC 9112, section 3), as Parse has found it. Its slices are of what was parsed. It can be used again, and then Parse allocates nothing.
type Request struct {
	Method, Target []byte
	Minor          int     // 0 of HTTP/1.0, 1 of all others: later versions of HTTP/1 are read as 1.1 (RFC 9110, section 2.5)
	Fields         []Field // all, in the order in which they came
	Host           []byte  // the value of the Host field
	Body           Framing // what follows; its Length is never -1
	Close          bool    // the client wants no further request on this connection
	Expect         bool    // and waits for 100 Continue before it sends the body
	Upgrade        bool    // and offers another protocol (RFC 9110, section 7.8)

	scanned int // bytes that were looked at, in which the head does not end
}

// Parse reads the head of a request at the beginning of p and returns how long it is: 0 if there is more to come. After that it is to be called with the same
// bytes and those that followed. The error is an *Error.
func (r *Request) Parse(p []byte, lim *Limits) (n int, err error) {
	if r.scanned > 0 && !hasEnd(p, r.scanned) {
		return 0, r.more(p, lim)
	}
	*r = Request{Fields: r.Fields[:0]}
	n, e := r.parse(p, lim)
	switch {
	case e != nil:
		return 0, e
	case n == 0:
		return 0, r.more(p, lim)
	case n > lim.head():
		return 0, r.tooLong(p, lim)
	}
	return n, nil
}

// hasEnd reports whether there is an empty line in p, which has none that ends within the first scanned bytes.
func hasEnd(p []byte, scanned int) bool {
	for at := max(0, scanned-2); ; {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			return false
		}
		at += i + 1
		rest := p[at:]
		if len(rest) > 0 && rest[0] == '\n' || len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n' {
			return true
		}
	}
}

// more notes that the head is not whole. What can be no head, however it goes on, is refused at once.
func (r *Request) more(p []byte, lim *Limits) error {
	if r.scanned == 0 {
		rest := p[emptyLines(p):]
		for i, c := range rest {
			if c == ' ' && i > 0 || c == '\r' && i == 0 {
				break
			}
			if !isToken[c] {
				return bad("the request does not begin with a method", rest)
			}
		}
	}
	if len(p) >= lim.head() {
		return r.tooLong(p, lim)
	}
	r.scanned = len(p)
	return nil
}

func (r *Request) tooLong(p []byte, lim *Limits) error {
	r.scanned = 0
	if i := bytes.IndexByte(p[emptyLines(p):], '\n'); i < 0 || i > lim.head() {
		return refused(414, "the request's first line is too long", nil)
	}
	return refused(431, "the request's head is too long", nil)
}

// maxEmpty is how many bytes of empty lines may come before a request: some clients send one behind a body (RFC 9112, section 2.2).
const maxEmpty = 8

func emptyLines(p []byte) int {
	i := 0
	for i < len(p) && i < maxEmpty {
		switch {
		case p[i] == '\n':
			i++
		case p[i] == '\r' && i+1 < len(p) && p[i+1] == '\n':
			i += 2
		default:
			return i
		}
	}
	return i
}

func (r *Request) parse(p []byte, lim *Limits) (int, *Error) {
	at := emptyLines(p)
	line, next := cutLine(p, at)
	if next == 0 {
		return 0, nil
	}
	if err := r.parseLine(line); err != nil {
		return 0, err
	}
	s := section{most: lim.fields()}
	fields, end, err := s.parse(r.Fields, p, next)
	r.Fields = fields
	if err != nil || end == 0 {
		return 0, err
	}
	return end, r.decide(&s)
}

// cutLine is the line that begins at p[at], without its end, and where the next begins: 0 if it has no end yet.
func cutLine(p []byte, at int) (line []byte, next int) {
	i := bytes.IndexByte(p[at:], '\n')
	if i < 0 {
		return nil, 0
	}
	next = at + i + 1
	if i > 0 && p[at+i-1] == '\r' {
		i--
	}
	return p[at : at+i], next
}

// parseLine is the request line: method, target and version, each behind one space (RFC 9112, section 3).
func (r *Request) parseLine(line []byte) *Error {
	i := 0
	for i < len(line) && isToken[line[i]] {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ' ' {
		return bad("the request line does not begin with a method and a space", line)
	}
	r.Method = line[:i]
	rest := line[i+1:]
	i = bytes.IndexByte(rest, ' ')
	if i <= 0 {
		return bad("the request line is not a method, a target and a version, each behind one space", line)
	}
	target, version := rest[:i], rest[i+1:]
	for _, c := range target {
		if c <= ' ' || c == 0x7f || c == '#' {
			return bad("the request's target has a character that must be escaped", target)
		}
	}
	r.Target = target
	if err := r.parseVersion(version); err != nil {
		return err
	}
	return r.checkTarget()
}

func (r *Request) parseVersion(v []byte) *Error {
	const form = "HTTP/1.1"
	if len(v) != len(form) || string(v[:5]) != "HTTP/" || v[6] != '.' || !isDigit(v[5]) || !isDigit(v[7]) {
		return bad("the request line does not end with a version of HTTP", v)
	}
	if v[5] != '1' {
		return refused(505, "only HTTP/1.1 and HTTP/1.0 are spoken here", v)
	}
	r.Minor = 1
	if v[7] == '0' {
		r.Minor = 0
	}
	return nil
}

// checkTarget says whether the target has a form that goes with the method (RFC 9112, section 3.2).
func (r *Request) checkTarget() *Error {
	switch t := r.Target; {
	case t[0] == '/':
		return nil
	case string(r.Method) == "CONNECT":
		if bytes.IndexByte(t, '/') >= 0 || bytes.LastIndexByte(t, ':') <= 0 {
			return bad("the target of CONNECT must be host:port", t)
		}
		return nil
	case len(t) == 1 && t[0] == '*':
		if string(r.Method) != "OPTIONS" {
			return bad("the target * is for OPTIONS only, not for this method", r.Method)
		}
		return nil
	default:
		i := bytes.Index(t, []byte("://"))
		if i <= 0 {
			return bad("the request's target is neither a path nor a URL", t)
		}
		for j, c := range t[:i] { // RFC 3986, section 3.1
			if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && (j == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
				return bad("the request's target is neither a path nor a URL", t)
			}
		}
		return nil
	}
}

// decide is what the fields come to.
func (r *Request) decide(s *section) *Error {
	switch {
	case s.hosts > 1:
		return bad("the request has several Host fields", nil)
	case s.hosts == 0 && r.Minor > 0:
		return bad("the request has no Host field", nil)
	}
	for _, c := range s.host {
		if !isHost[c] {
			return bad("the Host field has a character that no host has", s.host)
		}
	}
	r.Host = s.host
	r.Close = s.close || r.Minor == 0 && !s.keepAlive
	r.Upgrade = s.upgrades && s.upgrade && r.Minor > 0
	switch {
	case s.expect == nil || r.Minor == 0:
	case equalFold(s.expect, "100-continue"):
		r.Expect = true
	default:
		return refused(417, "the request expects what is not known here", s.expect)
	}
	var err *Error
	if r.Body, err = s.framing(r.Minor); err != nil {
		return err
	}
	r.Expect = r.Expect && r.Body != Framing{}
	return nil
}

// framing says how the body ends, which is where smuggling begins: whatever another could read in another way is refused.
func (s *section) framing(minor int) (f Framing, err *Error) {
	switch {
	case s.codings > 0 && minor == 0:
		return f, bad("Transfer-Encoding is not of HTTP/1.0", nil)
	case s.codings > 0 && s.lengths > 0:
		return f, bad("there are both Transfer-Encoding and Content-Length", nil)
	case s.codings > 1:
		return f, bad("there are several Transfer-Encoding fields", nil)
	case s.lengths > 1:
		return f, bad("there are several Content-Length fields", nil)
	case s.codings == 1 && equalFold(s.coding, "chunked"):
		f.Chunked = true
	case s.codings == 1:
		return f, refused(501, "the only transfer coding that is known here is chunked", s.coding)
	case s.lengths == 1:
		n, ok := parseLength(s.length)
		if !ok {
			return f, bad("Content-Length is not a number of bytes", s.length)
		}
		f.Length = n
	}
	return f, nil
}

// parseLength is a number of at most 63 bits, of digits and nothing else.
func parseLength(p []byte) (n int64, ok bool) {
	for _, c := range p {
		if !isDigit(c) || n > (math.MaxInt64-int64(c-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(p) > 0
}
