// Package endpoint has places to listen at and to connect to as strings: the one argument by which any protocol runs over TCP, TLS or a Unix socket.
//
//	tcp:host:port        also host:port and :port alone, tcp4: and tcp6:
//	unix:/path           also a path alone; unix:@name is abstract (Linux)
//	tls:...              TLS over any of the others: tls:host:port, tls:unix:/path
//	systemd:             a socket that systemd has passed (sd_listen_fds), the only one; systemd:name or systemd:number says which
//	stdio:               standard input and output, as one connection
//
// Options follow a question mark, as in a URL: "tls::8443?cert=cert.pem&key=key.pem&maxconns=1000". In a path a question mark is written %3F and a per cent sign %25.
//
// To listen: backlog (connections), reuseport, maxconns, peraddr (connections from one address), idle and lifetime (durations).
// To connect: timeout (duration), delay (before the next of several addresses is tried; see rondo.Dialer.FallbackDelay), from (the address to come from).
// With tls, both: cert and key (files, PEM; read again once a minute by a server), ca (a file of those who may sign the peer's certificate; a server then asks for one), alpn (names, with commas between), handshake
// (duration). A server may be given selfsigned in place of cert and key. A client: name (the server's, if the address has another), insecure (the certificate is not checked: anybody may be there).
//
// Behind a proxy: proxy (v1, v2 or any: connections begin with a header of the PROXY protocol, before TLS; a client sends one, of v1 or v2; package proxied) and, for a server, trust (whose headers are
// believed: networks, addresses, unix for those who come by a Unix socket, or any for everybody, with commas between).
package endpoint

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
)

// Endpoint is a place. It is made by [Parse].
type Endpoint struct {
	TLS     bool
	Kind    string // "tcp", "tcp4", "tcp6", "unix", "systemd" or "stdio"
	Address string // host:port, path or name
	options url.Values
}

// SyntaxError says what is wrong with an endpoint's string.
type SyntaxError struct{ Endpoint, Reason string }

func (e *SyntaxError) Error() string { return fmt.Sprintf("endpoint %q: %s", e.Endpoint, e.Reason) }

// option says of an option what its value is, and whom it is for.
type option struct {
	check          func(value string) string // what is wrong with it; empty if nothing is
	listen, dial   bool
	tls, flag, tcp bool
}

var options = map[string]option{
	"backlog":    {check: number, listen: true},
	"reuseport":  {flag: true, listen: true, tcp: true},
	"maxconns":   {check: number, listen: true},
	"peraddr":    {check: number, listen: true, tcp: true},
	"idle":       {check: duration, listen: true},
	"lifetime":   {check: duration, listen: true},
	"timeout":    {check: duration, dial: true},
	"delay":      {check: duration, dial: true, tcp: true},
	"from":       {check: filled, dial: true},
	"cert":       {check: filled, listen: true, dial: true, tls: true},
	"key":        {check: filled, listen: true, dial: true, tls: true},
	"ca":         {check: filled, listen: true, dial: true, tls: true},
	"alpn":       {check: filled, listen: true, dial: true, tls: true},
	"handshake":  {check: duration, listen: true, dial: true, tls: true},
	"selfsigned": {flag: true, listen: true, tls: true},
	"name":       {check: filled, dial: true, tls: true},
	"insecure":   {flag: true, dial: true, tls: true},
	"proxy":      {check: version, listen: true, dial: true},
	"trust":      {check: trusted, listen: true},
}

func number(s string) string {
	if n, err := strconv.Atoi(s); err != nil || n < 1 || strings.HasPrefix(s, "+") {
		return "give a whole number of 1 or more"
	}
	return ""
}

func duration(s string) string {
	if d, err := time.ParseDuration(s); err != nil || d <= 0 {
		return "give a duration like 30s"
	}
	return ""
}

func filled(s string) string {
	if s == "" {
		return "give it a value"
	}
	return ""
}

// Parse reads an endpoint. The error is a *SyntaxError.
func Parse(s string) (Endpoint, error) {
	e, why := parse(s)
	if why != "" {
		return Endpoint{}, &SyntaxError{s, why}
	}
	return e, nil
}

