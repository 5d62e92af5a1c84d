package rondo

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo/internal/sock"
)

// ListenConfig says how a listener is set up. The zero ListenConfig is the usual one.
type ListenConfig struct {
	// ReusePort opens one socket for each loop, all on the same address, and leaves it to the kernel
	// to spread connections over them; other processes can listen there too. Without it one loop
	// accepts and gives each connection to the loop with the fewest. Not for Unix sockets.
	ReusePort bool

	// Backlog is how many connections may wait to be accepted. Zero means 4,096; the kernel may have
	// a lower limit.
	Backlog int

	// MaxConns is how many connections may be open at a time; others wait in the backlog. Zero
	// means as many as the process may have descriptors.
	MaxConns int

	// MaxConnsPerAddr is how many connections from one remote address may be open at a time: one address of IPv4, or one network of IPv6 (the 64 bits that are
	// usually one customer's). Those that are too many are reset at once, before there is a protocol: to close them in good order would look like an answer, and cost
	// this side the TIME_WAIT. Zero means no limit. Unix sockets have no addresses, and no such limit.
	MaxConnsPerAddr int

	// AcceptLimiter limits how many connections are accepted a second; others wait in the backlog. Nil means as many as come.
	AcceptLimiter *Limiter

	// ReadLimiter and WriteLimiter are what all connections may receive and send together, ReadRate and WriteRate each of them, in bytes a second: as by
	// Conn.SetReadLimiter, Conn.SetReadRate and so on with a burst of zero. Nil and zero mean no limit.
	ReadLimiter, WriteLimiter *Limiter
	ReadRate, WriteRate       int

	// KeepAlive is how long a connection may be silent before the kernel asks whether the peer is
	// still there. Zero means one minute; less than zero means that it never asks.
	KeepAlive time.Duration

	// IdleTimeout and Lifetime are set for each connection, as by Conn.SetIdleTimeout and Conn.SetLifetime; its protocol may change them. Zero means none.
	IdleTimeout, Lifetime time.Duration

	// Wrap goes round what makes the protocols of the connections, those of net.Conns included: the Server method of a secure.Config has
	// all connections of the listener be secure. Nil leaves them as they are.
	Wrap func(accept func() Protocol) func() Protocol
}

// Listener accepts connections. Any goroutine may use it.
type Listener struct {
	engine *Engine
	config ListenConfig
	addr   net.Addr
	file   socketFile // that a Unix socket has bound
	accept func() Protocol

	open      quota    // connections
	template  settings // of those that have nothing of their own
	counts    listenerCounts
	waiting   quota // those of them that wait for Accept of a net.Listener
	acceptors []*acceptor

	mu      sync.Mutex
	serving bool
	ended   error // why it is closed; nil if it is not
	onClose []func()
}

// quota counts up to a limit; a limit of zero is none, and then it does not count.
type quota struct {
	limit int64
	used  atomic.Int64
}

// take reports whether there was one left.
func (q *quota) take() bool {
	for q.limit > 0 {
		n := q.used.Load()
		if n >= q.limit {
			return false
		}
		if q.used.CompareAndSwap(n, n+1) {
			break
		}
	}
	return true
}

// give takes one back. It reports whether none was left before.
func (q *quota) give() bool { return q.limit > 0 && q.used.Add(-1) == q.limit-1 }

// Listen accepts connections on address and gives each a protocol made by accept, which is called
// on the connection's loop; if it returns nil the connection is closed. (It is Bind and Serve in one.) The network is "tcp", "tcp4",
// "tcp6" or "unix"; the address of a TCP network is host:port, where an empty host means all of this
// machine's addresses and port 0 a free one. A Unix socket's file is removed when the listener is
// closed, unless another has taken its place. The error is a *net.OpError. A host name may have to be
// looked up: do not call Listen on a loop then.
func (e *Engine) Listen(network, address string, accept func() Protocol) (*Listener, error) {
	return ListenConfig{}.Listen(e, network, address, accept)
}

// Listen is [Engine.Listen] with this configuration.
func (cfg ListenConfig) Listen(e *Engine, network, address string, accept func() Protocol) (*Listener, error) {
	ln, err := cfg.Bind(e, network, address)
	if err != nil {
		return nil, err
	}
	if err := ln.Serve(accept); err != nil {
		return nil, err
	}
	return ln, nil
}

