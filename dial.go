package rondo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// Dialer says how connections are made. The zero Dialer is the usual one.
type Dialer struct {
	// Timeout bounds the whole: looking the name up and trying all its addresses. Zero means 30
	// seconds, less than zero no limit but the operating system's.
	Timeout time.Duration

	// LocalAddr is the address to come from: a *net.TCPAddr or *net.UnixAddr. Nil leaves the choice
	// to the operating system.
	LocalAddr net.Addr

	// Resolver looks names up. Nil means net.DefaultResolver, or the names of a simulation.
	Resolver *net.Resolver

	// Loop is the loop that the connection will belong to. Nil means the one with the fewest.
	Loop *Loop
}

const (
	defaultDialTimeout = 30 * time.Second

	// The least time that one of several addresses is given; as in package net.
	minAddressTimeout = 2 * time.Second

	// How often a Unix socket whose backlog is full is tried again.
	unixRetry = 5 * time.Millisecond
)

// Dial connects to address and gives the connection the protocol p. It never blocks: names are looked
// up elsewhere and all addresses of a name are tried, one after the other. The future, which
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
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultDialTimeout
	}
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

	addrs   []net.Addr // not tried yet
	errs    []error    // of those that were
	current net.Addr   // being tried
	fd      int        // its descriptor, if token is not 0
	token   token
	until   int64 // when Timeout is over, by the poller's clock; 0 is never
	total   Timer // until then
	single  Timer // until the present address is given up, or tried again
	done    bool
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
	d.fd = -1
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
		err := d.loop.engine.submit(&d.loop.engine.lookups, func(work context.Context) {
			stop := d.loop.engine.world.AfterFunc(work, d.cancel)
			defer stop()
			addrs, err := resolve(ctx, d.resolver(), d.network, d.address)
			if err != nil && ctx.Err() != nil {
				err = context.Cause(ctx) // of which the resolver's error tells only half
			}
			d.loop.Post(func() { d.resolved(addrs, err) })
		})
		if err != nil {
			d.finish(nil, err)
		}
	}
}

func (d *dial) resolved(addrs []net.Addr, err error) {
	if d.done {
		return
	}
	if err != nil {
		d.finish(nil, err)
		return
	}
	d.addrs = addrs
	d.next()
}

// next tries the next address.
func (d *dial) next() {
	for !d.done {
		if len(d.addrs) == 0 {
			err := errors.Join(d.errs...)
			if err == nil {
				err = &net.AddrError{Err: "no suitable address", Addr: d.address}
			}
			d.finish(nil, err)
			return
		}
		d.current, d.addrs = d.addrs[0], d.addrs[1:]
		if d.connect() {
			return
		}
	}
}

// connect begins a connection to the present address; false means that it has failed already.
func (d *dial) connect() bool {
	l := d.loop
	fd, err := l.poller.Connect(d.current, d.cfg.LocalAddr)
	switch {
	case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
		d.single = l.After(unixRetry, func() {
			if !d.connect() {
				d.next()
			}
		})
		return true
	case err != nil && err != syscall.EINPROGRESS: //nolint:errorlint // likewise
		d.failed(err)
		return false
	}
	d.fd = fd
	if err == nil {
		d.connected()
		return true
	}
	// Each descriptor has a token of its own, so that late news of one is never taken for the next one's.
	l.watchers.remove(d.token)
	d.token = l.watchers.put(d)
	if err := l.poller.Add(fd, uint64(d.token), poller.Write); err != nil {
		d.drop()
		d.failed(err)
		return false
	}
	if d.until != 0 && len(d.addrs) > 0 {
		// What is left of the time is shared out evenly, but not in slices that are too thin.
		left := time.Duration(d.until - l.poller.Now())
		share := max(left/time.Duration(len(d.addrs)+1), minAddressTimeout)
		d.single = l.After(share, func() { d.giveUp(os.ErrDeadlineExceeded) })
	}
	return true
}

// ready is called when the connection stands or has failed.
func (d *dial) ready(poller.Ready) {
	err := d.loop.poller.SocketError(d.fd)
	if err == nil && selfConnected(d.loop.poller, d.fd) {
		err = syscall.ECONNREFUSED
	}
	if err != nil {
		d.giveUp(err)
		return
	}
	if err := d.loop.poller.Remove(d.fd); err != nil {
		d.giveUp(err)
		return
	}
	d.connected()
}

// selfConnected recognises a TCP socket that has connected to itself, which can happen when a free
// port among those that the system gives out is dialed: both ends are then the same.
func selfConnected(p poller.Poller, fd int) bool {
	local, ok := p.LocalAddr(fd).(*net.TCPAddr)
	if !ok {
		return false
	}
	peer, ok := p.PeerAddr(fd).(*net.TCPAddr)
	return ok && local.AddrPort() == peer.AddrPort()
}

func (d *dial) connected() {
	fd := d.fd
	d.fd = -1
	var peer netip.AddrPort
	flags := isUnix
	if a, ok := d.current.(*net.TCPAddr); ok {
		peer, flags = a.AddrPort(), 0
		_ = d.loop.poller.SetNoDelay(fd, true)
		_ = d.loop.poller.SetKeepAlive(fd, time.Minute)
	}
	c, err := d.loop.adopt(fd, peer, d.proto, flags, nil)
	if err != nil {
		_ = d.loop.poller.Close(fd)
		d.finish(nil, err)
		return
	}
	d.loop.load.Add(1) // finish takes away the attempt's own charge
	d.finish(c, nil)
}

// giveUp ends the present address's turn.
func (d *dial) giveUp(err error) {
	if d.done {
		return
	}
	d.drop()
	d.failed(err)
	d.next()
}

func (d *dial) failed(err error) { d.errs = append(d.errs, d.opError(err)) }

// drop closes the present descriptor.
func (d *dial) drop() {
	if d.fd >= 0 {
		_ = d.loop.poller.Close(d.fd)
		d.fd = -1
	}
	d.single.Stop()
}

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
	if d.token != 0 {
		d.drop()
		d.loop.watchers.remove(d.token)
	}
	d.total.Stop()
	defer func() { // also if ConnectionMade panics
		d.loop.load.Add(-1)
		d.loop.engine.release()
	}()
	if err != nil {
		if len(d.errs) == 0 || !errors.Is(err, d.errs[0]) {
			err = errors.Join(append(d.errs, d.opError(err))...)
		}
		d.promise.Reject(single(err))
		return
	}
	d.promise.Resolve(c)
	c.begin()
}

func (d *dial) opError(err error) error {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return err
	}
	e := &net.OpError{Op: "dial", Net: d.network, Source: d.cfg.LocalAddr, Addr: d.current, Err: syscallError("connect", err)}
	if d.current == nil {
		e.Addr = name(d.address)
	}
	return e
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
