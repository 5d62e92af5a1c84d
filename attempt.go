package rondo

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// attempt is one address that a dial tries.
type attempt struct {
	dial  *dial
	addr  net.Addr
	fd    int // less than 0 if there is none
	token token
	again Timer // until a Unix socket is tried again, or the address's share of the time is over
}

// connect begins. An error says that it has failed already.
func (a *attempt) connect() error {
	l := a.dial.loop
	fd, err := l.poller.Connect(a.addr, a.dial.cfg.LocalAddr)
	switch {
	case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
		a.again = l.After(unixRetry, func() {
			if err := a.connect(); err != nil {
				a.dial.failed(a, err)
			}
		})
		return nil
	case err != nil && err != syscall.EINPROGRESS: //nolint:errorlint // likewise
		return err
	}
	a.fd = fd
	if err == nil {
		a.connected()
		return nil
	}
	a.token = l.watchers.put(a)
	if err := l.poller.Add(fd, uint64(a.token), poller.Write); err != nil {
		return err
	}
	if d := a.dial; d.cfg.FallbackDelay < 0 && d.until != 0 && len(d.addrs) > 0 {
		// What is left of the time is shared out evenly, but not in slices that are too thin.
		left := time.Duration(d.until - l.poller.Now())
		share := max(left/time.Duration(len(d.addrs)+1), minAddressTimeout)
		a.again = l.After(share, func() { d.failed(a, os.ErrDeadlineExceeded) })
	}
	return nil
}

// ready is called when the connection stands or has failed.
func (a *attempt) ready(poller.Ready) {
	p := a.dial.loop.poller
	err := p.SocketError(a.fd)
	if err == nil && selfConnected(p, a.fd) {
		err = syscall.ECONNREFUSED
	}
	if err == nil {
		err = p.Remove(a.fd)
	}
	if err != nil {
		a.dial.failed(a, err)
		return
	}
	a.connected()
}

// shut implements watcher. The dial sees to it.
func (a *attempt) shut() {}

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

// connected ends the dial with a connection of this address.
func (a *attempt) connected() {
	d := a.dial
	fd := a.fd
	a.fd = -1
	var peer netip.AddrPort
	flags := isUnix
	if t, ok := a.addr.(*net.TCPAddr); ok {
		peer, flags = t.AddrPort(), 0
		_ = d.loop.poller.SetNoDelay(fd, true)
		_ = d.loop.poller.SetKeepAlive(fd, time.Minute)
	}
	c, err := d.loop.adopt(fd, peer, d.proto, flags, nil)
	if err != nil {
		_ = d.loop.poller.Close(fd)
		d.finish(nil, err)
		return
	}
	d.loop.load.Add(1) // finish takes away the dial's own charge
	c.SetIdleTimeout(d.cfg.IdleTimeout)
	c.SetLifetime(d.cfg.Lifetime)
	d.finish(c, nil)
}

// close gives up what the attempt holds.
func (a *attempt) close() {
	a.again.Stop()
	l := a.dial.loop
	if a.token != 0 {
		l.watchers.remove(a.token)
		a.token = 0
	}
	if a.fd >= 0 {
		_ = l.poller.Close(a.fd)
		a.fd = -1
	}
}
