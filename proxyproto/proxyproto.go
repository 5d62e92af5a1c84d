// Package proxyproto is the PROXY protocol: the header that a proxy puts in front of a connection, to say whom it is from. It follows haproxy's "The PROXY protocol", versions 1 and 2
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt), to whose sections the comments refer.
//
// It is pure functions over bytes and does no I/O: [Parse] finds a header at the beginning of what has arrived, [Append] writes one. Package proxied has connections begin with it.
package proxyproto

import (
	"errors"
	"fmt"
	"net"
)

const (
	// MaxV1 is the longest header of version 1 in bytes, with its CRLF (section 2.1).
	MaxV1 = 107

	// MaxV2 is the longest header of version 2 in bytes that can be written at all: 16 bytes, and 65,535 that follow.
	MaxV2 = 16 + 1<<16 - 1

	// DefaultMax is how long a header of version 2 may be if nothing else is said. Addresses need 232 bytes at the most; the rest is for TLVs, certificates' names mainly.
	DefaultMax = 4096
)

// Header is what a proxy says of a connection.
type Header struct {
	// Version is 1 or 2.
	Version int

	// Local says that the connection is the proxy's own, a health check for example, and is from whom it seems to be from (the command LOCAL, version 2 only).
	Local bool

	// Datagram says that what was proxied is a datagram's, of UDP or a Unix socket (version 2 only).
	Datagram bool

	// Source is who has connected to the proxy, and Destination where: each a *net.TCPAddr, or with Datagram a *net.UDPAddr, or a *net.UnixAddr. Both are nil
	// for a Local connection and where the proxy does not know (UNKNOWN, AF_UNSPEC).
	Source, Destination net.Addr

	// TLVs are what else it says, in its order (version 2 only). Parse leaves out the padding (NOOP) and, when it was right, the checksum.
	TLVs []TLV

	// Checksum says that there was a checksum, which was right; Append adds one (version 2 only).
	Checksum bool
}

// Type is the type of a [TLV].
type Type uint8

// The types that are registered (section 2.2). 0xE0 to 0xEF are each application's own.
const (
	ALPN      Type = 0x01 // the protocol that was agreed on with the client, as in TLS
	Authority Type = 0x02 // the host that the client asked for: TLS's server name
	CRC32C    Type = 0x03 // see Header.Checksum
	NoOp      Type = 0x04 // padding
	UniqueID  Type = 0x05 // names the connection, 128 bytes at the most
	SSL       Type = 0x20 // about the client's TLS: a byte of flags, four of a result, and TLVs
	NetNS     Type = 0x30 // the namespace's name
)

// TLV is a type, a length and a value. Parse's values are parts of what it was given: copy what must be kept.
type TLV struct {
	Type  Type
	Value []byte
}

// TLV returns the value of the first of that type.
func (h *Header) TLV(t Type) (value []byte, ok bool) {
	for _, x := range h.TLVs {
		if x.Type == t {
			return x.Value, true
		}
	}
	return nil, false
}

// SyntaxError says that what has arrived is no header, or one that contradicts itself.
type SyntaxError struct {
	Version int // 0 if it is of neither
	Reason  string
}

func (e *SyntaxError) Error() string {
	if e.Version == 0 {
		return "proxyproto: " + e.Reason
	}
	return fmt.Sprintf("proxyproto: a header of version %d: %s", e.Version, e.Reason)
}

// LimitError says that a header is longer than the receiver allows.
type LimitError struct{ Length, Limit int } // in bytes

func (e *LimitError) Error() string {
	return fmt.Sprintf("proxyproto: a header of %d bytes is longer than the limit of %d", e.Length, e.Limit)
}

const signature1 = "PROXY "

const signature2 = "\r\n\r\n\x00\r\nQUIT\n"

// errUnknown is of what begins like neither version.
var errUnknown = &SyntaxError{0, "it begins with the signature of neither version"}

// Parse finds the header at the beginning of p, which are all bytes of a connection so far. It returns the header and its length n; n is 0 and the error nil if more bytes are needed: need in all,
// at the least. The error is a [*SyntaxError] or a [*LimitError], and comes as soon as no more bytes can mend it. A header of version 2 may be limit bytes long at the most, zero means
// [DefaultMax]; one of version 1 [MaxV1]. However the bytes are cut into pieces, the result is the same.
func Parse(p []byte, limit int) (h Header, n, need int, err error) {
	if limit == 0 {
		limit = DefaultMax
	}
	switch {
	case len(p) == 0:
		return h, 0, 1, nil
	case begins(p, signature2):
		if len(p) < headerLength {
			return h, 0, headerLength, nil
		}
		return parse2(p, limit)
	case begins(p, signature1):
		return parse1(p)
	}
	return h, 0, 0, errUnknown
}

// begins reports whether p begins with the signature, as far as it goes.
func begins(p []byte, signature string) bool {
	n := min(len(p), len(signature))
	return string(p[:n]) == signature[:n]
}

// Append adds the header to dst. The error says what it cannot express: dst is then returned as it was.
func Append(dst []byte, h Header) ([]byte, error) {
	switch h.Version {
	case 1:
		return append1(dst, h)
	case 2:
		return append2(dst, h)
	}
	return dst, fmt.Errorf("proxyproto: there is no version %d: use 1 or 2", h.Version)
}

var errFamilies = errors.New("proxyproto: the source's and the destination's addresses must both be of TCP, of UDP or of Unix sockets, or both be missing")
