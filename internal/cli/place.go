package cli

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/rondo-go/rondo/endpoint"
)

// place reads where to listen or connect: [HOST:]PORT or unix:PATH (or /PATH, or @NAME), which are on loopback unless they say otherwise, with tls: before the first of them if need be; or an endpoint with all that it may say.
func place(what, s string) (endpoint.Endpoint, error) {
	s = unixWord(s)
	rest, encrypted := strings.CutPrefix(s, "tls:")
	kind, _, ok := strings.Cut(rest, ":")
	words := []string{"tcp", "tcp4", "tcp6", "systemd", "stdio"}
	if strings.Contains(s, "?") || ok && (strings.HasPrefix(kind, "tls+") || slices.Contains(words, kind) || encrypted && kind == "unix") {
		at, err := endpoint.Parse(s)
		if wrongly, ok := errors.AsType[*endpoint.Error](err); ok {
			return at, wrong("%s: %q: %s.", what, s, wrongly.Reason)
		}
		if strings.HasPrefix(at.Network, "tcp") && strings.HasPrefix(at.Address, ":") { // on loopback unless it says otherwise
			at.Address = map[bool]string{true: "[::1]", false: "127.0.0.1"}[at.Network == "tcp6"] + at.Address
		}
		return at, err
	}
	if s == "" {
		return endpoint.Endpoint{}, wrong("%s: \"\" is no address: give one like 127.0.0.1:7000 or unix:PATH.", what)
	}
	network, address, err := listenOn(what, rest)
	return endpoint.Endpoint{Network: network, Address: address, TLS: encrypted}, err
}

// unixWord puts the word in front of a Unix socket's path or name that has none, as package endpoint understands it.
func unixWord(s string) string {
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, "@") {
		return "unix:" + s
	}
	return s
}

// looksLikeIP reports whether a host can only be meant as an IPv4 address, and is none: the last label of a name is no number (RFC 3696, section 2).
func looksLikeIP(host string) bool {
	_, err := netip.ParseAddr(host)
	return err != nil && strings.Contains(host, ".") && strings.Trim(host, "0123456789.") == ""
}

// bare is an endpoint as it is told to people: without its options.
func bare(at endpoint.Endpoint) string {
	switch {
	case at.Network == "tcp" && at.TLS:
		return "tls:" + at.Address
	case at.Network == "tcp":
		return at.Address
	case at.TLS:
		return "tls+" + at.Network + ":" + at.Address
	}
	return at.Network + ":" + at.Address
}
