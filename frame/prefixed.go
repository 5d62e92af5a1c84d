package frame

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// Netstrings are frames of at most limit bytes, any bytes, as in "5:hello,": the length in decimal digits, a colon, the frame, a
// comma. As their specification wants it, there is at least one digit, and none too many: a zero stands in front only of an empty frame. A length
// is over the limit with the first digit that makes it so. It panics unless limit is greater than zero.
//
// Source: D. J. Bernstein, Netstrings, 1 February 1997, https://cr.yp.to/proto/netstrings.txt.
func Netstrings(limit int) Framing { return &netstrings{limited(limit, maxLimit)} }

type netstrings struct{ limit int }

const aNetstring = "a netstring"

// Next implements Framing.
func (x *netstrings) Next(p []byte, _ int) ([]byte, int, error) {
	length := 0
	for i, c := range p {
		switch {
		case '0' <= c && c <= '9':
			if i == 1 && p[0] == '0' {
				return nil, 0, &SyntaxError{aNetstring, 0, "its length begins with a zero that it does not need"}
			}
			if length = 10*length + int(c-'0'); length > x.limit {
				return nil, 0, &LimitError{Kind: aNetstring, Limit: x.limit}
			}
		case c == ':' && i > 0:
			end := i + 1 + length
			if end >= len(p) {
				return nil, end + 1, nil
			}
			if p[end] != ',' {
				return nil, 0, &SyntaxError{aNetstring, end, fmt.Sprintf("%q is where its comma must be", p[end:end+1])}
			}
			return p[i+1 : end : end], end + 1, nil
		default:
			return nil, 0, &SyntaxError{aNetstring, i, fmt.Sprintf("%q is no digit of its length", p[i:i+1])}
		}
	}
	return nil, len(p) + 1, nil
}

// Append implements Framing.
func (x *netstrings) Append(dst, frame []byte) ([]byte, error) {
	if len(frame) > x.limit {
		return dst, &LimitError{aNetstring, uint64(len(frame)), x.limit}
	}
	dst = strconv.AppendInt(dst, int64(len(frame)), 10)
	dst = append(append(dst, ':'), frame...)
	return append(dst, ','), nil
}

// Uint8 are frames of at most limit bytes, and never more than 255, each with its length in one byte in front. The length does not
// count itself, nor do those of the other prefixes. It panics unless limit is greater than zero.
func Uint8(limit int) Framing { return &fixed{limited(limit, math.MaxUint8), 1, false} }

// Uint16 are frames as [Uint8]'s, of at most 65,535 bytes, with a length of two bytes, the most significant first (network byte
// order), as that of DNS over TCP (RFC 1035, section 4.2.2).
func Uint16(limit int) Framing { return &fixed{limited(limit, math.MaxUint16), 2, false} }

// Uint16LE are those of [Uint16] with the least significant byte of the length first.
func Uint16LE(limit int) Framing { return &fixed{limited(limit, math.MaxUint16), 2, true} }

// Uint32 are frames as [Uint8]'s, of at most 4,294,967,295 bytes, with a length of four bytes, the most significant first (network
// byte order).
func Uint32(limit int) Framing { return &fixed{limited(limit, max32), 4, false} }

// Uint32LE are those of [Uint32] with the least significant byte of the length first.
func Uint32LE(limit int) Framing { return &fixed{limited(limit, max32), 4, true} }

const max32 = min(math.MaxUint32, maxLimit)

// fixed has lengths of a fixed number of bytes.
type fixed struct {
	limit        int
	size         int
	littleEndian bool
}

// Next implements Framing.
func (x *fixed) Next(p []byte, _ int) ([]byte, int, error) {
	if len(p) < x.size {
		return nil, x.size, nil
	}
	var length uint32
	switch {
	case x.size == 1:
		length = uint32(p[0])
	case x.size == 2 && x.littleEndian:
		length = uint32(binary.LittleEndian.Uint16(p))
	case x.size == 2:
		length = uint32(binary.BigEndian.Uint16(p))
	case x.littleEndian:
		length = binary.LittleEndian.Uint32(p)
	default:
		length = binary.BigEndian.Uint32(p)
	}
	return behind(p, x.size, uint64(length), x.limit)
}

// behind is Next's answer for a frame of this length behind a prefix of size bytes.
func behind(p []byte, size int, length uint64, limit int) ([]byte, int, error) {
	if length > uint64(limit) {
		return nil, 0, &LimitError{aFrame, length, limit}
	}
	n := size + int(length)
	if n > len(p) {
		return nil, n, nil
	}
	return p[size:n:n], n, nil
}

// Append implements Framing.
func (x *fixed) Append(dst, frame []byte) ([]byte, error) {
	if len(frame) > x.limit {
		return dst, &LimitError{aFrame, uint64(len(frame)), x.limit}
	}
	switch length := len(frame); {
	case x.size == 1:
		dst = append(dst, byte(length))
	case x.size == 2 && x.littleEndian:
		dst = binary.LittleEndian.AppendUint16(dst, uint16(length))
	case x.size == 2:
		dst = binary.BigEndian.AppendUint16(dst, uint16(length))
	case x.littleEndian:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(length))
	default:
		dst = binary.BigEndian.AppendUint32(dst, uint32(length))
	}
	return append(dst, frame...), nil
}

// Varints are frames of at most limit bytes, each with its length in front as an unsigned LEB128: seven bits in a byte, the least
// significant first, and the highest bit set in all bytes but the last. That is what protobuf calls delimited messages. A
// length of more than 64 bits is refused, and one that takes more bytes than it needs, so that a frame can be written in one way only. It
// panics unless limit is greater than zero.
//
// Source: Protocol Buffers, Encoding, "Base 128 Varints", https://protobuf.dev/programming-guides/encoding/#varints.
func Varints(limit int) Framing { return &varints{limited(limit, maxLimit)} }

type varints struct{ limit int }

const aVarint = "a frame with a varint"

// Next implements Framing.
func (x *varints) Next(p []byte, _ int) ([]byte, int, error) {
	var length uint64
	for i, b := range p {
		switch {
		case i == binary.MaxVarintLen64-1 && b > 1:
			return nil, 0, &SyntaxError{aVarint, i, "the length has more than 64 bits"}
		case b == 0 && i > 0:
			return nil, 0, &SyntaxError{aVarint, i, "the length takes more bytes than it needs"}
		}
		length |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return behind(p, i+1, length, x.limit)
		}
	}
	return nil, len(p) + 1, nil
}

// Append implements Framing.
func (x *varints) Append(dst, frame []byte) ([]byte, error) {
	if len(frame) > x.limit {
		return dst, &LimitError{aFrame, uint64(len(frame)), x.limit}
	}
	return append(binary.AppendUvarint(dst, uint64(len(frame))), frame...), nil
}
