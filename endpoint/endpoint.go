// Package endpoint is where a server listens or a client connects, in one string: by changing it, any protocol runs over TCP, TLS or a Unix socket, over sockets that a service
// manager has opened, or over standard input and output.
//
//	ln, err := endpoint.Listen(e, "tcp:127.0.0.1:7000", accept)
//	ln, err := endpoint.Listen(e, "tls::7443?cert=cert.pem&key=key.pem", accept)
//	ln, err := endpoint.Listen(e, "unix:/run/echo.sock", accept)
//	c, err := endpoint.Dial(ctx, e, "tls:example.com:7443", p).Wait(ctx)
//
// # Where
//
//	tcp:host:port    host may be empty: for a server all addresses of this machine, for a client this machine; IPv6 in brackets
//	tcp4: tcp6:      of one family only
//	unix:/path       a Unix socket, and on Linux unix:@name, which has no file (an abstract one)
//	tls:host:port    TLS over tcp; tls+X: over any X of this list
//	systemd:         for servers: all sockets that the service manager has passed (package activation);
//	                 systemd:NAME those of that name, systemd:0 the first
//	stdio:           for servers: one connection, on standard input and output
//
// Without one of these words "host:port" and ":port" are of tcp, and "/path" and "@name" of unix.
//
// # How
//
// Options follow in the form of a URL's query: tcp::80?backlog=100&reuseport. Those of the servers are
//
//	backlog=N        connections that may wait to be accepted: rondo.ListenConfig.Backlog
//	reuseport        a socket for each loop: rondo.ListenConfig.ReusePort
//	maxconns=N       connections open at a time: rondo.ListenConfig.MaxConns
//	peraddr=N        connections from one address: rondo.ListenConfig.MaxConnsPerAddr
//	idle=D           how long a connection may be idle, and
//	lifetime=D       how long it may last: rondo.ListenConfig.IdleTimeout and Lifetime
//	                 (of these six, standard input and output take the last two only)
//	trust=P,P        with proxy=: the networks (10.0.0.0/8) and addresses of the proxies; unix for all that come by a Unix socket, any for everybody
//	selfsigned       with TLS: a certificate for localhost, made for this run (secure.SelfSigned)
//
// those of the clients
//
//	timeout=D        for connecting (2s, 500ms), and as long again for the handshake of TLS; 30s and 10s without it
//	name=HOST        with TLS: the name that the server must have, in place of the host's
//	insecure         with TLS: whoever answers is taken for the server
//
// and those of both
//
//	cert=FILE        with TLS: the certificate (PEM), with those between it and the CA's; for a client the one that it shows when it is asked
//	key=FILE         its key (PEM); without it the key is in cert's file
//	ca=FILE          certificates (PEM): a server's clients must have one that is signed by one of them, a client's server too, in place of the system's
//	alpn=A,B         the protocols to agree on, the best first
//	proxy=V          the PROXY protocol (package proxied): a server expects its header, of v1, v2 or any; a client sends it, of v1 or v2
//
// A server looks at cert's and key's files once a minute and uses what they have become.
//
// In paths and in the options' values %XX stands for a byte. It must where the byte would be mistaken: %25 is a percent sign, %3F a question mark in a path, %26 an ampersand and %2C a comma in a value.
package endpoint

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Endpoint is a string that was parsed, or built field by field. It is a value that nobody changes behind its owner's back, as long as its slices are left alone.
type Endpoint struct {
	Network string // "tcp", "tcp4", "tcp6", "unix", "systemd" or "stdio"
	Address string // host:port, a path or "@name"; of systemd a name, a number, or nothing; of stdio nothing
	TLS     bool   // the tls+ in front of it

	Options
}

// Options are what follows the question mark; the package comment says what they mean. Those that are zero are not given.
type Options struct {
	Backlog   int
	ReusePort bool
	MaxConns  int

	MaxConnsPerAddr       int
	IdleTimeout, Lifetime time.Duration

	Trust      []netip.Prefix // of trust=, without the words
	TrustUnix  bool           // trust=unix, or any
	SelfSigned bool

	Timeout  time.Duration
	Name     string
	Insecure bool

	Cert, Key, CA string
	ALPN          []string
	Proxy         string // "v1", "v2" or "any"
}

// Error says what is wrong with an endpoint's string.
type Error struct {
	Endpoint string // as it was given
	Reason   string
}

func (e *Error) Error() string { return fmt.Sprintf("endpoint %q: %s", e.Endpoint, e.Reason) }

