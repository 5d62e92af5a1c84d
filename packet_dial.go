package rondo

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// DialPacket opens a datagram socket that is connected: it sends to one address, and receives what comes from there and nothing else. Nothing is sent for
// that, so it succeeds also if nobody is there; that nobody listens a UDP socket may hear later, as an error that its protocol gets as a [PacketErrorReceiver].
// It never blocks: names are looked up elsewhere, for which there are 30 seconds, and of a name's addresses the first is taken that the machine has a route
// to. The future, which belongs to the socket's loop, has the socket once p has been told that it is open, or a *net.OpError. When ctx ends first the attempt is given
// up with the context's cause, and when the future is cancelled, with that reason.
//
// The networks are those of [Engine.ListenPacket]; a Unix socket must be there. Any goroutine may call DialPacket. It panics if p is nil.
func (e *Engine) DialPacket(ctx context.Context, network, address string, p PacketProtocol) *Future[*PacketConn] {
	return PacketConfig{}.Dial(ctx, e, network, address, p)
}

// Dial is [Engine.DialPacket] with this configuration.
func (cfg PacketConfig) Dial(ctx context.Context, e *Engine, network, address string, p PacketProtocol) *Future[*PacketConn] {
	if p == nil {
		panic("rondo: DialPacket needs a protocol")
	}
	l := cfg.Loop
	if l == nil {
		l = e.Loop()
	}
	d := &packetDial{cfg: cfg, loop: l, network: network, address: address, proto: p, promise: NewPromise[*PacketConn](l)}
	d.promise.SetCanceller(d)
	l.load.Add(1)
	e.open.Add(1)
	given := ctx
	ctx, d.cancel = context.WithCancel(ctx)
	if !l.Post(func() { d.start(ctx, given) }) {
		d.finish(nil, ErrEngineClosed)
	}
	return d.promise.Future()
}

// packetDial is a connected socket in the making. All but its own making happens on its loop.
type packetDial struct {
	cfg     PacketConfig
	loop    *Loop
	network string
	address string
	proto   PacketProtocol
	promise *Promise[*PacketConn]
	cancel  context.CancelFunc // of the looking up
	unwatch func() bool        // stops minding the caller's context
	token   token              // by which a shutdown finds it; 0: none yet
	timer   Timer
	done    bool
}

func (d *packetDial) start(ctx, given context.Context) {
	l := d.loop
	var err error
	if d.cfg, err = d.cfg.withDefaults(); err == nil && l.drained {
		err = ErrEngineClosed
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	var addrs []net.Addr
	if err == nil {
		addrs, err = literalPacket(d.network, d.address)
	}
	if err != nil {
		d.finish(nil, err)
		return
	}
	if addrs != nil {
		d.resolved(addrs, nil)
		return
	}
	d.token = l.watchers.put(d)
	d.unwatch = l.engine.world.AfterFunc(given, func() {
		l.Post(func() { d.finish(nil, context.Cause(given)) })
	})
	d.timer = l.After(defaultDialTimeout, func() { d.finish(nil, os.ErrDeadlineExceeded) })
	err = l.lookUp(ctx, d.cancel, func() ([]net.Addr, error) {
		var r resolver = l.engine.world
		if d.cfg.Resolver != nil {
			r = d.cfg.Resolver
		}
		return resolvePacket(ctx, r, d.network, d.address)
	}, d.resolved)
	if err != nil {
		d.finish(nil, err)
	}
}

// resolved opens the socket. To connect one takes no time: it is told where to send.
func (d *packetDial) resolved(addrs []net.Addr, err error) {
	if d.done {
		return
	}
	if err != nil {
		d.finish(nil, err)
		return
	}
	var errs []error
	for _, a := range addrs {
		c, err := d.cfg.open(d.loop, d.network, sock.PacketOptions{
			Local: d.cfg.LocalAddr, Remote: a, ReusePort: d.cfg.ReusePort && d.network != "unixgram", ReuseAddr: d.cfg.ReuseAddr,
		})
		if err == nil {
			c.proto = d.proto
			err = c.adopt()
		}
		if err == nil {
			d.finish(c, nil)
			return
		}
		errs = append(errs, &net.OpError{Op: "dial", Net: d.network, Source: d.cfg.LocalAddr, Addr: a, Err: syscallError("connect", err)})
	}
	if len(errs) == 0 {
		errs = append(errs, &net.AddrError{Err: "no suitable address", Addr: d.address})
	}
	d.finish(nil, single(errors.Join(errs...)))
}

// CancelFuture implements Canceller.
func (d *packetDial) CancelFuture(reason error) {
	d.promise.Future().Ignore()
	d.finish(nil, reason)
}

// String implements fmt.Stringer.
func (d *packetDial) String() string { return "looking up " + d.address }

// ready implements watcher; it has no descriptor.
func (d *packetDial) ready(poller.Ready) {}

// shut implements watcher.
func (d *packetDial) shut() { d.finish(nil, ErrEngineClosed) }

// finish ends the attempt, once.
func (d *packetDial) finish(c *PacketConn, err error) {
	if d.done {
		return
	}
	d.done = true
	if d.unwatch != nil {
		d.unwatch()
	}
	d.cancel()
	if d.token != 0 {
		d.loop.watchers.remove(d.token)
	}
	d.timer.Stop()
	defer func() { // also if Opened panics
		d.loop.load.Add(-1)
		d.loop.engine.release()
	}()
	if err != nil {
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			err = &net.OpError{Op: "dial", Net: d.network, Source: d.cfg.LocalAddr, Addr: name(d.address), Err: err}
		}
		d.promise.Reject(err)
		return
	}
	d.promise.Resolve(c)
	c.begin()
}

// streamNetwork is the network of streams that has the same addresses as one of UDP.
func streamNetwork(network string) (string, bool) {
	switch network {
	case "udp":
		return "tcp", true
	case "udp4":
		return "tcp4", true
	case "udp6":
		return "tcp6", true
	}
	return "", false
}

// literalPacket returns the address if nothing needs to be looked up, nil if something does.
func literalPacket(network, address string) ([]net.Addr, error) {
	if network == "unixgram" {
		if address == "" {
			return nil, errors.New("a Unix socket needs a path")
		}
		return []net.Addr{&net.UnixAddr{Name: address, Net: network}}, nil
	}
	stream, ok := streamNetwork(network)
	if !ok {
		return nil, net.UnknownNetworkError(network)
	}
	addrs, err := literal(stream, address)
	return udpAddrs(addrs), err
}

// resolvePacket looks up the host and the port of address. It blocks.
func resolvePacket(ctx context.Context, r resolver, network, address string) ([]net.Addr, error) {
	stream, _ := streamNetwork(network)
	addrs, err := resolve(ctx, packetResolver{r, network}, stream, address)
	return udpAddrs(addrs), err
}

// packetResolver looks a service up in the network of datagrams.
type packetResolver struct {
	resolver
	network string
}

// LookupPort implements resolver.
func (r packetResolver) LookupPort(ctx context.Context, _, service string) (int, error) {
	return r.resolver.LookupPort(ctx, r.network, service)
}

func udpAddrs(addrs []net.Addr) []net.Addr {
	for i, a := range addrs {
		if t, ok := a.(*net.TCPAddr); ok {
			addrs[i] = &net.UDPAddr{IP: t.IP, Port: t.Port, Zone: t.Zone}
		}
	}
	return addrs
}
