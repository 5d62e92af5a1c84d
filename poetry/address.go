package poetry

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is a host and a port that a client fetches a poem from, or an endpoint. The zero value is no address.
type Address struct {
	Host string // a name or an IP address without brackets
	Port int    // 1 to 65535

	// Endpoint is any other place, in place of both: in the words of the Client's Dial or Connect, which must then be set.
	Endpoint string
}

// String returns HOST:PORT, with brackets round an IPv6 host, as [net.Dial] takes it; or the Endpoint.
func (a Address) String() string {
	if a.Endpoint != "" {
		return a.Endpoint
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// ParseAddress reads [HOST:]PORT. Without a host, the address is on 127.0.0.1; an IPv6 host stands in brackets, as in
// [::1]:10000. A port that is no integer gives [ErrPortNotInteger], every other mistake another [UsageError].
// Safe from any goroutine.
func ParseAddress(s string) (Address, error) {
	host, port := "", s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	number, err := parsePort(port)
	if err != nil {
		return Address{}, err
	}
	if host == "" {
		return Address{Host: "127.0.0.1", Port: number}, nil
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if addr, err := netip.ParseAddr(inner); !ok || err != nil || !addr.Is6() {
			return Address{}, usageErrorf("The host %q is no IPv6 address: write it like [::1]:10000.", host)
		}
		return Address{Host: inner, Port: number}, checkHost(inner, s)
	}
	if strings.Contains(host, ":") {
		return Address{}, usageErrorf("The address %q has too many colons: write an IPv6 host in brackets, like [::1]:10000.", s)
	}
	if err := checkHost(host, s); err != nil {
		return Address{}, err
	}
	// Nobody's name ends in a number (RFC 3696, section 2): this is an address that was mistyped, and no resolver need be asked.
	if _, err := netip.ParseAddr(host); err != nil && strings.Contains(host, ".") && strings.Trim(host, "0123456789.") == "" {
		return Address{}, usageErrorf("The host %q is no IP address, which has four numbers from 0 to 255: write it like 127.0.0.1:10000.", host)
	}
	return Address{Host: host, Port: number}, nil
}

func parsePort(port string) (int, error) {
	n, err := strconv.Atoi(port)
	if err != nil && !isRange(err) || strings.HasPrefix(port, "+") {
		return 0, ErrPortNotInteger
	}
	if err != nil || n < 1 || n > 65535 {
		return 0, usageErrorf("The port %s is out of range: give one from 1 to 65535.", port)
	}
	return n, nil
}

func isRange(err error) bool {
	numErr, ok := err.(*strconv.NumError) //nolint:errorlint // Atoi documents this concrete type
	return ok && errors.Is(numErr.Err, strconv.ErrRange)
}

// checkHost refuses what no resolver knows, so that a URL or a stray blank is told from a server that is away.
func checkHost(host, whole string) error {
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@[]"`, r) }
	if strings.ContainsFunc(host, bad) {
		return usageErrorf("The address %q is not of the form [HOST:]PORT: write it like localhost:10000.", whole)
	}
	return nil
}
