package wire

import "bytes"

// Field is a field line. Both are parts of what was parsed: copy what must be kept.
type Field struct {
	Name  []byte // as it was sent: compare with EqualFold, or see CanonicalName
	Value []byte // without the whitespace around it
}

// Framing is how the body is sent that follows a head (RFC 9112, section 6). The zero value: there is none.
type Framing struct {
	// Length is the body's, in bytes; -1 of a response whose body ends with the connection. It means nothing if Chunked is set.
	Length int64

	// Chunked is a body in the chunked coding: see [Chunks].
	Chunked bool
}

// What the fields of a head have said.
const (
	hasHost = 1 << iota
	hasLength
	hasCoding // Transfer-Encoding
	hasUpgrade
	saysClose
	saysKeepAlive
	saysUpgrade
	expectsContinue
	expectsOther
)

// What is expected next.
const (
	inStart = iota
	inFields
	parsed // the end, or an error
)

// head is what the heads of requests and responses have in common: lines, their fields, and how far all that has been parsed.
type head struct {
	line     int // where the line that comes next begins
	seen     int // up to where there is no LF in it
	phase    uint8
	empty    uint8 // lines before the first
	minor    uint8
	response bool // and Host is a field like any other
	flags    uint16
	length   int64 // of Content-Length
	host     []byte
	fields   []Field
}

// maxRoom is for how many fields room is kept: 6 KiB.
const maxRoom = 128

// room is fields' room, for those of another head.
func room(fields []Field) []Field {
	if cap(fields) > maxRoom {
		return nil
	}
	clear(fields)
	return fields[:0]
}

func (h *head) reset() { *h = head{fields: h.fields[:0]} }

// next returns the next line of p, without its end. An LF alone ends a line too (section 2.2). A CR that is anything but the first half of a line's end stays in the line, where no byte of it may be one.
func (h *head) next(p []byte) (line []byte, ok bool) {
	i := bytes.IndexByte(p[h.seen:], '\n')
	if i < 0 {
		h.seen = len(p)
		return nil, false
	}
	end := h.seen + i
	line = p[h.line:end]
	h.line, h.seen = end+1, end+1
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, true
}

// parseFields parses field lines up to the empty line. done is false if that has not come yet.
func (h *head) parseFields(p []byte, most int) (done bool, err *Error) {
	for {
		line, ok := h.next(p)
		if !ok {
			return false, nil
		}
		if len(line) == 0 {
			return true, nil
		}
		if len(h.fields) >= most {
			return false, &Error{431, sprint("the head has more than ", most, " fields")}
		}
		f, err := parseField(line)
		if err != nil {
			return false, err
		}
		h.fields = append(h.fields, f)
		if err := h.heed(f); err != nil {
			return false, err
		}
	}
}

// parseField splits a field line (section 5).
func parseField(line []byte) (f Field, err *Error) {
	i := 0
	for i < len(line) && class[line[i]]&isToken != 0 {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		return f, badField(line, i)
	}
	f.Name, f.Value = line[:i], trim(line[i+1:])
	if !ValidValue(f.Value) {
		return f, badf("the value of field %s has a control character: %s", quote(f.Name), quote(f.Value))
	}
	return f, nil
}

// badField says why line, of which the first i bytes are a token, is none.
func badField(line []byte, i int) *Error {
	switch {
	case i == len(line):
		return badf("the field line %s has no colon", quote(line))
	case line[i] == ':':
		return badf("the field line %s has no name", quote(line))
	case line[i] != ' ' && line[i] != '\t':
		return badf("the field line %s has the byte %q in its name", quote(line), line[i])
	case i == 0:
		return badf("the line %s begins with whitespace: fields cannot be folded (section 5.2)", quote(line))
	}
	return badf("the field line %s has whitespace before its colon (section 5.1)", quote(line))
}

