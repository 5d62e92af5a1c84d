package wire

import "bytes"

// parseTarget finds the form of the target (section 3.2), and the authority in it.
func (r *Request) parseTarget() *Error {
	t := r.Target
	r.Form, r.Host = Origin, nil
	connect := string(r.Method) == "CONNECT"
	switch {
	case t[0] == '/':
		// CONNECT has no path in any RFC. net/rpc sends one, and net/http takes it.
		return nil
	case connect:
		r.Form, r.Host = Authority, t
		if i := bytes.LastIndexByte(t, ':'); i < 0 || i == len(t)-1 || !all(t[i+1:], isDigit) || !ValidHost(t) {
			return badf("CONNECT's target %s is no host with a port (section 3.2.3)", quote(t))
		}
		return nil
	case len(t) == 1 && t[0] == '*':
		r.Form = Asterisk
		if string(r.Method) != "OPTIONS" {
			return badf("the target is *, which only OPTIONS may have, of the method %s (section 3.2.4)", quote(r.Method))
		}
		return nil
	}
	r.Form = Absolute
	i := 0
	for i < len(t) && (class[t[i]]&isDigit != 0 || 'a' <= t[i]|0x20 && t[i]|0x20 <= 'z' || t[i] == '+' || t[i] == '-' || t[i] == '.') {
		i++
	}
	if i == 0 || class[t[0]]&isToken == 0 || t[0] < 'A' || !bytes.HasPrefix(t[i:], []byte("://")) {
		return badf("the target %s is neither a path nor a whole URI with a host (section 3.2)", quote(t))
	}
	host := t[i+len("://"):]
	if end := bytes.IndexAny(host, "/?"); end >= 0 {
		host = host[:end]
	}
	if !ValidHost(host) {
		return badf("the target %s has %s where a host, or host and port, must be", quote(t), quote(host))
	}
	r.Host = host
	return nil
}

// badTarget says what is wrong with the bytes of a target.
func badTarget(t []byte) *Error {
	for i, c := range t {
		if class[c]&isTarget == 0 {
			switch c {
			case ' ':
				return badf("the target %s has a space in it: a request line has two spaces (section 3)", quote(t))
			case '#':
				return badf("the target %s has a fragment, which is never sent (section 3.2)", quote(t))
			}
			return badf("the target %s has the byte %q in it", quote(t), t[i])
		}
	}
	return badf("there is no target")
}

// finishHost has the request know whom it is for (section 3.2).
func (r *Request) finishHost() *Error {
	h := &r.head
	switch {
	case h.flags&hasHost == 0 && h.minor > 0:
		return badf("there is no Host field, which HTTP/1.1 requires (section 3.2)")
	case r.Form == Origin || r.Form == Asterisk:
		r.Host = h.host
	case h.flags&hasHost != 0 && len(h.host) == 0:
		return badf("the Host field is empty, and the target %s names a host (section 3.2)", quote(r.Target))
	}
	return nil
}

// ValidHost reports whether s is a host or a host and a port, as a Host field and an authority are (RFC 3986, sections 3.2.2 and 3.2.3, without user information): a name or an IPv4 address,
// which are not told apart, or an IPv6 address in brackets, which is looked at byte by byte but not parsed; a port is digits, or nothing after its colon. An empty host is none.
func ValidHost[T string | []byte](s T) bool {
	if len(s) == 0 {
		return false
	}
	i := 0
	if s[0] == '[' {
		for i = 1; i < len(s) && (class[s[i]]&isHost != 0 || s[i] == ':'); i++ {
		}
		if i == 1 || i == len(s) || s[i] != ']' {
			return false
		}
		i++
	} else {
		for i < len(s) && class[s[i]]&isHost != 0 {
			i++
		}
	}
	if i == 0 || i == len(s) {
		return i > 0
	}
	return s[i] == ':' && all(s[i+1:], isDigit)
}
