package wire

import "bytes"

// maxEmptyLines is how many empty lines before a request line are skipped. Section 2.2 asks for one, which old clients send after a body; more are noise.
const maxEmptyLines = 4

// Form is the form of a request's target (RFC 9112, section 3.2).
type Form uint8

const (
	Origin    Form = iota // a path and a query: begins with "/"
	Absolute              // a whole URI, as proxies are asked for one
	Authority             // a host and a port: of CONNECT, and of nothing else
	Asterisk              // "*": of OPTIONS, and of nothing else
)

// Request is the head of a request (RFC 9112, section 3). Its zero value is ready; [Request.Parse] fills it in. Its slices point into what was parsed, and hold until the next Parse or until
// the caller changes those bytes. It can be used again and again, for one connection's requests or for those of many, and then costs no allocation.
type Request struct {
	Method []byte // a token: methods are told apart by case
	Target []byte // as it was sent: not empty, and of a form that the method may have. Whether what is escaped in it is escaped well is for a parser of URIs
	Form   Form
	Minor  int // of the version HTTP/1.Minor, a digit. What is above 1 is understood as 1 (RFC 9110, section 2.5)

	// Fields are all field lines in the order in which they came, those that the members below have been taken from too.
	Fields []Field

	// Host is whom the request is for: the authority of an Absolute or Authority target, whatever the Host field says (section 3.2.2), else the Host field, without the whitespace around it. It is a
	// valid host, or host and port, or empty: that is one that HTTP/1.0 has not named, or a Host field without a value.
	Host []byte

	Body        Framing // what follows: of a request never Length -1
	Close       bool    // the client wants no other request to follow on this connection: its version and its Connection fields taken together (section 9.3)
	Expect      bool    // Expect: 100-continue, the client waits for 100 (Continue) before it sends the body (RFC 9110, section 10.1.1). Not of HTTP/1.0, which does not know it
	ExpectOther bool    // Expect names something else, which may be answered with 417 (Expectation Failed)
	Upgrade     bool    // Connection names upgrade, and there is an Upgrade field (RFC 9110, section 7.8). Not of HTTP/1.0, where it must be ignored

	head head
}

// Parse parses the head at the beginning of p, which are all bytes of the connection that nobody has used up yet. It returns the head's length n, with the empty line that ends it: the body begins at p[n].
// If n is 0 and the error nil, more bytes are needed: Parse is to be called again with the same limits, and the same bytes and more behind them, wherever they have moved; it goes on where it has stopped, so that a byte at a time
// costs no more than all at once. Whatever the pieces, the result is the same. Until n is more than 0 the members of r mean nothing.
//
// The error is an [*Error], with the status to answer with, and comes with the line that is wrong; nothing can follow it on the connection. [ErrHTTP2] is the one that a caller may want to know.
func (r *Request) Parse(p []byte, lim *Limits) (n int, err error) {
	h := &r.head
	if h.phase == parsed {
		h.reset()
	}
	resumed := h.line > 0
	n, bad := r.parse(p, lim)
	if n > 0 && resumed {
		// What earlier calls have found is where p was then. All of the head is there now, so that this is the second time, and the last.
		h.reset()
		n, bad = r.parse(p, lim)
	}
	if bad != nil {
		h.phase = parsed
		return 0, bad
	}
	return n, nil
}

// Reset forgets what was parsed, and what Parse has begun with, for the bytes of another connection. Room for more than 128 fields is let go.
func (r *Request) Reset() { *r = Request{head: head{fields: room(r.head.fields)}} }

// Get returns the value of the first field of that name, whatever the case of its letters.
func (r *Request) Get(name string) (value []byte, ok bool) { return find(r.Fields, name) }

func find(fields []Field, name string) (value []byte, ok bool) {
	for i := range fields {
		if EqualFold(fields[i].Name, name) {
			return fields[i].Value, true
		}
	}
	return nil, false
}

