package rondo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// Dialer says how connections are made. The zero Dialer is the usual one.
type Dialer struct {
	// Timeout bounds the whole: looking the name up and trying all its addresses. Zero means 30
	// seconds, less than zero no limit but the operating system's.
	Timeout time.Duration

	// FallbackDelay is how long one address of a name is given before the next is tried beside it (RFC 8305, Happy Eyeballs, section 5): the first that connects is taken and
	// the others are given up. An address that fails makes room for the next at once. (The resolver is asked once for both families: nothing begins before its answer.) Zero means 250 milliseconds. Less than zero has each address tried when the one before
	// has failed, or has used up its share of Timeout.
	FallbackDelay time.Duration

	// IdleTimeout and Lifetime are set for the connection, as by Conn.SetIdleTimeout and Conn.SetLifetime; its protocol may change them. Zero means none.
	IdleTimeout, Lifetime time.Duration

	// LocalAddr is the address to come from: a *net.TCPAddr or *net.UnixAddr. Nil leaves the choice
	// to the operating system.
	LocalAddr net.Addr

	// Resolver looks names up. Nil means net.DefaultResolver, or the names of a simulation.
	Resolver *net.Resolver

	// Wrap goes round the protocol of the connection, below TLS (package secure) where there is any: package proxied begins a connection so. Nil leaves it as it is.
	Wrap func(p Protocol) Protocol

	// Loop is the loop that the connection will belong to. Nil means the one with the fewest.
	Loop *Loop
}

const (
	defaultDialTimeout = 30 * time.Second

	// The least time that one of several addresses is given; as in package net.
	minAddressTimeout = 2 * time.Second

	// How long one address is given before the next is tried beside it (RFC 8305, section 8).
	fallbackDelay = 250 * time.Millisecond

	// How often a Unix socket whose backlog is full is tried again.
	unixRetry = 5 * time.Millisecond
)

// Dial connects to address and gives the connection the protocol p. It never blocks: names are looked
// up elsewhere and all addresses of a name are tried, IPv6 and IPv4 in turn, the next one beside the others when they take long (see
// Dialer.FallbackDelay). The future, which
// belongs to the connection's loop, has the connection once p has been told ConnectionMade, or a
// *net.OpError; if several addresses failed, their errors are joined. When ctx ends first the attempt
// is given up with the context's cause, and when the future is cancelled, with that reason.
//
// The network is "tcp", "tcp4", "tcp6" or "unix". Any goroutine may call Dial. It panics if p is nil.
func (e *Engine) Dial(ctx context.Context, network, address string, p Protocol) *Future[*Conn] {
	return Dialer{}.Dial(ctx, e, network, address, p)
}

// Dial is [Engine.Dial] with this configuration.
func (cfg Dialer) Dial(ctx context.Context, e *Engine, network, address string, p Protocol) *Future[*Conn] {
	if p == nil {
		panic("rondo: Dial needs a protocol")
	}
	l := cfg.Loop
	if l == nil {
		l = e.place()
	} else {
		l.load.Add(1)
	}
	if cfg.Wrap != nil {
		p = cfg.Wrap(p)
	}
	cfg.Timeout = orDefault(cfg.Timeout, defaultDialTimeout)
	cfg.FallbackDelay = orDefault(cfg.FallbackDelay, fallbackDelay)
	d := &dial{cfg: cfg, loop: l, network: network, address: address, proto: p, promise: NewPromise[*Conn](l)}
	d.promise.SetCanceller(d)
	l.engine.open.Add(1)
	given := ctx
	ctx, d.cancel = context.WithCancel(ctx)
	if !l.Post(func() { d.start(ctx, given) }) {
		d.finish(nil, ErrEngineClosed)
	}
	return d.promise.Future()
}

// dial is one attempt to connect, in progress. All but its making happens on its loop.
type dial struct {
	cfg     Dialer
	loop    *Loop
	network string
	address string
	proto   Protocol
	promise *Promise[*Conn]
	cancel  context.CancelFunc // of what the attempt started elsewhere
	unwatch func() bool        // stops minding the caller's context

	addrs  []net.Addr // not tried yet
	errs   []error    // of those that were
	trying []*attempt // the others
	token  token
	until  int64 // when Timeout is over, by the poller's clock; 0 is never
	total  Timer // until then
	delay  Timer // until the next is tried beside them
	done   bool
}

