package wire

import "bytes"

const (
	// DefaultTrailer is how long a trailer section may be in bytes if nothing else is said.
	DefaultTrailer = 16 << 10

	// DefaultTrailerFields is how many lines it may have.
	DefaultTrailerFields = 100
)

func (d *Chunks) trailerLimit() int {
	if d.Trailer.Head > 0 {
		return d.Trailer.Head
	}
	return DefaultTrailer
}

// Trailers returns the fields that came after the last chunk, in their order: nil until [Chunks.Done]. They are copies, and valid until Reset.
//
// A field that is about the framing of the message or about whom it is for (Content-Length, Transfer-Encoding, Host) is an error of Next: whoever heeds it, before us or behind us, sees another message. Others that
// [ValidTrailer] does not allow are left out, so that nobody takes them for fields of the head (RFC 9110, section 6.5.1).
func (d *Chunks) Trailers() []Field {
	if d.state != chunksDone || len(d.trailers) == 0 {
		return nil
	}
	return d.trailers
}

// finish parses the trailer section, all of which is there.
func (d *Chunks) finish() *Error {
	most := d.Trailer.Fields
	if most <= 0 {
		most = DefaultTrailerFields
	}
	lines := 0
	for rest := d.section; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		line := rest[:i-1]
		rest = rest[i+1:]
		if lines++; lines > most {
			return &Error{431, sprint("the trailer section has more than ", most, " fields")}
		}
		f, err := parseField(line)
		if err != nil {
			return err
		}
		switch {
		case fold(f.Name, "content-length"), fold(f.Name, "transfer-encoding"), fold(f.Name, "host"):
			return badf("the field %s is among the trailers, where it must not be (RFC 9110, section 6.5.1)", quote(f.Name))
		case ValidTrailer(f.Name):
			d.trailers = append(d.trailers, f)
		}
	}
	d.state = chunksDone
	return nil
}

// notTrailers are fields that are needed before the body, or that say how it is to be read (RFC 9110, section 6.5.1, and the section of each).
var notTrailers = []string{
	"age", "authorization", "cache-control", "connection", "content-encoding", "content-length", "content-range", "content-type", "date", "expect", "expires", "host", "keep-alive", "location",
	"max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range", "retry-after", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "vary", "warning", "www-authenticate",
}

// ValidTrailer reports whether a field of that name may come after the body: not if it is about framing, about whom a message is for, about who sends it, a condition, or about how the body is to be read.
func ValidTrailer[T string | []byte](name T) bool {
	if !ValidName(name) || len(name) > 3 && fold(name[:3], "if-") {
		return false
	}
	for _, not := range notTrailers {
		if fold(name, not) {
			return false
		}
	}
	return true
}