func (r *Request) parse(p []byte, lim *Limits) (n int, err *Error) {
	h := &r.head
	most := lim.head()
	within := p[:min(len(p), most)]
	for h.phase == inStart {
		line, ok := h.next(within)
		switch {
		case !ok && unlike(within[h.line:]):
			return 0, badFirst(within[h.line])
		case !ok && len(p) >= most:
			return 0, &Error{414, sprint("the request line has no end within the limit of ", most, " bytes")}
		case !ok:
			return 0, nil
		case len(line) > 0:
			if err := r.parseLine(line); err != nil {
				return 0, err
			}
			h.phase = inFields
		default:
			if h.empty++; h.empty > maxEmptyLines {
				return 0, badf("there are more than %d empty lines before the request line", maxEmptyLines)
			}
		}
	}
	done, err := h.parseFields(within, lim.fields())
	switch {
	case err != nil:
		return 0, err
	case !done && len(p) >= most:
		return 0, &Error{431, sprint("the head has no end within the limit of ", most, " bytes")}
	case !done:
		return 0, nil
	}
	return h.line, r.finish()
}

// unlike reports whether the beginning of a line will never be a request line, so that nobody waits for the rest.
func unlike(p []byte) bool {
	return len(p) > 0 && class[p[0]]&isToken == 0 && (p[0] != '\r' || len(p) > 1)
}

func badFirst(c byte) *Error {
	if c == 0x16 {
		return badf("the first byte is 0x16, as TLS begins with: this is not HTTP, or not decrypted")
	}
	return badf("the request begins with %q, and no method does", c)
}

// parseLine takes a request line apart (section 3): exactly one space between its parts, and none elsewhere.
func (r *Request) parseLine(line []byte) *Error {
	i := 0
	for i < len(line) && class[line[i]]&isToken != 0 {
		i++
	}
	const version = " HTTP/1.1"
	v := len(line) - len(version)
	if i == 0 || v <= i+1 || line[i] != ' ' || string(line[v:len(line)-1]) != " HTTP/1." || class[line[len(line)-1]]&isDigit == 0 {
		return badLine(line)
	}
	r.Method, r.Target = line[:i], line[i+1:v]
	r.head.minor = line[len(line)-1] - '0'
	if !all(r.Target, isTarget) {
		return badTarget(r.Target)
	}
	return r.parseTarget()
}

// badLine says why line is no request line.
func badLine(line []byte) *Error {
	if string(line) == "PRI * HTTP/2.0" {
		return ErrHTTP2
	}
	i := 0
	for i < len(line) && class[line[i]]&isToken != 0 {
		i++
	}
	switch {
	case i == 0:
		return badFirst(line[0])
	case i < len(line) && line[i] != ' ':
		return badf("the request line %s has the byte %q in its method", quote(line), line[i])
	}
	space := bytes.LastIndexByte(line, ' ')
	switch version := line[space+1:]; {
	case space <= i:
		return badf("the request line %s has not three parts: a method, a target and a version", quote(line))
	case space == i+1:
		return badf("the request line %s has no target", quote(line))
	case !isVersion(version):
		return badf("the request line %s ends with %s, and no version looks like that: HTTP/1.1 would", quote(line), quote(version))
	default:
		return &Error{505, "the request is of the version " + quote(version) + ", and HTTP/1 alone is spoken here"}
	}
}

// isVersion reports whether v is HTTP/ and two digits with a point between them (section 2.3).
func isVersion(v []byte) bool {
	return len(v) == 8 && string(v[:5]) == "HTTP/" && class[v[5]]&isDigit != 0 && v[6] == '.' && class[v[7]]&isDigit != 0
}

// finish takes all of the head together.
func (r *Request) finish() *Error {
	h := &r.head
	if err := r.finishHost(); err != nil {
		return err
	}
	r.Minor = int(h.minor)
	r.Fields = h.fields
	r.Body = Framing{Length: h.length, Chunked: h.flags&hasCoding != 0}
	r.Close = h.close()
	newer := h.minor > 0
	r.Expect = newer && h.flags&expectsContinue != 0
	r.ExpectOther = newer && h.flags&expectsOther != 0
	r.Upgrade = newer && h.flags&(saysUpgrade|hasUpgrade) == saysUpgrade|hasUpgrade
	h.phase = parsed
	return nil
}

// close reports whether the sender wants no other message to follow (section 9.3).
func (h *head) close() bool {
	if h.flags&saysClose != 0 {
		return true
	}
	return h.minor == 0 && h.flags&saysKeepAlive == 0
}
