package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"strings"
)

func syntax2(format string, args ...any) error { return &SyntaxError{2, fmt.Sprintf(format, args...)} }

// Of a header of version 2 (section 2.2), in bytes.
const (
	headerLength = 16 // signature, version and command, family and transport, length of the rest
	unixLength   = 108
	maxUniqueID  = 128
)

// Families and transports: the two halves of its 14th byte.
const (
	unspec, inet, inet6, local = 0, 1, 2, 3
	stream, datagram           = 1, 2
)

// addressLength is how many bytes two addresses of a family take.
var addressLength = [...]int{unspec: 0, inet: 12, inet6: 36, local: 2 * unixLength}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// parse2 is Parse of what begins like version 2 and has its first 16 bytes.
func parse2(p []byte, limit int) (h Header, n, need int, err error) {
	h, n, err = parseWhole(p, limit)
	if err != nil {
		return Header{}, 0, 0, err
	}
	if len(p) < n {
		return Header{}, 0, n, nil
	}
	return h, n, 0, nil
}

// parseWhole returns how long the header is, and the header if p has all of it.
func parseWhole(p []byte, limit int) (h Header, n int, err error) {
	version, command := p[12]>>4, p[12]&15
	family, transport := p[13]>>4, p[13]&15
	n = headerLength + int(binary.BigEndian.Uint16(p[14:]))
	switch {
	case version != 2:
		return h, 0, syntax2("its version is %d", version)
	case command > 1:
		return h, 0, syntax2("there is no command %d", command)
	case n > limit:
		return h, 0, &LimitError{n, limit}
	}
	h.Version, h.Local = 2, command == 0
	if h.Local { // the family is ignored, and the rest skipped: section 2.2
		return h, n, nil
	}
	if family > local || transport > datagram || (family == unspec) != (transport == 0) {
		return h, 0, syntax2("0x%02x is no family with a transport", p[13])
	}
	if n-headerLength < addressLength[family] {
		return h, 0, syntax2("it is %d bytes, too short for its addresses", n)
	}
	if len(p) < n {
		return h, n, nil
	}
	h.Datagram = transport == datagram
	body := p[headerLength:n]
	h.Source, h.Destination = addresses(body, family, h.Datagram)
	return h, n, h.parseTLVs(p[:n], headerLength+addressLength[family])
}

// addresses reads both.
func addresses(p []byte, family byte, datagram bool) (source, destination net.Addr) {
	var a, b netip.Addr
	switch family {
	case inet:
		a, b = netip.AddrFrom4([4]byte(p)), netip.AddrFrom4([4]byte(p[4:]))
		p = p[8:]
	case inet6:
		a, b = netip.AddrFrom16([16]byte(p)), netip.AddrFrom16([16]byte(p[16:]))
		p = p[32:]
	case local:
		network := "unix"
		if datagram {
			network = "unixgram"
		}
		return &net.UnixAddr{Name: unixName(p[:unixLength]), Net: network},
			&net.UnixAddr{Name: unixName(p[unixLength : 2*unixLength]), Net: network}
	default:
		return nil, nil
	}
	from := netip.AddrPortFrom(a, binary.BigEndian.Uint16(p))
	to := netip.AddrPortFrom(b, binary.BigEndian.Uint16(p[2:]))
	if datagram {
		return net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to)
	}
	return net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to)
}

// unixName is a sun_path as package net writes it: an abstract one, which begins with a zero byte, with an @.
func unixName(p []byte) string {
	if p[0] == 0 {
		if name := strings.TrimRight(string(p[1:]), "\x00"); name != "" {
			return "@" + name
		}
		return ""
	}
	if i := bytes.IndexByte(p, 0); i >= 0 {
		p = p[:i]
	}
	return string(p)
}

