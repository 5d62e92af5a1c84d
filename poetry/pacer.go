package poetry

import (
	"math"
	"time"
)

// End is what a server does to a client once the pacer has no more pieces.
type End int

// The three ends. The zero value is the ordinary one.
const (
	EndClose End = iota // close the connection in order
	EndStall            // send nothing more, and keep the connection until the client leaves
	EndReset            // reset the connection
)

// A Pacer cuts one poem into pieces for one client and says how long to wait after each: the pace of both servers, so
// that they cannot differ in it. It does no I/O and reads no clock. Not safe for use from several goroutines at once.
type Pacer struct {
	rest    []byte
	end     End
	options *Options // of the server, rather than a copy for each of its clients
}

// NewPacer paces poem as o says. Of o it uses NumBytes, Delay, Jitter, StallAfter, ResetAfter and Random, which must be
// valid (see [Options.Validate]). A stall or reset that lies beyond the end of the poem never comes.
func NewPacer(poem []byte, o Options) *Pacer {
	p := newPacer(poem, &o)
	return &p
}

func newPacer(poem []byte, o *Options) Pacer {
	p := Pacer{rest: poem, options: o}
	if n, ok := o.StallAfter.Bytes(); ok && n <= len(poem) {
		p.rest, p.end = poem[:n], EndStall
	}
	if n, ok := o.ResetAfter.Bytes(); ok && n <= len(poem) {
		p.rest, p.end = poem[:n], EndReset
	}
	return p
}

// Next returns the next piece to send and how long to wait after it, which is so after the last piece too: a poem of n
// bytes takes ceil(n/NumBytes) delays. It returns false when there are no more; then see [Pacer.End]. The piece is a
// part of the poem and must not be changed.
func (p *Pacer) Next() (piece []byte, wait time.Duration, ok bool) {
	if len(p.rest) == 0 {
		return nil, 0, false
	}
	n := min(p.options.NumBytes, len(p.rest))
	piece, p.rest = p.rest[:n:n], p.rest[n:]
	return piece, p.wait(), true
}

// End says what to do when Next has returned false.
func (p *Pacer) End() End { return p.end }

func (p *Pacer) wait() time.Duration {
	o := p.options
	if o.Jitter == 0 {
		return o.Delay
	}
	spread := time.Duration((2*o.random() - 1) * float64(o.Jitter))
	if spread > math.MaxInt64-o.Delay {
		return math.MaxInt64 // and not the negative time that the sum would be
	}
	return max(0, o.Delay+spread)
}
