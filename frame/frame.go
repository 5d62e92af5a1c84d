package frame

import (
	"fmt"
	"io"
	"math"
)

// Framing says where the frames of a stream begin and end. It has no state: any goroutine may use it, and several at once.
// Whoever writes one of his own keeps to what is said here; the adapters depend on it.
type Framing interface {
	// Next looks for the frame that p begins with. P is all that has come and belongs to no earlier frame.
	//
	// If the frame is there, n is how many bytes it takes together with what is around it, 1 <= n <= len(p); the next one begins at
	// p[n]. The frame is a part of p, not a copy, and has no capacity beyond its length; it may be empty, and is never nil.
	//
	// If n is greater than len(p), the frame is not whole yet: before n bytes are there the answer would be the same. N is no more
	// than the frame takes in the end, whatever comes.
	//
	// If no frame can begin like this, whatever comes, n is 0 and the error a *LimitError or *SyntaxError. It does not depend on how
	// much more of the stream is in p.
	//
	// Seen is how many bytes at the front of p were there when Next was last asked about this frame, so that they need not be
	// searched again. Zero is always right.
	Next(p []byte, seen int) (frame []byte, n int, err error)

	// Append appends the frame to dst, with what is around it, and returns the longer slice. What Next would not find again as it is
	// (too long, a delimiter within) is an error of the same types, and dst is returned as it was.
	Append(dst, frame []byte) ([]byte, error)
}

// LimitError is the error of a frame that is longer than its framing allows.
type LimitError struct {
	Kind   string // of what, with its article: "a line", "a netstring"
	Length uint64 // of the frame, in bytes, if it is known: from a prefix, or because it was to be written. Otherwise 0
	Limit  int    // in bytes
}

func (e *LimitError) Error() string {
	if e.Length == 0 {
		return fmt.Sprintf("frame: %s is over the limit of %d bytes", e.Kind, e.Limit)
	}
	return fmt.Sprintf("frame: %s of %d bytes is over the limit of %d bytes", e.Kind, e.Length, e.Limit)
}

// SyntaxError is the error of bytes that are no frame, or of a frame that cannot be written because it would not be found again.
type SyntaxError struct {
	Kind   string // of what, with its article: "a line", "a netstring"
	Offset int    // of the byte that is wrong: from the beginning of the frame with what is around it, as Next was given it; or of what Append was given
	Reason string // why it is
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("frame: byte %d of %s: %s", e.Offset, e.Kind, e.Reason)
}

// maxLimit is the greatest limit, so that sums with what is around a frame cannot overflow. No memory is that large.
const maxLimit = math.MaxInt / 16

// limited is the limit of a framing that is made.
func limited(limit, most int) int {
	if limit <= 0 {
		panic("frame: a framing needs a limit greater than zero")
	}
	return min(limit, most)
}

// SplitFunc is f for a bufio.Scanner, which reads frames from any io.Reader: its Split takes the result. A stream that ends within a frame
// is io.ErrUnexpectedEOF. The scanner has a limit of its own for a frame with what is around it, 64 KiB unless its Buffer is
// called. The function is for one scanner.
func SplitFunc(f Framing) func(data []byte, atEOF bool) (advance int, token []byte, err error) {
	seen := 0
	return func(data []byte, atEOF bool) (int, []byte, error) {
		if len(data) == 0 {
			return 0, nil, nil
		}
		frame, n, err := f.Next(data, seen)
		switch {
		case err != nil:
			return 0, nil, err
		case n <= len(data):
			seen = 0
			return n, frame, nil
		case atEOF:
			return 0, nil, io.ErrUnexpectedEOF
		}
		seen = len(data)
		return 0, nil, nil
	}
}