// parseTLVs reads what follows the addresses, from there on, and checks the checksum of the whole.
func (h *Header) parseTLVs(whole []byte, at int) error {
	for at < len(whole) {
		if len(whole)-at < 3 {
			return syntax2("%d bytes are left over, too few for a TLV", len(whole)-at)
		}
		t, size := Type(whole[at]), int(binary.BigEndian.Uint16(whole[at+1:]))
		at += 3
		if size > len(whole)-at {
			return syntax2("a TLV of type 0x%02x has %d bytes, and %d are left", uint8(t), size, len(whole)-at)
		}
		value := whole[at : at+size : at+size]
		switch {
		case t == NoOp:
		case t == CRC32C:
			switch {
			case size != 4:
				return syntax2("its checksum has %d bytes", size)
			case h.Checksum:
				return syntax2("it has two checksums")
			case binary.BigEndian.Uint32(value) != checksum(whole, at):
				return syntax2("its checksum is wrong")
			}
			h.Checksum = true
		case t == UniqueID && size > maxUniqueID:
			return syntax2("its unique ID has %d bytes, more than %d", size, maxUniqueID)
		default:
			h.TLVs = append(h.TLVs, TLV{t, value})
		}
		at += size
	}
	return nil
}

// checksum is that of a header whose own four bytes are at that place, and count as zeros.
func checksum(whole []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, whole[:at])
	sum = crc32.Update(sum, castagnoli, make([]byte, 4))
	return crc32.Update(sum, castagnoli, whole[at+4:])
}

// append2 is Append for version 2.
func append2(dst []byte, h Header) ([]byte, error) {
	start := len(dst)
	out := append(dst, signature2...)
	out = append(out, 0x21, 0, 0, 0)
	var err error
	if h.Local {
		out[start+12] = 0x20
		if h.Source != nil || h.Destination != nil || len(h.TLVs) > 0 {
			return dst, errors.New("proxyproto: a local connection's header says nothing else: addresses and TLVs would be skipped")
		}
	} else if out, err = appendAddresses(out, start+13, h); err != nil {
		return dst, err
	}
	for _, x := range h.TLVs {
		switch {
		case x.Type == CRC32C:
			return dst, errors.New("proxyproto: the checksum is computed: set Header.Checksum")
		case len(x.Value) > 0xffff || x.Type == UniqueID && len(x.Value) > maxUniqueID:
			return dst, fmt.Errorf("proxyproto: a TLV of type 0x%02x with %d bytes is too long", uint8(x.Type), len(x.Value))
		}
		out = append(out, byte(x.Type), byte(len(x.Value)>>8), byte(len(x.Value)))
		out = append(out, x.Value...)
	}
	if h.Checksum {
		out = append(out, byte(CRC32C), 0, 4, 0, 0, 0, 0)
	}
	n := len(out) - start
	if n > MaxV2 {
		return dst, &LimitError{n, MaxV2}
	}
	binary.BigEndian.PutUint16(out[start+14:], uint16(n-headerLength))
	if h.Checksum {
		binary.BigEndian.PutUint32(out[len(out)-4:], checksum(out[start:], n-4))
	}
	return out, nil
}

// appendAddresses adds both, and notes their family at that place.
func appendAddresses(out []byte, at int, h Header) ([]byte, error) {
	if h.Source == nil && h.Destination == nil {
		return out, nil
	}
	transport := byte(stream)
	if h.Datagram {
		transport = datagram
	}
	if from, ok := h.Source.(*net.UnixAddr); ok {
		to, ok := h.Destination.(*net.UnixAddr)
		if !ok {
			return nil, errFamilies
		}
		out[at] = local<<4 | transport
		for _, name := range []string{from.Name, to.Name} {
			if len(name) > unixLength {
				return nil, fmt.Errorf("proxyproto: the path %q has more than %d bytes", name, unixLength)
			}
			path := make([]byte, unixLength)
			if copy(path, name); len(name) > 1 && name[0] == '@' {
				path[0] = 0
			}
			out = append(out, path...)
		}
		return out, nil
	}
	from, ok1 := addrPort(h.Source, h.Datagram)
	to, ok2 := addrPort(h.Destination, h.Datagram)
	if !ok1 || !ok2 {
		return nil, errFamilies
	}
	from, to, is4, err := oneFamily(from, to)
	if err != nil {
		return nil, err
	}
	out[at] = inet6<<4 | transport
	if is4 {
		out[at] = inet<<4 | transport
	}
	out = append(append(out, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(out, from.Port()), to.Port()), nil
}

// addrPort is the address of a socket of TCP, or of UDP.
func addrPort(a net.Addr, datagram bool) (netip.AddrPort, bool) {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort(), !datagram
	case *net.UDPAddr:
		return a.AddrPort(), datagram
	}
	return netip.AddrPort{}, false
}
