package wire

// Response is the head of a response (RFC 9112, section 4). Its zero value is ready; [Response.Parse] fills it in. What is said of a [Request]'s slices and of using it again holds here too.
type Response struct {
	Minor  int    // of the version HTTP/1.Minor, a digit. What is above 1 is understood as 1
	Status int    // 100 to 999
	Reason []byte // may be empty

	// Fields are all field lines in the order in which they came.
	Fields []Field

	// Length is what Content-Length says, and -1 if there is none. It is not always the body's: the answer to HEAD has none, and says how long it would be.
	Length int64

	Body    Framing // what follows, to a request of the method that Parse was told
	Close   bool    // the connection is closed after this response: the version and its Connection fields taken together (section 9.3), and a body that ends with the connection
	Upgrade bool    // Connection names upgrade, and there is an Upgrade field (RFC 9110, section 7.8): with the status 101 the connection is the other protocol's from here on

	head head
}

// Parse parses the head at the beginning of p, as [Request.Parse] does. method is the request's: it decides whether a body follows (section 6.3). None does to HEAD, to CONNECT with a status 2xx, after which the
// connection is a tunnel, nor with 1xx, 204 and 304. A response 1xx but 101 is followed by another, which is the answer.
//
// The error is an [*Error] with the status 502 (Bad Gateway).
func (r *Response) Parse(p []byte, lim *Limits, method string) (n int, err error) {
	h := &r.head
	if h.phase == parsed {
		h.reset()
	}
	resumed := h.line > 0
	n, bad := r.parse(p, lim, method)
	if n > 0 && resumed {
		h.reset()
		n, bad = r.parse(p, lim, method)
	}
	if bad != nil {
		h.phase = parsed
		return 0, &Error{502, bad.Reason}
	}
	return n, nil
}

// Reset forgets what was parsed, and what Parse has begun with, for the bytes of another connection. Room for more than 128 fields is let go.
func (r *Response) Reset() { *r = Response{head: head{fields: room(r.head.fields)}} }

// Get returns the value of the first field of that name, whatever the case of its letters.
func (r *Response) Get(name string) (value []byte, ok bool) { return find(r.Fields, name) }

func (r *Response) parse(p []byte, lim *Limits, method string) (n int, err *Error) {
	h := &r.head
	h.response = true
	most := lim.head()
	within := p[:min(len(p), most)]
	if h.phase == inStart {
		if err := notHTTP(within); err != nil {
			return 0, err
		}
		line, ok := h.next(within)
		switch {
		case !ok && len(p) >= most:
			return 0, badf("the status line has no end within the limit of %d bytes", most)
		case !ok:
			return 0, nil
		}
		if err := r.parseLine(line); err != nil {
			return 0, err
		}
		h.phase = inFields
	}
	done, err := h.parseFields(within, lim.fields())
	switch {
	case err != nil:
		return 0, err
	case !done && len(p) >= most:
		return 0, badf("the head has no end within the limit of %d bytes", most)
	case !done:
		return 0, nil
	}
	r.finish(method)
	return h.line, nil
}

// notHTTP says of the first bytes of a response that no status line will come of them, so that nobody waits for the rest of what another protocol says.
func notHTTP(p []byte) *Error {
	const begin = "HTTP/"
	for i := range min(len(p), len(begin)) {
		if p[i] != begin[i] {
			return badf("the response begins with %q, and not with %s", p[:i+1], begin)
		}
	}
	return nil
}

// parseLine takes a status line apart (section 4). The space behind the status is missing where many leave out the reason, although the grammar has it.
func (r *Response) parseLine(line []byte) *Error {
	const shortest = len("HTTP/1.1 200")
	switch {
	case len(line) < shortest || !isVersion(line[:8]) || line[8] != ' ' || !all(line[9:12], isDigit) || line[9] == '0' || len(line) > shortest && line[shortest] != ' ':
		return badf("the status line %s is not a version, a status of three digits and a reason", quote(line))
	case line[5] != '1':
		return badf("the response is of the version %s, and HTTP/1 alone is spoken here", quote(line[:8]))
	}
	r.Status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	r.Reason = line[min(len(line), shortest+1):]
	r.head.minor = line[7] - '0'
	if !ValidValue(r.Reason) {
		return badf("the reason %s has a control character", quote(r.Reason))
	}
	return nil
}

// finish takes all of the head together; section 6.3 is the order.
func (r *Response) finish(method string) {
	h := &r.head
	r.Minor = int(h.minor)
	r.Fields = h.fields
	r.Close = h.close()
	r.Upgrade = h.minor > 0 && h.flags&(saysUpgrade|hasUpgrade) == saysUpgrade|hasUpgrade
	r.Length = -1
	if h.flags&hasLength != 0 {
		r.Length = h.length
	}
	switch {
	case method == "HEAD", r.Status < 200, r.Status == 204, r.Status == 304, method == "CONNECT" && r.Status < 300:
		r.Body = Framing{}
	case h.flags&hasCoding != 0:
		r.Body = Framing{Chunked: true}
	default:
		r.Body = Framing{Length: r.Length}
		r.Close = r.Close || r.Length < 0
	}
	h.phase = parsed
}
