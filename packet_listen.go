package rondo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// PacketConfig says how a datagram socket is set up. The zero PacketConfig is the usual one.
type PacketConfig struct {
	// MaxPacket is how many bytes of a datagram are received; what is longer comes cut off, and Packet.Truncated says so. Zero means
	// 65,535, which is more than UDP can hold. Unix sockets can be sent more, on Linux as much as the sender's buffer. It is 1 MiB at the most. A loop has one buffer for all its
	// sockets; smaller datagrams let it take more of them at once, up to 64.
	MaxPacket int

	// WriteLimit is how much may wait to be sent when the kernel has no room, in bytes, of which each datagram counts for 64 more than it
	// has. Datagrams beyond it are refused with ErrPacketQueueFull. Zero means 1 MiB. One datagram may always wait.
	WriteLimit int

	// ReusePort opens one socket for each loop, all on the same address: the kernel gives all that one peer sends to the same socket, as long as none is opened or closed.
	// Other processes can have it too. Not for Unix sockets, nor where nobody listens.
	ReusePort bool

	// ReuseAddr lets several sockets have the same port, so that each of them gets what is sent to a multicast group.
	ReuseAddr bool

	// LocalAddr is the address that DialPacket's socket has: a *net.UDPAddr or a *net.UnixAddr. Nil leaves it to the operating system;
	// a Unix socket then has none, and cannot be answered. A *net.UnixAddr with an empty name is a free one that Linux chooses.
	LocalAddr net.Addr

	// Credentials has each datagram of a Unix socket come with its sender's credentials (SO_PASSCRED, unix(7)), for a protocol that is a [UnixPacketReceiver]. It works on Linux only; elsewhere, for
	// UDP and in a simulation opening the socket fails with an error of errors.ErrUnsupported. Linux gives a socket of DialPacket without LocalAddr a free abstract name then.
	Credentials bool

	// Resolver looks up the names that are dialed. Nil means net.DefaultResolver, or the names of a simulation.
	Resolver *net.Resolver

	// Loop is the loop that the socket will belong to. Nil means the one with the fewest. It is not for ReusePort.
	Loop *Loop
}

const (
	defaultMaxPacket  = 65535
	maxMaxPacket      = 1 << 20
	defaultWriteLimit = 1 << 20
)

// withDefaults fills in what is zero and refuses what makes no sense.
func (cfg PacketConfig) withDefaults() (PacketConfig, error) {
	cfg.MaxPacket = cmp.Or(cfg.MaxPacket, defaultMaxPacket)
	cfg.WriteLimit = cmp.Or(cfg.WriteLimit, defaultWriteLimit)
	switch {
	case cfg.MaxPacket < 0 || cfg.MaxPacket > maxMaxPacket:
		return cfg, fmt.Errorf("PacketConfig.MaxPacket is %d: it must be from 1 to %d", cfg.MaxPacket, maxMaxPacket)
	case cfg.WriteLimit < 0:
		return cfg, fmt.Errorf("PacketConfig.WriteLimit is %d: it must not be negative", cfg.WriteLimit)
	case cfg.ReusePort && cfg.Loop != nil:
		return cfg, errors.New("PacketConfig.ReusePort opens a socket on every loop, so Loop must be nil")
	}
	return cfg, nil
}

// PacketListener is what ListenPacket has opened: a socket, or with PacketConfig.ReusePort one for each loop. Any goroutine may use it.
type PacketListener struct {
	addr    PacketAddr
	sockets []*PacketConn

	mu      sync.Mutex
	open    int
	onClose []func()
}

// ListenPacket opens a datagram socket on address and has p called for what comes to it. The network is "udp", "udp4", "udp6" or
// "unixgram"; the address of a UDP network is host:port, where an empty host means all of this machine's addresses and port 0 a free
// one. A Unix socket's address is a path, whose file is removed when the socket is closed unless another has taken its place; "@name" is
// an abstract name of Linux; and an empty one is a socket that only sends: on Linux with an abstract name that is free, so that it can be answered.
//
// It returns when the socket stands and p was told so; called on a loop it does not wait, and what goes wrong then is in the engine's log. The error is a *net.OpError. A
// host name may have to be looked up: do not call it with one on a loop.
func (e *Engine) ListenPacket(network, address string, p PacketProtocol) (*PacketListener, error) {
	if p == nil {
		panic("rondo: ListenPacket needs a protocol")
	}
	return PacketConfig{}.Listen(e, network, address, func() PacketProtocol { return p })
}

// Listen is [Engine.ListenPacket] with this configuration. Each socket has a protocol made by open, which is called on the goroutine
// that calls Listen: once, or with ReusePort once for each loop. It panics if open returns nil.
func (cfg PacketConfig) Listen(e *Engine, network, address string, open func() PacketProtocol) (*PacketListener, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	addr, err := e.packetAddr(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	if e.state.Load() != serving {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: ErrEngineClosed}
	}
	pl := new(PacketListener)
	for _, l := range cfg.loops(e, network) {
		p := open()
		if p == nil {
			panic("rondo: a datagram socket needs a protocol")
		}
		c, err := cfg.open(l, network, sock.PacketOptions{
			Local: addr, ReusePort: cfg.ReusePort && network != "unixgram", ReuseAddr: cfg.ReuseAddr, OnlyIPv6: network == "udp6",
		})
		if err != nil {
			for _, c := range pl.sockets {
				c.discard()
			}
			return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
		}
		addr = c.local.NetAddr() // the first socket chooses the port, the others share it
		c.proto = p
		pl.sockets = append(pl.sockets, c)
	}
	pl.addr, pl.open = pl.sockets[0].local, len(pl.sockets)
	var failed error
	for _, c := range pl.sockets {
		c.listener = pl
		failed = cmp.Or(failed, c.start())
	}
	if failed != nil {
		_ = pl.Close()
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: failed}
	}
	return pl, nil
}

