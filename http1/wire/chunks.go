package wire

import "bytes"

const (
	// maxChunkLine is how long the line with a chunk's size may be in bytes, with its end; it is net/http's limit.
	maxChunkLine = 4096

	// maxExcess is how many bytes of sizes and extensions there may be beyond what is ordinary, 16 a chunk and twice the data; it is net/http's limit.
	maxExcess = 16 << 10

	maxChunkDigits = 16
)

// Where a decoder is, in the grammar of section 7.1.
const (
	inSize = iota
	inExtension
	inSizeEnd // an LF must follow
	inData
	inDataEnd // a CRLF must follow
	inDataLF  // an LF
	inTrailerStart
	inTrailer
	inTrailerEnd // an LF
	chunksDone
	chunksFailed
)

// Chunks decodes the chunked coding (RFC 9112, section 7.1). Its zero value is at the beginning of a body.
type Chunks struct {
	// Trailer bounds the fields that may come after the last chunk. Zero values mean [DefaultTrailer] bytes and [DefaultTrailerFields] lines. Reset leaves it.
	Trailer Limits

	state  uint8
	digits uint8
	line   int   // length of the line so far
	left   int64 // of the chunk's data; its size, while that is being read
	excess int64

	section  []byte // the trailer section so far
	trailers []Field
	err      *Error
}

// Next decodes what it can of p, the bytes that have arrived and are not used up. n of them are then used up, and data, which may be empty, is the part of these that belongs to the body: a slice of p.
// It returns at the latest after one chunk's data, so call it with p[n:] until n is 0, which says that more is needed or that the body is over ([Chunks.Done]); what is behind the body is left.
//
// The error is an [*Error], and comes after the data before it. It stays until Reset.
func (d *Chunks) Next(p []byte) (data []byte, n int, err error) {
	for n < len(p) {
		switch d.state {
		case inData:
			data = p[n:]
			if int64(len(data)) > d.left {
				data = data[:d.left]
			}
			n += len(data)
			if d.left -= int64(len(data)); d.left == 0 {
				d.state = inDataEnd
				if len(p)-n >= 2 && p[n] == '\r' && p[n+1] == '\n' {
					n += 2
					d.begin()
				}
			}
			return data, n, nil
		case inTrailer:
			i, bad := d.trailer(p[n:])
			if n += i; bad != nil {
				return nil, 0, d.fail(bad)
			}
		case chunksDone:
			return nil, n, nil
		case chunksFailed:
			return nil, 0, d.err
		default:
			if d.state == inTrailerStart && p[n] != '\r' {
				d.state = inTrailer
				continue
			}
			if bad := d.step(p[n]); bad != nil {
				return nil, 0, d.fail(bad)
			}
			n++
		}
	}
	return nil, n, nil
}

// Done reports whether the body is over, and its trailers have come.
func (d *Chunks) Done() bool { return d.state == chunksDone }

// Reset has d be at the beginning of another body. What [Chunks.Trailers] has returned is no longer valid.
func (d *Chunks) Reset() {
	*d = Chunks{Trailer: d.Trailer, section: d.section[:0], trailers: d.trailers[:0]}
}

func (d *Chunks) begin() { d.state, d.digits, d.line, d.left = inSize, 0, 0, 0 }

func (d *Chunks) fail(err *Error) error {
	d.state, d.err = chunksFailed, err
	return err
}

// step takes a byte of what is not data.
func (d *Chunks) step(c byte) *Error {
	switch d.state {
	case inSize, inExtension, inSizeEnd:
		if d.line++; d.line > maxChunkLine {
			return badf("the line with a chunk's size is longer than %d bytes", maxChunkLine)
		}
		return d.size(c)
	case inDataEnd:
		if c != '\r' {
			return badf("a chunk's data is followed by %q, and not by CRLF", c)
		}
		d.state = inDataLF
	case inDataLF:
		if c != '\n' {
			return badf("a chunk's data is followed by a CR and %q, and not by CRLF", c)
		}
		d.begin()
	case inTrailerStart:
		d.state = inTrailerEnd // Next sees to what is no CR
	case inTrailerEnd:
		if c != '\n' {
			return badf("the chunked body's last line has a CR that %q follows", c)
		}
		return d.finish()
	}
	return nil
}

// size takes a byte of the line with a chunk's size. Nothing may be around the digits but an extension behind a semicolon, not even the whitespace that the grammar has there (BWS): a size that one parser reads and
// another does not is two bodies.
func (d *Chunks) size(c byte) *Error {
	switch {
	case d.state == inSizeEnd:
		if c != '\n' {
			return badf("the line with a chunk's size has a CR that %q follows", c)
		}
		return d.sized()
	case d.state == inExtension:
		if c == '\r' {
			d.state = inSizeEnd
		} else if class[c]&isValue == 0 {
			return badf("a chunk's extension has the byte %q", c)
		}
	case class[c]&isHex != 0:
		if d.digits++; d.digits > maxChunkDigits {
			return badf("a chunk's size has more than %d digits", maxChunkDigits)
		}
		if d.left >= 1<<59 {
			return badf("a chunk's size is larger than 2⁶³-1")
		}
		d.left = d.left<<4 | int64(digit(c))
	case d.digits == 0:
		return badf("a chunk's size begins with %q, and not with a hexadecimal digit", c)
	case c == ';':
		d.state = inExtension
	case c == '\r':
		d.state = inSizeEnd
	default:
		return badf("a chunk's size is followed by %q, and not by CRLF or an extension", c)
	}
	return nil
}

func digit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// sized begins what a size has announced. What sizes and extensions cost is counted as net/http does: a byte a chunk is honest, but a byte and 4 KiB of an extension is not.
func (d *Chunks) sized() *Error {
	d.excess += int64(d.line) - 16 // the line's CRLF stands for the one behind the data
	if d.left < maxExcess {
		d.excess -= 2 * d.left
	} else {
		d.excess = 0
	}
	if d.excess = max(d.excess, 0); d.excess > maxExcess {
		return badf("the chunked body has more than %d bytes of sizes and extensions beyond what is ordinary", maxExcess)
	}
	d.state, d.line = inData, 0
	if d.left == 0 {
		d.state = inTrailerStart
	}
	return nil
}

var crlf = []byte("\r\n")

// trailer takes a part of the trailer section, up to the end of a line. It is kept until all of it is there: it is short, or there is none.
func (d *Chunks) trailer(p []byte) (n int, err *Error) {
	i := bytes.IndexByte(p, '\n')
	if n = i + 1; i < 0 {
		n = len(p)
	}
	if most := d.trailerLimit(); len(d.section)+n > most {
		return 0, &Error{431, sprint("the trailer section is longer than the limit of ", most, " bytes")}
	}
	d.section = append(d.section, p[:n]...)
	if i < 0 {
		return n, nil
	}
	if !bytes.HasSuffix(d.section, crlf) {
		return 0, badf("a trailer field's line ends with an LF without a CR")
	}
	d.state = inTrailerStart
	return n, nil
}
