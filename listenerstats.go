package rondo

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// ListenerStats are a listener's counts since it was made.
type ListenerStats struct {
	// Accepted is how many connections were accepted and admitted, and Open how many of them have not ended.
	Accepted uint64
	Open     int

	// Those that did not become connections: RefusedPerAddr were reset for ListenConfig.MaxConnsPerAddr, Declined were closed because accept returned no
	// protocol, and Aborted had gone before they were accepted. (Those above MaxConns or AcceptLimiter wait, and are not refused.)
	RefusedPerAddr, Declined, Aborted uint64

	// Paused says that connections are left waiting in the backlog at this moment: for MaxConns, AcceptLimiter, or want of descriptors; or, for a listener that was given
	// by ListenNet, for Accept. Pauses is how often that has begun.
	Paused bool
	Pauses uint64
}

// listenerCounts are a listener's. Any goroutine may use them.
type listenerCounts struct {
	accepted, refused, declined, aborted, pauses atomic.Uint64
	open                                         atomic.Int64
	paused                                       atomic.Int32 // sockets

	mu     sync.Mutex
	origin map[netip.Addr]*addrCount // those that have a connection, if there is a limit for each
}

// addrCount is how many connections come from one address.
type addrCount struct {
	addr netip.Addr
	n    int
}

// Stats returns the listener's counts. They are read one after the other while connections come and go, so they need not fit together exactly. Any goroutine may call it.
func (ln *Listener) Stats() ListenerStats {
	c := &ln.counts
	return ListenerStats{
		Accepted: c.accepted.Load(), Open: int(c.open.Load()),
		RefusedPerAddr: c.refused.Load(), Declined: c.declined.Load(), Aborted: c.aborted.Load(),
		Paused: c.paused.Load() > 0, Pauses: c.pauses.Load(),
	}
}

// admit counts a connection where it comes from, unless limit are there already. Without a limit, or an address, it counts nothing.
func (c *listenerCounts) admit(peer netip.AddrPort, limit int) (*addrCount, bool) {
	if limit <= 0 || !peer.IsValid() {
		return nil, true
	}
	addr := originOf(peer.Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.origin[addr]
	switch {
	case o == nil:
		o = &addrCount{addr: addr}
		if c.origin == nil {
			c.origin = make(map[netip.Addr]*addrCount)
		}
		c.origin[addr] = o
	case o.n >= limit:
		c.refused.Add(1)
		return nil, false
	}
	o.n++
	return o, true
}

// forget is called when a connection that was counted at o has ended. A nil o is one that was not.
func (c *listenerCounts) forget(o *addrCount) {
	if o == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.n--; o.n == 0 {
		delete(c.origin, o.addr)
	}
}

// originOf is what an address is counted as: itself, or the network of IPv6 that one customer usually has (RFC 6177, section 2).
func originOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil { // it is for longer addresses than there are
		return a
	}
	return p.Addr()
}