// Bind is the first half of [Engine.Listen]: the address is taken and connections can be made, but they wait in the
// kernel's backlog until [Listener.Serve] begins to accept them. So a server knows its address, gives up privileges, or opens its
// other listeners before it answers the first. The listener must be served or closed; the end of the engine closes it.
func (e *Engine) Bind(network, address string) (*Listener, error) {
	return ListenConfig{}.Bind(e, network, address)
}

// Bind is [Engine.Bind] with this configuration.
func (cfg ListenConfig) Bind(e *Engine, network, address string) (*Listener, error) {
	ln, err := cfg.open(e, network, address)
	if err != nil {
		return nil, err
	}
	// The loops have the sockets from now on, and with them the task of closing them at the engine's end.
	if err := ln.each((*acceptor).start); err != nil {
		return nil, err
	}
	return ln, nil
}

// Serve is the second half of [Engine.Listen]: it accepts the connections that wait and those that come, and gives each a
// protocol made by accept. It does not wait for them. The error is a *net.OpError: of [ErrClosed] when the listener
// is closed, [ErrEngineClosed] if it was the engine's end that closed it. Calling it again is an error too, and changes nothing.
func (ln *Listener) Serve(accept func() Protocol) error {
	if err := ln.begin(0, accept); err != nil {
		return err
	}
	return ln.each((*acceptor).serve)
}

// begin notes how the listener is served, of whose connections so many may wait for Accept.
func (ln *Listener) begin(waiting int64, accept func() Protocol) error {
	ln.mu.Lock()
	err := ln.ended
	switch {
	case err != nil:
	case ln.serving:
		err = errServing
	default:
		ln.serving = true
		ln.waiting.limit = waiting
		ln.accept = accept
		if ln.config.Wrap != nil {
			ln.accept = ln.config.Wrap(accept)
		}
	}
	ln.mu.Unlock()
	if err != nil {
		return ln.opError(err)
	}
	return nil
}

var errServing = errors.New("it is being served already")

func (ln *Listener) opError(err error) error {
	return &net.OpError{Op: "listen", Net: ln.addr.Network(), Addr: ln.addr, Err: err}
}

// open makes a listener and its sockets, which do not accept yet.
func (cfg ListenConfig) open(e *Engine, network, address string) (*Listener, error) {
	addr, err := e.listenAddr(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	if e.state.Load() != serving {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: ErrEngineClosed}
	}
	ln := cfg.listener(e)
	ln.addr = addr
	loops := []*Loop{e.Loop()}
	if cfg.ReusePort && network != "unix" {
		loops = e.all
	}
	for _, l := range loops {
		fd, err := l.poller.Listen(ln.addr, sock.Options{
			ReusePort: cfg.ReusePort, OnlyIPv6: network == "tcp6", Backlog: cfg.Backlog,
		})
		if err != nil {
			for _, a := range ln.acceptors {
				_ = a.loop.poller.Close(a.fd)
			}
			return nil, &net.OpError{Op: "listen", Net: network, Addr: ln.addr, Err: err}
		}
		ln.attach(l, fd) // of which the first chooses the port, and the others share it
		ln.file = boundFile(e, ln.path())
	}
	return ln, nil
}

// listener makes one that has no sockets yet.
func (cfg ListenConfig) listener(e *Engine) *Listener {
	ln := &Listener{engine: e, config: cfg, open: quota{limit: int64(cfg.MaxConns)}}
	ln.template = settings{listener: ln, shared: true}
	return ln
}

// attach gives the listener a socket, which that loop will look after.
func (ln *Listener) attach(l *Loop, fd int) {
	ln.addr = l.poller.LocalAddr(fd)
	if ln.addr.Network() != "unix" {
		// Accepted sockets inherit these, which saves two system calls for each.
		_ = l.poller.SetNoDelay(fd, true)
		if idle := ln.config.KeepAlive; idle >= 0 {
			_ = l.poller.SetKeepAlive(fd, orDefault(idle, time.Minute))
		}
	}
	a := &acceptor{ln: ln, loop: l, fd: fd, paused: true}
	a.turn.loop, a.turn.retry = l, a.myTurn
	ln.acceptors = append(ln.acceptors, a)
}

// each has every loop do something with its socket, and waits until they have. An error closes the listener.
func (ln *Listener) each(do func(*acceptor) error) error {
	onLoop := ln.engine.onLoop()
	var failed error
	for _, a := range ln.acceptors {
		var err error
		done := make(chan error, 1)
		switch {
		case onLoop && a.loop.onLoop():
			err = do(a)
		case !a.loop.Post(func() { done <- a.doFor(onLoop, do) }):
			ln.engine.block(a.loop.over)
			<-a.loop.over
			a.abandon()
			err = ErrEngineClosed
		case onLoop: // loops never wait for each other
		default:
			ln.engine.world.Block(func() bool { return len(done) > 0 })
			err = <-done
		}
		failed = cmp.Or(failed, err)
	}
	if failed != nil {
		_ = ln.Close()
		return ln.opError(failed)
	}
	return nil
}

