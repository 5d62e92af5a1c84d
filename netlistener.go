package rondo

import (
	"net"
	"sync"
)

// netListener is a net.Listener over a Listener: a queue of connections that wait for Accept.
type netListener struct {
	*Listener

	mu      sync.Mutex
	arrived cond
	queue   []*netConn
	closed  bool
}

// ListenNet listens as [Engine.Listen] does and returns a net.Listener, whose connections are
// net.Conns on the engine, for http.Server and other code that wants one. Up to 128 connections wait for
// Accept here, others in the kernel.
func (e *Engine) ListenNet(network, address string) (net.Listener, error) {
	return ListenConfig{}.ListenNet(e, network, address)
}

// ListenNet is [Engine.ListenNet] with this configuration.
func (cfg ListenConfig) ListenNet(e *Engine, network, address string) (net.Listener, error) {
	ln, err := cfg.Bind(e, network, address)
	if err != nil {
		return nil, err
	}
	return ln.ServeNet()
}

// ServeNet is [Listener.Serve] for code that wants a net.Listener: it makes of a listener that was bound, and is not served yet, what ListenNet returns.
func (ln *Listener) ServeNet() (net.Listener, error) {
	nl := &netListener{Listener: ln}
	nl.arrived.init(ln.engine, &nl.mu)
	if err := ln.begin(maxWaiting, func() Protocol {
		n := newNetConn(ln.engine)
		n.made = nl.add
		return n
	}); err != nil {
		return nil, err
	}
	ln.OnClose(nl.end)
	if err := ln.each((*acceptor).serve); err != nil {
		return nil, err
	}
	return nl, nil
}

func (nl *netListener) add(n *netConn) {
	nl.mu.Lock()
	defer nl.mu.Unlock()
	if nl.closed {
		_ = n.Close()
		return
	}
	if x := n.conn.extra; x != nil && x.awaited {
		x.awaited = false // from here on Accept counts it
	}
	nl.queue = append(nl.queue, n)
	nl.arrived.signal()
	n.conn.loop.woke = true
}

// Accept implements net.Listener.
func (nl *netListener) Accept() (net.Conn, error) {
	nl.mu.Lock()
	defer nl.mu.Unlock()
	for len(nl.queue) == 0 && !nl.closed {
		nl.arrived.wait()
	}
	if nl.closed {
		return nil, &net.OpError{Op: "accept", Net: nl.Addr().Network(), Addr: nl.Addr(), Err: net.ErrClosed}
	}
	n := nl.queue[0]
	nl.queue[0] = nil
	nl.queue = nl.queue[1:]
	if nl.waiting.give() {
		nl.resume()
	}
	return n, nil
}

// Close implements net.Listener.
func (nl *netListener) Close() error {
	nl.mu.Lock()
	closed := nl.closed
	nl.mu.Unlock()
	if closed {
		return &net.OpError{Op: "close", Net: nl.Addr().Network(), Addr: nl.Addr(), Err: net.ErrClosed}
	}
	return nl.Listener.Close()
}

// end is called when the listener is closed, by Close or because the engine shuts down.
func (nl *netListener) end() {
	nl.mu.Lock()
	defer nl.mu.Unlock()
	nl.closed = true
	for _, n := range nl.queue {
		_ = n.Close()
	}
	nl.queue = nil
	nl.arrived.broadcast()
}
