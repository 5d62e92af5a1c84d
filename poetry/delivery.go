package poetry

import "time"

// A delivery is one client's poem as bytes on the wire: the pacer's pieces, framed if the server speaks HTTP. Both
// servers drive one for each client, in this order:
//
//	feed the client's bytes to request until it is ready (at once, unless HTTP)
//	write begin()
//	for each next(): print the line, write the bytes, wait
//	write finish(), and do what its End says
//
// It does no I/O. Not safe for use from several goroutines at once.
type delivery struct {
	pacer Pacer
	http  bool
	reply httpReply
	buf   []byte        // a chunk
	rest  []byte        // of a piece that is longer than a chunk
	wait  time.Duration // after that piece
}

// maxChunkBytes is the longest HTTP chunk. Every client has a buffer for its own, while the poem is all clients'.
const maxChunkBytes = 32 << 10

func newDelivery(poem []byte, o *Options) *delivery {
	return &delivery{pacer: newPacer(poem, o), http: o.HTTP}
}

// request takes all bytes that the client has sent so far, and says whether the delivery can begin.
func (d *delivery) request(p []byte) (ready bool) {
	if !d.http {
		return true
	}
	d.reply, ready = parseHTTPRequest(p)
	return ready
}

// begin returns what goes out before the poem, which may be nothing.
func (d *delivery) begin() []byte { return d.reply.head }

// next returns the bytes of the next piece as they go on the wire (valid until the following call), how many of them
// are poetry, and how long to wait after them. A piece that is too long for one HTTP chunk comes in several calls, of which the first
// counts all of it, and the last has the wait.
func (d *delivery) next() (wire []byte, n int, wait time.Duration, ok bool) {
	if d.http && !d.reply.body {
		return nil, 0, 0, false
	}
	piece, n, wait := d.rest, 0, d.wait
	if len(piece) == 0 {
		if piece, wait, ok = d.pacer.Next(); !ok {
			return nil, 0, 0, false
		}
		n = len(piece)
	}
	if !d.reply.chunked {
		return piece, n, wait, true
	}
	d.rest, d.wait = nil, 0
	if len(piece) > maxChunkBytes {
		piece, d.rest, d.wait, wait = piece[:maxChunkBytes], piece[maxChunkBytes:], wait, 0
	}
	d.buf = d.reply.appendPiece(d.buf[:0], piece)
	return d.buf, n, wait, true
}

// finish returns what goes out after the last piece, which may be nothing, and what to do then.
func (d *delivery) finish() (wire []byte, end End) {
	if d.http && !d.reply.body {
		return nil, EndClose
	}
	end = d.pacer.End()
	if d.http && end == EndClose {
		return d.reply.appendEnd(nil), end
	}
	return nil, end
}