func parse(s string) (e Endpoint, why string) {
	place, query, asked := strings.Cut(s, "?")
	if rest, ok := strings.CutPrefix(place, "tls:"); ok {
		e.TLS, place = true, rest
	}
	e.Kind, e.Address = "tcp", place
	if strings.HasPrefix(place, "/") || strings.HasPrefix(place, "./") || strings.HasPrefix(place, "@") {
		e.Kind = "unix"
	} else if kind, rest, ok := strings.Cut(place, ":"); ok && slices.Contains([]string{"tcp", "tcp4", "tcp6", "unix", "systemd", "stdio"}, kind) {
		e.Kind, e.Address = kind, rest
	} else if ok && kind == "tls" {
		return e, "it has tls: twice"
	}
	switch e.Kind {
	case "unix":
		path, err := url.PathUnescape(e.Address)
		switch {
		case err != nil:
			return e, "a per cent sign in a path is written %25"
		case path == "" || path == "@":
			return e, "a Unix socket needs a path, like unix:/tmp/socket"
		}
		e.Address = path
	case "stdio":
		if e.Address != "" {
			return e, "standard input and output have no address: write stdio: alone"
		}
	case "systemd":
	default:
		if why := checkAddress(e.Address); why != "" {
			return e, why
		}
	}
	if !asked {
		return e, ""
	}
	var err error
	if e.options, err = url.ParseQuery(query); err != nil {
		return e, "the options are not of the form name=value, with & between them"
	}
	if len(e.options) == 0 {
		return e, "there are no options behind the question mark"
	}
	return e, e.checkOptions()
}

func checkAddress(s string) string {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "an address of TCP is host:port, like 127.0.0.1:7000, [::1]:7000 or :7000"
	}
	n, err := strconv.Atoi(port)
	if err == nil && (n < 0 || n > 65535) || port == "" {
		return "ports go from 0 to 65535"
	}
	return ""
}

func (e Endpoint) checkOptions() string {
	for name, values := range e.options {
		o, known := options[name]
		switch {
		case !known:
			return fmt.Sprintf("there is no option %q", name)
		case len(values) > 1:
			return fmt.Sprintf("the option %s is there twice", name)
		case o.tls && !e.TLS:
			return fmt.Sprintf("the option %s is for tls: only", name)
		case o.tcp && !strings.HasPrefix(e.Kind, "tcp"):
			return fmt.Sprintf("the option %s is for TCP only", name)
		case o.flag && values[0] != "":
			return fmt.Sprintf("the option %s has no value", name)
		case !o.flag:
			if why := o.check(values[0]); why != "" {
				return fmt.Sprintf("the option %s: %s", name, why)
			}
		}
	}
	switch {
	case e.has("cert") != e.has("key"):
		return "cert and key go together"
	case e.has("cert") && e.has("selfsigned"):
		return "a certificate is in files or self-signed: give cert and key, or selfsigned"
	case e.has("trust") && !e.has("proxy"):
		return "trust says whose PROXY headers are believed, and proxy is not there"
	case e.has("ca") && e.has("insecure"):
		return "insecure checks nothing and ca says what to check: give one of them"
	}
	return ""
}

// String is the endpoint as [Parse] reads it.
func (e Endpoint) String() string {
	var b strings.Builder
	if e.TLS {
		b.WriteString("tls:")
	}
	address := e.Address
	if e.Kind == "unix" {
		address = strings.NewReplacer("%", "%25", "?", "%3F").Replace(address)
	}
	b.WriteString(e.Kind + ":" + address)
	for i, name := range slices.Sorted(mapsKeys(e.options)) {
		b.WriteString(map[bool]string{true: "?", false: "&"}[i == 0])
		b.WriteString(url.QueryEscape(name))
		if !options[name].flag {
			b.WriteString("=" + url.QueryEscape(e.options.Get(name)))
		}
	}
	return b.String()
}

func mapsKeys(m url.Values) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (e Endpoint) has(name string) bool { return e.options.Has(name) }

func (e Endpoint) duration(name string) time.Duration {
	d, _ := time.ParseDuration(e.options.Get(name)) // Parse has looked
	return d
}

func (e Endpoint) number(name string) int {
	n, _ := strconv.Atoi(e.options.Get(name)) // likewise
	return n
}

// only refuses options that are not for this purpose.
func (e Endpoint) only(listen bool) error {
	for _, name := range slices.Sorted(mapsKeys(e.options)) {
		if o := options[name]; listen && !o.listen {
			return &SyntaxError{e.String(), fmt.Sprintf("the option %s is for connecting, and not for listening", name)}
		} else if !listen && !o.dial {
			return &SyntaxError{e.String(), fmt.Sprintf("the option %s is for listening, and not for connecting", name)}
		}
	}
	if why := e.checkProxy(listen); why != "" {
		return &SyntaxError{e.String(), why}
	}
	return nil
}

// Server is something that listens. A [rondo.Listener] is one. Any goroutine may call its methods.
type Server interface {
	Addr() net.Addr
	Close() error
	OnClose(fn func())
}

// Listen listens at the endpoint of that string: see [Endpoint.Listen].
func Listen(e *rondo.Engine, endpoint string, accept func() rondo.Protocol) (Server, error) {
	at, err := Parse(endpoint)
	if err != nil {
		return nil, err
	}
	return at.Listen(e, accept)
}