// start begins, with a context that ends with the attempt or the caller's.
func (d *dial) start(ctx, given context.Context) {
	if d.loop.drained {
		d.finish(nil, ErrEngineClosed)
		return
	}
	if err := context.Cause(ctx); err != nil { // a Unix socket would be connected before anybody looks again
		d.finish(nil, err)
		return
	}
	// The table of watchers is where a shutdown finds the attempt.
	d.token = d.loop.watchers.put(d)
	d.unwatch = d.loop.engine.world.AfterFunc(given, func() {
		d.loop.Post(func() { d.finish(nil, context.Cause(given)) })
	})
	if d.cfg.Timeout > 0 {
		d.until = d.loop.poller.Now() + int64(d.cfg.Timeout)
		d.total = d.loop.After(d.cfg.Timeout, func() { d.finish(nil, os.ErrDeadlineExceeded) })
	}
	addrs, err := literal(d.network, d.address)
	switch {
	case err != nil:
		d.finish(nil, err)
	case addrs != nil:
		d.addrs = addrs
		d.next()
	default:
		err := d.loop.lookUp(ctx, d.cancel, func() ([]net.Addr, error) {
			return resolve(ctx, d.resolver(), d.network, d.address)
		}, d.resolved)
		if err != nil {
			d.finish(nil, err)
		}
	}
}

// lookUp has addresses looked up off the loop, by look, which ctx ends. The engine's end cancels it. Done is called on the loop, unless there is an error at once.
func (l *Loop) lookUp(ctx context.Context, cancel func(), look func() ([]net.Addr, error), done func([]net.Addr, error)) error {
	e := l.engine
	return e.submit(&e.lookups, func(work context.Context) {
		stop := e.world.AfterFunc(work, cancel)
		defer stop()
		addrs, err := look()
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // of which the resolver's error tells only half
		}
		l.Post(func() { done(addrs, err) })
	})
}

func (d *dial) resolved(addrs []net.Addr, err error) {
	if d.done {
		return
	}
	if err != nil {
		d.finish(nil, err)
		return
	}
	d.addrs = interleave(addrs)
	d.next()
}

// interleave puts addresses of the two families in turn, beginning with that of the first (RFC 8305, section 4). Within a family the resolver's order stays.
func interleave(addrs []net.Addr) []net.Addr {
	var families [2][]net.Addr
	for _, a := range addrs {
		i := 0
		if is4(a) != is4(addrs[0]) {
			i = 1
		}
		families[i] = append(families[i], a)
	}
	var out []net.Addr
	for i := range addrs {
		for _, family := range families {
			if i < len(family) {
				out = append(out, family[i])
			}
		}
	}
	return out
}

func is4(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.To4() != nil
}

// next tries the next address, and those after it that fail at once.
func (d *dial) next() {
	d.delay.Stop()
	for len(d.addrs) > 0 && !d.done {
		a := &attempt{dial: d, addr: d.addrs[0], fd: -1}
		d.addrs = d.addrs[1:]
		d.trying = append(d.trying, a)
		if err := a.connect(); err != nil {
			d.drop(a, err)
			continue
		}
		if len(d.addrs) > 0 && d.cfg.FallbackDelay > 0 && !d.done {
			d.delay = d.loop.After(d.cfg.FallbackDelay, d.next)
		}
		return
	}
	if len(d.trying) == 0 && !d.done {
		err := errors.Join(d.errs...)
		if err == nil {
			err = &net.AddrError{Err: "no suitable address", Addr: d.address}
		}
		d.finish(nil, err)
	}
}

// drop ends the trial of one address.
func (d *dial) drop(a *attempt, err error) {
	a.close()
	d.trying = slices.DeleteFunc(d.trying, func(b *attempt) bool { return a == b })
	d.errs = append(d.errs, d.opError(a.addr, err))
}

// failed is drop, and the next one's turn.
func (d *dial) failed(a *attempt, err error) {
	if !d.done {
		d.drop(a, err)
		d.next()
	}
}