var errNoCredentials = fmt.Errorf("PacketConfig.Credentials is for Unix sockets of the operating system only: %w", errors.ErrUnsupported)

var errOneSocket = errors.New("PacketConfig.ReusePort opens one socket for each loop, and this is to be one")

// loops are those that get a socket each.
func (cfg PacketConfig) loops(e *Engine, network string) []*Loop {
	switch {
	case cfg.ReusePort && network != "unixgram":
		return e.all
	case cfg.Loop != nil:
		return []*Loop{cfg.Loop}
	}
	if i := slices.IndexFunc(e.all, (*Loop).onLoop); i >= 0 {
		return e.all[i : i+1] // so that nobody need wait for another loop
	}
	return []*Loop{e.Loop()}
}

// open opens a socket for a loop, which is charged with it.
func (cfg PacketConfig) open(l *Loop, network string, o sock.PacketOptions) (*PacketConn, error) {
	if cfg.Credentials {
		if _, able := l.poller.(poller.Passer); !able || network != "unixgram" {
			return nil, errNoCredentials
		}
		o.Credentials = true
	}
	fd, err := l.poller.OpenPacket(o)
	if err != nil {
		return nil, err
	}
	c := &PacketConn{loop: l, config: cfg, network: network, fd: fd}
	local, remote := l.poller.PacketAddrs(fd)
	c.local = PacketAddrOf(local)
	if a, ok := local.(*net.UDPAddr); ok {
		c.isV6 = a.IP.To4() == nil
	}
	if o.Remote != nil {
		c.remote = PacketAddrOf(cmp.Or(remote, o.Remote))
	}
	if o.Local != nil {
		c.file = boundFile(l.engine, c.local.Name)
	}
	l.load.Add(1)
	l.engine.open.Add(1)
	return c, nil
}

// start gives the socket to its loop, and waits until that has it, unless the caller is on a loop.
func (c *PacketConn) start() error {
	l := c.loop
	if l.onLoop() {
		err := c.adopt()
		if err == nil {
			c.begin()
		}
		return err
	}
	onLoop := l.engine.onLoop()
	done := make(chan error, 1)
	if !l.Post(func() {
		err := c.adopt()
		if err != nil && onLoop {
			l.engine.report("rondo: listening failed", err)
		}
		defer func() { done <- err }() // also if Opened panics
		if err == nil {
			c.begin()
		}
	}) {
		l.engine.block(l.over)
		<-l.over
		c.discard()
		return ErrEngineClosed
	}
	if onLoop { // loops never wait for each other
		return nil
	}
	l.engine.world.Block(func() bool { return len(done) > 0 })
	return <-done
}

// Addr is the address of the sockets, with the port or name that was chosen.
func (pl *PacketListener) Addr() net.Addr { return pl.addr.NetAddr() }

// LocalAddr is Addr as a PacketAddr.
func (pl *PacketListener) LocalAddr() PacketAddr { return pl.addr }

// Handle is that of the first socket.
func (pl *PacketListener) Handle() PacketHandle { return pl.sockets[0].Handle() }

// Handles are those of all sockets: one, or with ReusePort one for each loop.
func (pl *PacketListener) Handles() []PacketHandle {
	all := make([]PacketHandle, len(pl.sockets))
	for i, c := range pl.sockets {
		all[i] = c.Handle()
	}
	return all
}

// Close closes the sockets, as PacketConn.Close does. It does not wait; the error is always nil.
func (pl *PacketListener) Close() error {
	for _, c := range pl.sockets {
		_ = c.Handle().Close()
	}
	return nil
}

// OnClose has fn called once, when all the sockets are closed and their protocols were told: on a loop, or at once, by the caller, if that has come
// to pass already. Functions are called in the order in which they were given. Any goroutine may call OnClose.
func (pl *PacketListener) OnClose(fn func()) {
	pl.mu.Lock()
	closed := pl.open == 0
	if !closed {
		pl.onClose = append(pl.onClose, fn)
	}
	pl.mu.Unlock()
	if closed {
		fn()
	}
}

// closed is called when one of the sockets is.
func (pl *PacketListener) closed(l *Loop) {
	pl.mu.Lock()
	var fns []func()
	if pl.open--; pl.open == 0 {
		fns, pl.onClose = pl.onClose, nil
	}
	pl.mu.Unlock()
	for _, fn := range fns {
		l.queue = append(l.queue, runFunc(fn)) // work of its own: a panic must not keep the next from being called
	}
}

// packetAddr is where a socket is to be opened.
func (e *Engine) packetAddr(network, address string) (net.Addr, error) {
	if network == "unixgram" {
		return &net.UnixAddr{Name: address, Net: network}, nil
	}
	stream, ok := streamNetwork(network)
	if !ok {
		return nil, sock.ErrPacketNetwork
	}
	if address == "" { // package net takes it for all addresses and a free port
		return nil, &net.AddrError{Err: "missing port in address", Addr: address}
	}
	if host, _, err := net.SplitHostPort(address); err == nil && host != "" && e.world.TakesTurns() {
		if _, number := netip.ParseAddr(host); number != nil {
			addrs, err := resolvePacket(context.Background(), e.world, network, address)
			if err != nil {
				return nil, err
			}
			return addrs[0], nil
		}
	}
	a, err := net.ResolveUDPAddr(network, address)
	if err == nil && stream == "tcp4" && a.IP == nil {
		a.IP = net.IPv4zero
	}
	return a, err
}