// Listen accepts connections and gives each a protocol, as [rondo.Engine.Listen] does. For standard input and output there is one, at once, with whose end the server closes. The error is a *SyntaxError for an option that is for connecting, an
// error about certificates, or Engine.Listen's. It may read files: not on a loop.
func (e Endpoint) Listen(engine *rondo.Engine, accept func() rondo.Protocol) (Server, error) {
	cfg, stop, err := e.listenConfig(engine)
	if err != nil {
		return nil, err
	}
	s, err := e.listen(engine, cfg, accept)
	if err != nil {
		stop()
		return nil, err
	}
	s.OnClose(stop)
	return s, nil
}

// listenConfig is what the options say, and what ends looking after certificates.
func (e Endpoint) listenConfig(engine *rondo.Engine) (cfg rondo.ListenConfig, stop func(), err error) {
	if err := e.only(true); err != nil {
		return cfg, nil, err
	}
	cfg = rondo.ListenConfig{
		Backlog: e.number("backlog"), ReusePort: e.has("reuseport"), MaxConns: e.number("maxconns"), MaxConnsPerAddr: e.number("peraddr"),
		IdleTimeout: e.duration("idle"), Lifetime: e.duration("lifetime"),
	}
	stop = func() {}
	if e.TLS {
		if cfg.Wrap, stop, err = e.serverTLS(engine); err != nil {
			return cfg, nil, err
		}
	}
	cfg.Wrap = e.expectProxy(cfg.Wrap)
	return cfg, stop, nil
}

func (e Endpoint) listen(engine *rondo.Engine, cfg rondo.ListenConfig, accept func() rondo.Protocol) (Server, error) {
	if e.Kind == "stdio" {
		return listenStdio(engine, cfg, accept)
	}
	ln, err := e.bind(engine, cfg)
	if err != nil {
		return nil, err
	}
	if err := ln.Serve(accept); err != nil {
		return nil, err
	}
	return ln, nil
}

// bind takes the address, or the socket that was passed.
func (e Endpoint) bind(engine *rondo.Engine, cfg rondo.ListenConfig) (*rondo.Listener, error) {
	if e.Kind != "systemd" {
		return cfg.Bind(engine, e.Kind, e.Address)
	}
	f, err := activatedBy(e.Address)
	if err != nil {
		return nil, err
	}
	return cfg.BindFile(engine, f)
}

// Dial connects to the endpoint of that string: see [Endpoint.Dial]. A string that is none fails with its *SyntaxError.
func Dial(ctx context.Context, e *rondo.Engine, endpoint string, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	at, err := Parse(endpoint)
	if err != nil {
		return failed(e.Loop(), err)
	}
	return at.Dial(ctx, e, nil, p)
}

// Dial connects as [rondo.Engine.Dial] does, to a loop if one is given. Any goroutine may call it, but that certificates in files are read at each call: off the loops then.
func (e Endpoint) Dial(ctx context.Context, engine *rondo.Engine, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	dial, err := e.Dialer()
	if err != nil {
		return failed(cmp.Or(l, engine.Loop()), err)
	}
	return dial(ctx, engine, l, p)
}

// DialFunc connects, on that loop or, if it is nil, on one that the engine chooses.
type DialFunc func(ctx context.Context, e *rondo.Engine, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn]

// Dialer reads what there is to read, and returns what connects. For who connects more than once, on loops. The error is a *SyntaxError for an endpoint that one does not connect to, or one about certificates.
func (e Endpoint) Dialer() (DialFunc, error) {
	if err := e.only(false); err != nil {
		return nil, err
	}
	if e.Kind == "systemd" || e.Kind == "stdio" {
		return nil, &SyntaxError{e.String(), "it is for listening, and not for connecting"}
	}
	d := rondo.Dialer{Timeout: e.duration("timeout"), FallbackDelay: e.duration("delay")}
	if from := e.options.Get("from"); from != "" {
		var err error
		if d.LocalAddr, err = e.localAddr(from); err != nil {
			return nil, &SyntaxError{e.String(), "the option from: give an address of this machine"}
		}
	}
	if !e.TLS {
		return func(ctx context.Context, engine *rondo.Engine, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
			d := d
			d.Loop = l
			e.sendProxy(&d, p)
			return d.Dial(ctx, engine, e.Kind, e.Address, p)
		}, nil
	}
	cfg, err := e.clientTLS()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, engine *rondo.Engine, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
		d := d
		d.Loop = l
		e.sendProxy(&d, p)
		return cfg.DialWith(ctx, engine, d, e.Kind, e.Address, p)
	}, nil
}

func (e Endpoint) localAddr(from string) (net.Addr, error) {
	if e.Kind == "unix" {
		return &net.UnixAddr{Name: from, Net: "unix"}, nil
	}
	ip := net.ParseIP(from)
	if ip == nil {
		return nil, net.InvalidAddrError(from)
	}
	return &net.TCPAddr{IP: ip}, nil
}

func failed(l *rondo.Loop, err error) *rondo.Future[*rondo.Conn] {
	p := rondo.NewPromise[*rondo.Conn](l)
	p.Reject(err)
	return p.Future()
}