// ready implements watcher. The attempt itself waits for no descriptor.
func (d *dial) ready(poller.Ready) {}

// CancelFuture implements Canceller.
func (d *dial) CancelFuture(reason error) {
	d.promise.Future().Ignore() // what addresses have come to before is joined to the reason, and is no news to who gave it
	d.finish(nil, reason)
}

// String implements fmt.Stringer.
func (d *dial) String() string { return "connecting to " + d.address }

// shut implements watcher.
func (d *dial) shut() { d.finish(nil, ErrEngineClosed) }

// finish ends the attempt, once.
func (d *dial) finish(c *Conn, err error) {
	if d.done {
		return
	}
	d.done = true
	if d.unwatch != nil {
		d.unwatch()
	}
	d.cancel()
	for _, a := range d.trying {
		a.close()
	}
	if d.token != 0 {
		d.loop.watchers.remove(d.token)
	}
	d.total.Stop()
	d.delay.Stop()
	defer func() { // also if ConnectionMade panics
		d.loop.load.Add(-1)
		d.loop.engine.release()
	}()
	if err != nil {
		if len(d.errs) == 0 || !errors.Is(err, d.errs[0]) {
			for _, a := range d.trying {
				d.errs = append(d.errs, d.opError(a.addr, err))
			}
			if len(d.trying) == 0 {
				d.errs = append(d.errs, d.opError(name(d.address), err))
			}
			err = errors.Join(d.errs...)
		}
		d.promise.Reject(single(err))
		return
	}
	d.promise.Resolve(c)
	c.begin()
}

// opError says which address an error is about.
func (d *dial) opError(addr net.Addr, err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return err
	}
	return &net.OpError{Op: "dial", Net: d.network, Source: d.cfg.LocalAddr, Addr: addr, Err: syscallError("connect", err)}
}

// single takes the only error out of a join of one.
func single(err error) error {
	if j, ok := err.(interface{ Unwrap() []error }); ok && len(j.Unwrap()) == 1 {
		return j.Unwrap()[0]
	}
	return err
}

// name is an address that was not looked up.
type name string

func (name) Network() string  { return "" }
func (n name) String() string { return string(n) }

// literal returns the address if nothing needs to be looked up, nil if something does.
func literal(network, address string) ([]net.Addr, error) {
	switch network {
	case "unix":
		if address == "" {
			return nil, errors.New("a Unix socket needs a path")
		}
		return []net.Addr{&net.UnixAddr{Name: address, Net: network}}, nil
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		if _, notNumber := strconv.Atoi(service); notNumber == nil {
			return nil, &net.AddrError{Err: "ports go from 0 to 65535", Addr: address}
		}
		return nil, nil // a service's name
	}
	if host == "" {
		host = "127.0.0.1"
		if network == "tcp6" {
			host = "::1"
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, nil //nolint:nilerr // a host's name
	}
	if !suits(network, ip) {
		return nil, &net.AddrError{Err: fmt.Sprintf("not an address of network %s", network), Addr: address}
	}
	return []net.Addr{net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(port)))}, nil
}

func suits(network string, ip netip.Addr) bool {
	v4 := ip.Unmap().Is4()
	return network == "tcp" || v4 == (network == "tcp4")
}

// resolver looks names up: a [net.Resolver], or the engine's world.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupPort(ctx context.Context, network, service string) (int, error)
}

func (d *dial) resolver() resolver {
	if r := d.cfg.Resolver; r != nil {
		return r
	}
	return d.loop.engine.world
}

// resolve looks up the host and the port of address. It blocks.
func resolve(ctx context.Context, r resolver, network, address string) ([]net.Addr, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := r.LookupPort(ctx, network, service)
	if err != nil {
		return nil, err
	}
	family := map[string]string{"tcp": "ip", "tcp4": "ip4", "tcp6": "ip6"}[network]
	ips, err := r.LookupNetIP(ctx, family, host)
	if err != nil {
		return nil, err
	}
	addrs := make([]net.Addr, 0, len(ips))
	for _, ip := range ips {
		addrs = append(addrs, net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(port))))
	}
	return addrs, nil
}
