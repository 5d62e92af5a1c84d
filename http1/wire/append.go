package wire

import "strconv"

// AppendRequestLine adds a request line of HTTP/1.1. method must be a token ([ValidToken]): one that is not is a mistake of the program, and panics. What a target cannot have ([ValidTarget]) is escaped, so that whatever
// it is no second line comes of it; an empty one is "/".
func AppendRequestLine(dst []byte, method, target string) []byte {
	if !ValidToken(method) {
		panic("wire: the method " + strconv.Quote(method) + " is no token: see ValidToken")
	}
	dst = append(dst, method...)
	dst = append(dst, ' ')
	switch {
	case ValidTarget(target):
		dst = append(dst, target...)
	case target == "":
		dst = append(dst, '/')
	default:
		for i := range len(target) {
			if c := target[i]; class[c]&isTarget != 0 {
				dst = append(dst, c)
			} else {
				dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
			}
		}
	}
	return append(dst, " HTTP/1.1\r\n"...)
}

const (
	upperHex = "0123456789ABCDEF"
	lowerHex = "0123456789abcdef"
)

// AppendStatusLine adds a status line of HTTP/1.minor, with the reason of [StatusText]. status has three digits, 100 to 999: another is a mistake of the program, and panics, as with net/http.
func AppendStatusLine(dst []byte, minor, status int) []byte {
	if minor == 1 && status == 200 {
		return append(dst, "HTTP/1.1 200 OK\r\n"...)
	}
	if status < 100 || status > 999 || minor < 0 || minor > 9 {
		panic("wire: there is no status " + strconv.Itoa(status) + " of HTTP/1." + strconv.Itoa(minor))
	}
	dst = append(dst, "HTTP/1."...)
	dst = append(dst, byte('0'+minor), ' ', byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10), ' ')
	dst = append(dst, StatusText(status)...)
	return append(dst, crlf...)
}

// AppendField adds a field line. A name that is none ([ValidName]) adds nothing. In the value CR, LF and NUL become spaces, so that no second line comes of it (RFC 9110, section 5.5), and the whitespace around it is left out; net/http
// does the same.
func AppendField[T string | []byte](dst []byte, name string, value T) []byte {
	if !ValidName(name) {
		return dst
	}
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	if ValidValue(value) {
		dst = append(dst, trim(value)...)
	} else {
		dst = appendCleaned(dst, value)
	}
	return append(dst, crlf...)
}

// appendCleaned leaves the control characters that break nothing: refusing them is for who has got them.
func appendCleaned[T string | []byte](dst []byte, value T) []byte {
	from := len(dst)
	for i := range len(value) {
		c := value[i]
		if c == '\r' || c == '\n' || c == 0 {
			c = ' '
		}
		dst = append(dst, c)
	}
	cleaned := trim(dst[from:])
	return append(dst[:from], cleaned...)
}

// AppendChunk adds a chunk with p. An empty p adds nothing: an empty chunk would be the last.
func AppendChunk[T string | []byte](dst []byte, p T) []byte {
	if len(p) == 0 {
		return dst
	}
	dst = AppendChunkHeader(dst, int64(len(p)))
	dst = append(dst, p...)
	return append(dst, crlf...)
}

// AppendChunkHeader adds the line that goes before n bytes of a chunk's data; behind them a CRLF must be written. It adds nothing if n is not above zero.
func AppendChunkHeader(dst []byte, n int64) []byte {
	if n <= 0 {
		return dst
	}
	shift := 0
	for n>>shift > 15 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, lowerHex[n>>shift&15])
	}
	return append(dst, crlf...)
}

// AppendLastChunk adds the end of a chunked body: the last chunk, the trailers, and the empty line. What [ValidTrailer] does not allow is left out.
func AppendLastChunk(dst []byte, trailers ...Field) []byte {
	dst = append(dst, "0\r\n"...)
	for _, f := range trailers {
		if ValidTrailer(f.Name) {
			dst = AppendField(dst, string(f.Name), f.Value)
		}
	}
	return append(dst, crlf...)
}