// networks are the words before the address, without tls+.
var networks = []string{"tcp", "tcp4", "tcp6", "unix", "systemd", "stdio"}

// Parse reads an endpoint. The error is an [*Error]. What is well-formed can still be refused by Listen or Dial, for which it is not meant.
func Parse(s string) (Endpoint, error) {
	x, reason := parse(s)
	if reason != "" {
		return Endpoint{}, &Error{s, reason}
	}
	return x, nil
}

func parse(s string) (x Endpoint, reason string) {
	where, how, _ := strings.Cut(s, "?")
	if x.Network, x.Address, x.TLS = split(where); x.Network == "" {
		return x, `it begins with none of tcp:, tcp4:, tcp6:, unix:, tls:, tls+unix:, systemd: and stdio:, and is neither host:port nor /path`
	}
	if x.TLS && x.Network == "tcp" {
		if reason = afterTLS(x.Address); reason != "" {
			return x, reason
		}
	}
	if x.Address, reason = address(x.Network, x.Address); reason != "" {
		return x, reason
	}
	if reason = x.parseOptions(how); reason != "" {
		return x, reason
	}
	return x, x.check()
}

// split takes the words in front of the address off.
func split(s string) (network, rest string, tls bool) {
	word, after, found := strings.Cut(s, ":")
	if found {
		if word == "tls" {
			return "tcp", after, true
		}
		if network, tls = strings.CutPrefix(word, "tls+"); slices.Contains(networks, network) {
			return network, after, tls
		}
	}
	switch {
	case strings.HasPrefix(s, "/") || strings.HasPrefix(s, "@"):
		return "unix", s, false
	case found && !tls:
		return "tcp", s, false
	}
	return "", "", false
}

// address is the address in the form in which it is kept and printed, apart from escapes.
func address(network, s string) (canonical, reason string) {
	switch network {
	case "unix", "systemd":
		var ok bool
		if s, ok = unescape(s); !ok {
			return "", `a percent sign must be followed by two hexadecimal digits: write it as %25`
		}
		switch {
		case network == "systemd" && strings.Contains(s, ":"):
			return "", "the name of a passed socket has no colon in it"
		case strings.Contains(s, "\x00"):
			return "", "a zero byte cannot be part of it"
		case network == "unix" && (s == "" || s == "@"):
			return "", "a Unix socket needs a path, or @ and a name"
		}
		return s, ""
	case "stdio":
		if s != "" {
			return "", "standard input and output have no address: write stdio:"
		}
		return "", ""
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Sprintf("the address %q is not host:port (an IPv6 address goes into brackets: [::1]:80)", s)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("/[]", r) }) {
		return "", fmt.Sprintf("%q is no host", host)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil && !isService(port) {
		return "", fmt.Sprintf("%q is no port: it is a number from 0 to 65535, or the name of a service", port)
	}
	return net.JoinHostPort(host, port), ""
}

// afterTLS says how it is written if what follows tls: is itself an endpoint, and no host of such a name and its port.
func afterTLS(s string) (reason string) {
	word, rest, found := strings.Cut(s, ":")
	_, err := strconv.ParseUint(rest, 10, 16)
	switch {
	case !found || err == nil || !slices.Contains(networks, word):
		return ""
	case word == "unix":
		return "TLS over a Unix socket is written tls+" + s
	case word == "tcp":
		return "TLS over tcp is written tls:" + rest
	default:
		return fmt.Sprintf("TLS over %s is written tls+%s", word, s)
	}
}

// isService reports whether s can be the name of a service (RFC 6335, section 5.1).
func isService(s string) bool {
	letter := false
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
			letter = true
		case '0' <= r && r <= '9' || r == '-':
		default:
			return false
		}
	}
	return letter
}

// String is a string that Parse makes the same endpoint of.
func (x Endpoint) String() string {
	word := x.Network
	switch {
	case x.TLS && word == "tcp":
		word = "tls"
	case x.TLS:
		word = "tls+" + word
	}
	where := x.Address
	if x.Network == "unix" || x.Network == "systemd" {
		where = escape(where, "?")
	}
	return word + ":" + where + x.Options.query()
}

// escape writes s with those bytes, percent signs and control characters as %XX.
func escape(s, special string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c == '%' || c < ' ' || c == 0x7f || strings.IndexByte(special, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape undoes escape. It reports whether s is well-formed.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		c, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), true
}
