package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/rondo-go/rondo/endpoint"
)

// place reads where to listen or connect: [HOST:]PORT or unix:PATH, which are on loopback unless they say otherwise, with tls: before it if need be; or an endpoint with all that it may say.
func place(what, s string) (endpoint.Endpoint, error) {
	rest, encrypted := strings.CutPrefix(s, "tls:")
	kind, _, ok := strings.Cut(rest, ":")
	if strings.Contains(s, "?") || ok && (strings.HasPrefix(kind, "tls+") || slices.Contains([]string{"tcp", "tcp4", "tcp6", "systemd", "stdio"}, kind)) {
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

// bare is an endpoint as it is told to people: without its options.
func bare(at endpoint.Endpoint) string {
	s := at.Address
	if at.Network != "tcp" {
		s = at.Network + ":" + s
	}
	if at.TLS {
		s = "tls:" + s
	}
	return s
}
