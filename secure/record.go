package secure

// The header of a TLS record and what may follow it (RFC 8446, section 5.1; RFC 5246, section 6.2.3 allows the most).
const (
	recordHeader = 5
	maxPlaintext = 1 << 14
	maxRecord    = maxPlaintext + 2048
	isHandshake  = 22
)

// recordLength is how long the record is that p begins with, its header included. If that is not known yet it is more than p has; if p begins with no record, or one that is too
// long to be waited for, it is all of p, for the tls.Conn to object to.
func recordLength(p []byte) int {
	if len(p) < recordHeader {
		return len(p) + 1
	}
	n := int(p[3])<<8 | int(p[4])
	if p[1] != 3 || n > maxRecord {
		return len(p)
	}
	return recordHeader + n
}

// whole reports whether p begins with a whole record.
func whole(p []byte) bool { return recordLength(p) <= len(p) }

// records cuts what was received where records end, so that a tls.Conn is given no part of a record behind another and keeps nothing back.
type records struct {
	left int // bytes of a record that was given in part
}

// next is how many of p's bytes may be given of at most n that fit. It is 0 if the header of the next record is not whole.
func (r *records) next(p []byte, n int) int {
	if r.left == 0 {
		if len(p) < recordHeader {
			return 0
		}
		r.left = recordLength(p)
	}
	n = min(n, len(p), r.left)
	r.left -= n
	return n
}
