package proxyproto

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

func syntax1(format string, args ...any) error { return &SyntaxError{1, fmt.Sprintf(format, args...)} }

// parse1 is Parse of what begins like version 1 (section 2.1).
func parse1(p []byte) (h Header, n, need int, err error) {
	end := bytes.Index(p[:min(len(p), MaxV1)], []byte("\r\n"))
	if end < 0 {
		if len(p) >= MaxV1 {
			return h, 0, 0, syntax1("there is no CRLF in its first %d bytes", MaxV1)
		}
		return h, 0, len(p) + 1, nil
	}
	h.Version = 1
	fields := strings.Split(string(p[len(signature1):end]), " ")
	if fields[0] == "UNKNOWN" {
		return h, end + 2, 0, nil // what follows is to be ignored
	}
	if len(fields) != 5 {
		return Header{}, 0, 0, syntax1("it has %d fields after PROXY, and needs 5", len(fields))
	}
	family := fields[0]
	if family != "TCP4" && family != "TCP6" {
		return Header{}, 0, 0, syntax1("%q is neither TCP4, TCP6 nor UNKNOWN", family)
	}
	var ends [2]*net.TCPAddr
	for i := range ends {
		ip, err := netip.ParseAddr(fields[1+i])
		if err != nil || ip.Zone() != "" || ip.Is4() != (family == "TCP4") {
			return Header{}, 0, 0, syntax1("%q is no address of %s", fields[1+i], family)
		}
		port, ok := parsePort(fields[3+i])
		if !ok {
			return Header{}, 0, 0, syntax1("%q is no port: it must be a number from 0 to 65535", fields[3+i])
		}
		ends[i] = net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, port))
	}
	h.Source, h.Destination = ends[0], ends[1]
	return h, end + 2, 0, nil
}

// parsePort reads a port, in digits and without zeros in front.
func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && strconv.FormatUint(n, 10) == s
}

// append1 is Append for version 1.
func append1(dst []byte, h Header) ([]byte, error) {
	if h.Local || h.Datagram || len(h.TLVs) > 0 || h.Checksum {
		return dst, errors.New("proxyproto: version 1 knows no local connections, datagrams, TLVs nor checksums: use version 2")
	}
	if h.Source == nil && h.Destination == nil {
		return append(dst, "PROXY UNKNOWN\r\n"...), nil
	}
	from, ok1 := h.Source.(*net.TCPAddr)
	to, ok2 := h.Destination.(*net.TCPAddr)
	if !ok1 || !ok2 {
		return append(dst, "PROXY UNKNOWN\r\n"...), nil // a Unix socket: there are no words for it
	}
	a, b, is4, err := oneFamily(from.AddrPort(), to.AddrPort())
	if err != nil {
		return dst, err
	}
	family := "TCP6"
	if is4 {
		family = "TCP4"
	}
	return fmt.Appendf(dst, "PROXY %s %s %s %d %d\r\n", family, a.Addr(), b.Addr(), a.Port(), b.Port()), nil
}

// oneFamily has two addresses be of one family: an IPv4 one beside an IPv6 one is mapped into that. Zones mean nothing elsewhere.
func oneFamily(a, b netip.AddrPort) (x, y netip.AddrPort, is4 bool, err error) {
	p, q := a.Addr().Unmap().WithZone(""), b.Addr().Unmap().WithZone("")
	if !p.IsValid() || !q.IsValid() {
		return a, b, false, errors.New("proxyproto: an address of TCP or UDP has no IP")
	}
	is4 = p.Is4() && q.Is4()
	if !is4 {
		p, q = netip.AddrFrom16(p.As16()), netip.AddrFrom16(q.As16())
	}
	return netip.AddrPortFrom(p, a.Port()), netip.AddrPortFrom(q, b.Port()), is4, nil
}
