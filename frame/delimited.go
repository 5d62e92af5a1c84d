package frame

import (
	"bytes"
	"fmt"
)

// Lines are lines of text of at most limit bytes, which do not count their end. They end with a line feed, or a carriage return and a line
// feed; what is returned is without either. Append ends them with a line feed, and refuses a line with one in it, or with
// a carriage return at its end, which would be lost. It panics unless limit is greater than zero.
func Lines(limit int) Framing { return &lines{limited(limit, maxLimit), "\n"} }

// LinesCRLF are [Lines] that Append ends with a carriage return and a line feed, as SMTP, HTTP and most protocols of the IETF want
// it (RFC 5321, section 2.3.8). Read, they are the same.
func LinesCRLF(limit int) Framing { return &lines{limited(limit, maxLimit), "\r\n"} }

type lines struct {
	limit int
	end   string // as Append writes it
}

const aLine = "a line"

// Next implements Framing.
func (x *lines) Next(p []byte, seen int) ([]byte, int, error) {
	window := p[:min(len(p), x.limit+len("\r\n"))] // what is beyond makes no difference
	seen = min(max(seen, 0), len(window))
	if i := bytes.IndexByte(window[seen:], '\n'); i >= 0 {
		i += seen
		end := i
		if end > 0 && p[end-1] == '\r' {
			end--
		}
		if end <= x.limit {
			return p[:end:end], i + 1, nil
		}
	} else if len(p) <= x.limit || len(p) == x.limit+1 && p[x.limit] == '\r' {
		return nil, len(p) + 1, nil
	}
	return nil, 0, &LimitError{Kind: aLine, Limit: x.limit}
}

// Append implements Framing.
func (x *lines) Append(dst, line []byte) ([]byte, error) {
	if len(line) > x.limit {
		return dst, &LimitError{aLine, uint64(len(line)), x.limit}
	}
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		return dst, &SyntaxError{aLine, i, "a line feed would end it there"}
	}
	if last := len(line) - 1; last >= 0 && line[last] == '\r' && x.end == "\n" {
		return dst, &SyntaxError{aLine, last, "a carriage return at its end would be taken for a part of that"}
	}
	return append(append(dst, line...), x.end...), nil
}

// Delimited are frames of at most limit bytes with delimiter behind each, which limit does not count. Append refuses a frame that
// the delimiter would be found in, or across its end. It panics if the delimiter is empty, and unless limit is greater than
// zero. For lines there is [Lines].
func Delimited(delimiter string, limit int) Framing {
	if delimiter == "" {
		panic("frame: Delimited needs a delimiter")
	}
	return &delimited{[]byte(delimiter), limited(limit, maxLimit)}
}

type delimited struct {
	delimiter []byte
	limit     int
}

const aFrame = "a frame"

// Next implements Framing.
func (x *delimited) Next(p []byte, seen int) ([]byte, int, error) {
	window := p[:min(len(p), x.limit+len(x.delimiter))]
	seen = min(max(seen-len(x.delimiter)+1, 0), len(window)) // a part of the delimiter may have been there
	if i := bytes.Index(window[seen:], x.delimiter); i >= 0 {
		i += seen
		return p[:i:i], i + len(x.delimiter), nil
	}
	if len(p) <= x.limit || x.mayEnd(p) {
		return nil, len(p) + 1, nil
	}
	return nil, 0, &LimitError{Kind: aFrame, Limit: x.limit}
}

// mayEnd reports whether p ends with a part of a delimiter that begins within the limit.
func (x *delimited) mayEnd(p []byte) bool {
	for i := max(0, len(p)-len(x.delimiter)+1); i <= x.limit; i++ {
		if bytes.HasPrefix(x.delimiter, p[i:]) {
			return true
		}
	}
	return false
}

// Append implements Framing.
func (x *delimited) Append(dst, frame []byte) ([]byte, error) {
	if len(frame) > x.limit {
		return dst, &LimitError{aFrame, uint64(len(frame)), x.limit}
	}
	longer := append(append(dst, frame...), x.delimiter...)
	if i := bytes.Index(longer[len(dst):], x.delimiter); i < len(frame) {
		return dst, &SyntaxError{aFrame, i, fmt.Sprintf("the delimiter %q would be found there", x.delimiter)}
	}
	return longer, nil
}
