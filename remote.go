package rondo

import "net"

// SetRemoteAddr replaces what RemoteAddr says of the connection, also to the layers and protocols that come after, for who has learnt from a proxy in between whom it speaks
// for. by says so, and RemoteAddrBy returns it: package proxied keeps the proxy's header there. A nil addr leaves RemoteAddr as it is. Limits for each address
// (ListenConfig.MaxConnsPerAddr) and errors of the network go on being about the proxy. Only on the loop.
func (c *Conn) SetRemoteAddr(addr net.Addr, by any) {
	c.own("Conn.SetRemoteAddr", "Handle.Do")
	x := c.setRare()
	if addr != nil {
		x.remote = addr
	}
	x.remoteBy = by
}

// RemoteAddrBy is what SetRemoteAddr was given; nil if it was not called. Only on the loop.
func (c *Conn) RemoteAddrBy() any {
	c.own("Conn.RemoteAddrBy", "Handle.Do")
	if x := c.extra; x != nil && x.rare != nil {
		return x.rare.remoteBy
	}
	return nil
}
