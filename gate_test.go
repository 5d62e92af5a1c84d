package rondo_test

import (
	"net"
	"net/netip"

	"github.com/rondo-go/rondo/internal/poller"
)

// gate is a poller whose Accept and Connect do what the test says. Nil hooks pass on.
type gate struct {
	poller.Poller
	onAccept  func(p poller.Poller, fd int) (int, netip.AddrPort, error)
	onConnect func(p poller.Poller, remote, local net.Addr) (int, error)
}

func (g *gate) Accept(fd int) (int, netip.AddrPort, error) {
	if g.onAccept != nil {
		return g.onAccept(g.Poller, fd)
	}
	return g.Poller.Accept(fd)
}

func (g *gate) Connect(remote, local net.Addr) (int, error) {
	if g.onConnect != nil {
		return g.onConnect(g.Poller, remote, local)
	}
	return g.Poller.Connect(remote, local)
}
