package wire

import "fmt"

// Error says what was wrong with a message. The connection must be closed after it: where the next message would begin is not known.
type Error struct {
	// Status is what to answer with: 400 of what is malformed, 414 and 431 of what is longer than the [Limits], 501 of a transfer coding that is not known, 505 of a version. Of a response it is
	// 502, which is what a gateway answers with in its place.
	Status int

	// Reason is a sentence without its end. It quotes what was wrong, cut and escaped, so it can be logged as it is.
	Reason string
}

func (e *Error) Error() string { return "wire: " + e.Reason }

// ErrHTTP2 is what [Request.Parse] returns of the first line of HTTP/2's preface, `PRI * HTTP/2.0` (RFC 9113, section 3.4): the client speaks HTTP/2 without having asked. Who serves that takes the
// connection over with all its bytes; who does not answers with the error's status.
var ErrHTTP2 = &Error{505, "this is the beginning of HTTP/2, which is not spoken here"}

func badf(format string, args ...any) *Error { return &Error{400, fmt.Sprintf(format, args...)} }

// quoted is how many bytes of a message an error shows.
const quoted = 64

// quote is p in quotes, escaped, and cut.
func quote(p []byte) string {
	if len(p) > quoted {
		return fmt.Sprintf("%q and %d bytes more", p[:quoted], len(p)-quoted)
	}
	return fmt.Sprintf("%q", p)
}

var errBoth = &Error{400, "there are both Content-Length and Transfer-Encoding, which are two lengths (section 6.3)"}

func sprint(args ...any) string { return fmt.Sprint(args...) }