// heed has a field that the protocol itself knows say what it says. Such names are told apart by their length, mostly.
func (h *head) heed(f Field) *Error {
	switch len(f.Name) {
	case len("host"):
		if fold(f.Name, "host") && !h.response {
			return h.heedHost(f.Value)
		}
	case len("expect"):
		if fold(f.Name, "expect") {
			if fold(f.Value, "100-continue") {
				h.flags |= expectsContinue
			} else {
				h.flags |= expectsOther
			}
		}
	case len("upgrade"):
		if fold(f.Name, "upgrade") && len(f.Value) > 0 {
			h.flags |= hasUpgrade
		}
	case len("connection"):
		if fold(f.Name, "connection") {
			h.heedConnection(f.Value)
		}
	case len("content-length"):
		if fold(f.Name, "content-length") {
			return h.heedLength(f.Value)
		}
	case len("transfer-encoding"):
		if fold(f.Name, "transfer-encoding") {
			return h.heedCoding(f.Value)
		}
	}
	return nil
}

func (h *head) heedHost(v []byte) *Error {
	if h.flags&hasHost != 0 {
		return badf("there is a second Host field, %s (section 3.2)", quote(v))
	}
	h.flags |= hasHost
	h.host = v
	if len(v) > 0 && !ValidHost(v) {
		return badf("the Host field %s is no host, or host and port", quote(v))
	}
	return nil
}

// heedConnection takes a list of tokens, of which there may be several (RFC 9110, section 7.6.1). What is no token says nothing.
func (h *head) heedConnection(v []byte) {
	for len(v) > 0 {
		var token []byte
		token, v, _ = bytes.Cut(v, comma)
		switch token = trim(token); {
		case fold(token, "close"):
			h.flags |= saysClose
		case fold(token, "keep-alive"):
			h.flags |= saysKeepAlive
		case fold(token, "upgrade"):
			h.flags |= saysUpgrade
		}
	}
}

var comma = []byte(",")

// heedLength takes one number in digits, and once: section 6.3 would have a list of equal ones mean one, but whoever reads it otherwise sees another message.
func (h *head) heedLength(v []byte) *Error {
	if h.flags&hasLength != 0 {
		return badf("there is a second Content-Length field, %s (section 6.3)", quote(v))
	}
	if h.flags&hasCoding != 0 {
		return errBoth
	}
	h.flags |= hasLength
	if len(v) == 0 {
		return badf("the Content-Length field is empty")
	}
	var n int64
	for _, c := range v {
		if class[c]&isDigit == 0 {
			return badf("the Content-Length %s is no number in digits", quote(v))
		}
		if n > (1<<63-1-int64(c-'0'))/10 {
			return badf("the Content-Length %s is larger than any body: 2⁶³-1 is the most", quote(v))
		}
		n = n*10 + int64(c-'0')
	}
	h.length = n
	return nil
}

// heedCoding takes "chunked", once and alone (sections 6.1 and 7): no other coding is known, and whoever overlooks one reads another body.
func (h *head) heedCoding(v []byte) *Error {
	switch {
	case h.flags&hasCoding != 0:
		return badf("there is a second Transfer-Encoding field, %s", quote(v))
	case h.flags&hasLength != 0:
		return errBoth
	case h.minor == 0:
		return badf("HTTP/1.0 has no Transfer-Encoding, and there is one: %s (section 6.1)", quote(v))
	}
	h.flags |= hasCoding
	if fold(v, "chunked") {
		return nil
	}
	return badCoding(v)
}

// badCoding says what is wrong with codings that are not chunked alone: they break the grammar, or one of them is not known.
func badCoding(v []byte) *Error {
	chunked := false
	for element := range bytes.SplitSeq(v, comma) {
		name, parameters, has := bytes.Cut(trim(element), []byte(";"))
		name = trim(name)
		switch {
		case !ValidToken(name):
			return badf("the Transfer-Encoding %s is no list of codings", quote(v))
		case chunked:
			return badf("the Transfer-Encoding %s has chunked where it is not last (section 6.1)", quote(v))
		case !fold(name, "chunked"):
			// not known; what follows may still be wrong
		case has:
			return badf("the Transfer-Encoding %s has a parameter of chunked, %s (section 7.1)", quote(v), quote(parameters))
		default:
			chunked = true
		}
	}
	return &Error{501, "the Transfer-Encoding " + quote(v) + " has a coding that is not known: chunked is the only one"}
}
