package wire

import "bytes"

// Chunks reads the chunked coding (RFC 9112, section 7.1). The zero Chunks begins a body.
type Chunks struct {
	left     uint64 // of the present chunk
	excess   int    // bytes that were spent on no data
	spent    int    // bytes of trailers
	trailers []Field
	state    chunkState
}

type chunkState uint8

const (
	atSize chunkState = iota
	inData
	atDataEnd
	inTrailers
	atEnd
)

const (
	maxSizeLine = 4 << 10  // of a chunk, with its extensions
	maxExcess   = 16 << 10 // bytes around the data, beyond some for each chunk and as many as the data's: as in net/http
	maxTrailers = 16 << 10
)

// Done reports whether the body and what follows it are whole.
func (d *Chunks) Done() bool { return d.state == atEnd }

// Trailers are the fields behind the body (RFC 9112, section 7.1.2), when it is done. Those on which the message's own meaning hangs are not among them (RFC 9110, section 6.5.1): framing, routing,
// authentication and the like. They are copies.
func (d *Chunks) Trailers() []Field { return d.trailers }

// Next reads what p begins with: n bytes of it are used up, of which data, perhaps none, belongs to the body. With n 0 and no error more is needed, or it is done. The error
// is an *Error.
func (d *Chunks) Next(p []byte) (data []byte, n int, err error) {
	switch d.state {
	case inData:
		n = len(p)
		if uint64(n) > d.left {
			n = int(d.left) //nolint:gosec // it is less than len(p)
		}
		if d.left -= uint64(n); d.left == 0 {
			d.state = atDataEnd
		}
		return p[:n], n, nil
	case atDataEnd:
		switch {
		case len(p) > 0 && p[0] != '\r', len(p) > 1 && p[1] != '\n':
			return nil, 0, bad("a chunk is longer than its size", p[:min(len(p), 2)])
		case len(p) < 2:
			return nil, 0, nil
		}
		d.state = atSize
		return nil, 2, nil
	case atEnd:
		return nil, 0, nil
	}
	line, n, e := strictLine(p)
	switch {
	case e != nil:
		return nil, 0, e
	case n == 0:
		return nil, 0, nil
	case d.state == atSize:
		e = d.size(line)
	default:
		e = d.trailer(line)
	}
	if e != nil {
		return nil, 0, e
	}
	return nil, n, nil
}

// strictLine is a line that must end with CR LF: bare LFs within the chunked coding have been read in more than one way.
func strictLine(p []byte) (line []byte, n int, err *Error) {
	i := bytes.IndexByte(p, '\n')
	switch {
	case i < 0 && len(p) > maxSizeLine, i > maxSizeLine:
		return nil, 0, bad("a line of the chunked coding is too long", nil)
	case i < 0:
		return nil, 0, nil
	case i == 0 || p[i-1] != '\r':
		return nil, 0, bad("a line of the chunked coding does not end with CR LF", p[:i])
	}
	return p[:i-1], i + 1, nil
}

// size begins a chunk.
func (d *Chunks) size(line []byte) *Error {
	i := 0
	d.left = 0
	for ; i < len(line); i++ {
		v, ok := hex(line[i])
		if !ok {
			break
		}
		if d.left >= 1<<59 { // it would not fit into 63 bits
			return bad("a chunk is too large", line)
		}
		d.left = d.left<<4 | uint64(v)
	}
	rest := bytes.TrimLeft(line[i:], " \t")
	if i == 0 || i > 16 || len(rest) > 0 && rest[0] != ';' || len(rest) == 0 && i < len(line) {
		return bad("a chunk does not begin with its size", line)
	}
	if !validValue(rest) {
		return bad("a chunk's extension has a control character", line)
	}
	if d.excess = max(0, d.excess+len(line)+2-16-2*int(min(d.left, maxExcess))); d.excess > maxExcess { //nolint:gosec // it is small
		return bad("the chunked coding is mostly not data", nil)
	}
	d.state = inData
	if d.left == 0 {
		d.state = inTrailers
	}
	return nil
}

func hex(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func (d *Chunks) trailer(line []byte) *Error {
	if len(line) == 0 {
		d.state = atEnd
		return nil
	}
	if d.spent += len(line) + 2; d.spent > maxTrailers {
		return refused(431, "the trailers are too long", nil)
	}
	f, err := parseField(line)
	if err != nil {
		return err
	}
	if !forbidden[string(bytes.ToLower(f.Name))] {
		d.trailers = append(d.trailers, Field{bytes.Clone(f.Name), bytes.Clone(f.Value)})
	}
	return nil
}

// forbidden are fields that no trailer may be.
var forbidden = map[string]bool{
	"transfer-encoding": true, "content-length": true, "host": true, "trailer": true, "connection": true, "te": true, "upgrade": true, "expect": true,
	"cache-control": true, "max-forwards": true, "content-encoding": true, "content-type": true, "content-range": true,
	"authorization": true, "proxy-authorization": true, "cookie": true, "set-cookie": true,
}