func orDefault(d, zero time.Duration) time.Duration {
	if d == 0 {
		return zero
	}
	return d
}

func (e *Engine) listenAddr(network, address string) (net.Addr, error) {
	switch network {
	case "unix":
		if address == "" {
			return nil, errors.New("a Unix socket needs a path")
		}
		return &net.UnixAddr{Name: address, Net: network}, nil
	case "tcp", "tcp4", "tcp6":
		if address == "" { // package net takes it for all addresses and a free port
			return nil, &net.AddrError{Err: "missing port in address", Addr: address}
		}
		if e.world.TakesTurns() {
			return e.simulatedAddr(network, address)
		}
		a, err := net.ResolveTCPAddr(network, address)
		if err == nil && network == "tcp4" && a.IP == nil {
			a.IP = net.IPv4zero
		}
		return a, err
	}
	return nil, sock.ErrNetwork
}

// simulatedAddr looks an address up in the engine's world.
func (e *Engine) simulatedAddr(network, address string) (net.Addr, error) {
	host, _, err := net.SplitHostPort(address)
	if _, number := netip.ParseAddr(host); err == nil && host != "" && number != nil {
		addrs, err := resolve(context.Background(), e.world, network, address)
		if err != nil {
			return nil, err
		}
		return addrs[0], nil
	}
	return net.ResolveTCPAddr(network, address) // which asks nobody without a name
}

// Addr is the address that the listener listens on, with the port that was chosen.
func (ln *Listener) Addr() net.Addr { return ln.addr }

// Close stops accepting. Connections that were accepted go on; those that still wait in the backlog are reset. It does not
// wait, and closing again does nothing; the error is always nil.
func (ln *Listener) Close() error {
	for _, fn := range ln.close(ErrClosed) {
		fn()
	}
	return nil
}

// OnClose has fn called once, when the listener is closed: by Close, on the goroutine that calls it, or because the engine
// shuts down, on a loop. It is called at once if the listener is closed already. Functions are called in the order in which they
// were given. Any goroutine may call OnClose.
func (ln *Listener) OnClose(fn func()) {
	ln.mu.Lock()
	closed := ln.ended != nil
	if !closed {
		ln.onClose = append(ln.onClose, fn)
	}
	ln.mu.Unlock()
	if closed {
		fn()
	}
}

// reason is why the listener is closed.
func (ln *Listener) reason() error {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	return cmp.Or(ln.ended, ErrClosed)
}

// close closes the listener unless it is closed, and returns what is to be called for it.
func (ln *Listener) close(reason error) []func() {
	ln.mu.Lock()
	if ln.ended != nil {
		ln.mu.Unlock()
		return nil
	}
	ln.ended = reason
	fns := ln.onClose
	ln.onClose = nil
	ln.mu.Unlock()
	ln.file.remove(ln.engine) // while the socket is open: nobody else's file can have its inode until then
	for _, a := range ln.acceptors {
		a.loop.Post(a.shut)
	}
	return fns
}

// path is the file of a Unix socket.
func (ln *Listener) path() string {
	if a, ok := ln.addr.(*net.UnixAddr); ok && a.Name != "" && a.Name[0] != '@' {
		return a.Name
	}
	return ""
}

// reserve reports whether there is room for one more connection, and takes it.
func (ln *Listener) reserve() bool {
	if !ln.open.take() {
		return false
	}
	if !ln.waiting.take() {
		ln.release()
		return false
	}
	return true
}

// forgo gives back what reserve has taken.
func (ln *Listener) forgo() {
	ln.release()
	if ln.waiting.give() {
		ln.resume()
	}
}

// left is called when a connection of which the listener is to be told has ended.
func (ln *Listener) left(x *settings) {
	ln.counts.open.Add(-1)
	ln.counts.forget(x.origin)
	ln.release()
	if x.awaited && ln.waiting.give() {
		ln.resume()
	}
}

// release is called when a connection has ended.
func (ln *Listener) release() {
	if ln.open.give() {
		ln.resume()
	}
}

func (ln *Listener) resume() {
	for _, a := range ln.acceptors {
		a.loop.Post(a.resume)
	}
}
