package endpoint

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/activation"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/secure"
)

// Listen accepts connections at an endpoint and gives each a protocol made by accept, as [rondo.Engine.Listen] does. The error is an [*Error] when the string is wrong or not for
// a server, else of what could not be done. It reads the files that the endpoint names, and may look a host up: not on a loop.
func Listen(e *rondo.Engine, s string, accept func() rondo.Protocol) (*Listener, error) {
	ln, err := Bind(e, s)
	if err != nil {
		return nil, err
	}
	return ln, ln.Serve(accept)
}

// ListenNet is Listen for code that wants a net.Listener, as [rondo.Engine.ListenNet] is. An endpoint of several sockets, or of standard input and output, has none.
func ListenNet(e *rondo.Engine, s string) (net.Listener, error) {
	ln, err := Bind(e, s)
	if err != nil {
		return nil, err
	}
	return ln.ServeNet()
}

// Bind is the first half of Listen: the addresses are taken, and connections wait until the listener is served. It must be served or closed.
func Bind(e *rondo.Engine, s string) (*Listener, error) {
	x, err := Parse(s)
	if err != nil {
		return nil, err
	}
	return x.Bind(e)
}

// Bind is the function Bind for an endpoint that was parsed, or built.
func (x Endpoint) Bind(e *rondo.Engine) (*Listener, error) {
	if reason := cmp.Or(x.check(), x.checkFor(server)); reason != "" {
		return nil, &Error{x.String(), reason}
	}
	cfg := rondo.ListenConfig{Backlog: x.Backlog, ReusePort: x.ReusePort, MaxConns: x.MaxConns, MaxConnsPerAddr: x.MaxConnsPerAddr, IdleTimeout: x.IdleTimeout, Lifetime: x.Lifetime}
	ln := &Listener{engine: e}
	var files *secure.Files
	if x.TLS {
		config, f, err := x.serverTLS(e.Loop())
		if err != nil {
			return nil, err
		}
		files = f
		cfg.Wrap = secure.Config{TLS: config}.Server
	}
	if x.Proxy != "" {
		cfg.Wrap = x.proxied(cfg.Wrap)
	}
	switch x.Network {
	case "stdio":
		ln.stdio = newStdio(e, cfg)
	case "systemd":
		sockets, err := x.passed()
		if err != nil {
			return nil, err
		}
		for _, s := range sockets {
			one, err := cfg.BindFile(e, s.File)
			if err != nil {
				_ = ln.Close()
				return nil, fmt.Errorf("the passed socket %s: %w", s.Name, err)
			}
			ln.listeners = append(ln.listeners, one)
		}
	default:
		one, err := cfg.Bind(e, x.Network, x.Address)
		if err != nil {
			return nil, err
		}
		ln.listeners = []*rondo.Listener{one}
	}
	if files != nil {
		ln.OnClose(files.Watch(e.Loop(), time.Minute))
	}
	return ln, nil
}

// proxied has connections begin with a PROXY header, before what wrap adds.
func (x Endpoint) proxied(wrap func(func() rondo.Protocol) func() rondo.Protocol) func(func() rondo.Protocol) func() rondo.Protocol {
	cfg := proxied.Config{Trust: x.Trust, TrustUnix: x.TrustUnix, Versions: versions[x.Proxy]}
	return func(accept func() rondo.Protocol) func() rondo.Protocol {
		if wrap != nil {
			accept = wrap(accept)
		}
		return cfg.Server(accept)
	}
}

// versions are what proxy= can be.
var versions = map[string]proxied.Versions{"v1": proxied.V1, "v2": proxied.V2, "any": proxied.Any}

// passed are the sockets of the service manager that the endpoint means.
func (x Endpoint) passed() ([]activation.Socket, error) {
	all, err := activation.Sockets()
	if err != nil || x.Address == "" {
		return all, err
	}
	if i, err := strconv.ParseUint(x.Address, 10, 16); err == nil {
		if i >= uint64(len(all)) {
			return nil, &Error{x.String(), fmt.Sprintf("there are %d passed sockets, the first of which is systemd:0", len(all))}
		}
		return all[i : i+1], nil
	}
	var named []activation.Socket
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
		if s.Name == x.Address {
			named = append(named, s)
		}
	}
	if len(named) == 0 {
		return nil, &Error{x.String(), fmt.Sprintf("no passed socket has this name: there are %q", slices.Compact(names))}
	}
	return named, nil
}

// Listener is what an endpoint has opened: one socket, several of a service manager's, or standard input and output. Any goroutine may use it.
type Listener struct {
	engine    *rondo.Engine
	listeners []*rondo.Listener
	stdio     *stdio // in their place
}

// Serve accepts connections and gives each a protocol made by accept, as [rondo.Listener.Serve] does. An error closes the listener.
func (ln *Listener) Serve(accept func() rondo.Protocol) error {
	if ln.stdio != nil {
		return ln.stdio.serve(accept)
	}
	for _, one := range ln.listeners {
		if err := one.Serve(accept); err != nil {
			_ = ln.Close()
			return err
		}
	}
	return nil
}

// ServeNet is Serve for code that wants a net.Listener. It must be one socket.
func (ln *Listener) ServeNet() (net.Listener, error) {
	if len(ln.listeners) != 1 {
		_ = ln.Close()
		return nil, fmt.Errorf("endpoint: a net.Listener is one socket, and this is %v", ln.Addrs())
	}
	return ln.listeners[0].ServeNet()
}

// Addr is the address of the first socket, with the port that was chosen. That of standard input and output has the network "stdio".
func (ln *Listener) Addr() net.Addr { return ln.Addrs()[0] }

// Addrs are those of all of them.
func (ln *Listener) Addrs() []net.Addr {
	if ln.stdio != nil {
		return []net.Addr{stdioAddr{}}
	}
	addrs := make([]net.Addr, len(ln.listeners))
	for i, one := range ln.listeners {
		addrs[i] = one.Addr()
	}
	return addrs
}

// Listeners are the sockets; none for standard input and output.
func (ln *Listener) Listeners() []*rondo.Listener { return slices.Clone(ln.listeners) }

// Close stops accepting, as [rondo.Listener.Close] does; the connection over standard input and output goes on like any other. The error is always nil.
func (ln *Listener) Close() error {
	if ln.stdio != nil {
		ln.stdio.close()
	}
	for _, one := range ln.listeners {
		_ = one.Close()
	}
	return nil
}

// Err is why the connection over standard input and output was not served to its end: it could not be made, was lost, or one of the two could not be read or written. It is
// nil while that goes on, and for other endpoints, whose connections tell their own protocols.
func (ln *Listener) Err() error {
	if ln.stdio == nil {
		return nil
	}
	return ln.stdio.failed()
}

// OnClose has fn called once, when no more connections can come: see [rondo.Listener.OnClose]. Standard input and output are closed when their only connection has ended and what it
// has written is out.
func (ln *Listener) OnClose(fn func()) {
	if ln.stdio != nil {
		ln.stdio.onClose(fn)
		return
	}
	var left atomic.Int32
	left.Store(int32(len(ln.listeners)))
	for _, one := range ln.listeners {
		one.OnClose(func() {
			if left.Add(-1) == 0 {
				fn()
			}
		})
	}
}
