package rondo

import (
	"errors"
	"syscall"

	"github.com/rondo-go/rondo/internal/poller"
)

// receive takes what is there, one batch, and returns how much that was, an error included: the poller reports what is left again. So
// sockets with much to read share the loop.
func (c *PacketConn) receive() int {
	l := c.loop
	beside := false // whether the protocol wants more than bytes
	if c.isUnix() {
		if _, beside = c.proto.(UnixPacketReceiver); beside {
			if from, able := l.poller.(poller.Passer); able {
				return c.receiveUnix(from)
			}
		}
	}
	packets, err := l.poller.RecvPackets(c.fd, l.packets.batch(), c.config.MaxPacket)
	for i := range packets {
		p := &packets[i]
		if beside {
			c.deliverSimulated(p)
		} else {
			c.proto.PacketReceived(c, Packet{p.Data, PacketAddr{p.Addr, p.Name}, p.Truncated})
		}
		if c.ended.Load() || c.closing {
			return i + 1
		}
	}
	if err == nil {
		return len(packets)
	}
	return len(packets) + c.receiveFailed(err)
}

// receiveFailed is told of an error, and returns 1 unless it says that there is nothing.
func (c *PacketConn) receiveFailed(err error) int {
	switch {
	case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
		return 0
	case passing(err):
		c.tell(c.opError("read", PacketAddr{}, err))
	default:
		c.end(c.opError("read", PacketAddr{}, err))
	}
	return 1
}

// passing reports whether an error is news of one datagram, or of a moment, and not of the socket.
func passing(err error) bool {
	for _, e := range [...]syscall.Errno{
		syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
		syscall.ECONNRESET, syscall.EMSGSIZE, syscall.EPERM, syscall.EACCES, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EOPNOTSUPP,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// tell has the protocol told of an error, when no call of its own is under way.
func (c *PacketConn) tell(err error) {
	c.errs = append(c.errs, err)
	c.loop.packets.markDirty(c)
}

// tellErrors tells the protocol what tell has kept. What it sends then is sent in a later turn, so that one which
// answers an error with what leads to the next does not keep the loop.
func (c *PacketConn) tellErrors() {
	if len(c.errs) == 0 {
		return
	}
	errs := c.errs
	c.errs = nil
	r, ok := c.proto.(PacketErrorReceiver)
	if !ok {
		return
	}
	for _, err := range errs {
		if r.ErrorReceived(c, err); c.ended.Load() {
			return
		}
	}
	if c.out != nil || len(c.errs) > 0 {
		c.again = true
	}
}

// PauseReading stops the calls of PacketReceived, but for the datagrams that were received with the present one, 63 at the most. Others stay in the kernel, which
// drops what its buffer has no room for: see SetReadBuffer.
func (c *PacketConn) PauseReading() {
	c.own("PacketConn.PauseReading", "PacketHandle.Do")
	c.readPaused = true
	if !c.ended.Load() {
		c.watch()
	}
}

// ResumeReading lets PacketReceived be called again.
func (c *PacketConn) ResumeReading() {
	c.own("PacketConn.ResumeReading", "PacketHandle.Do")
	c.readPaused = false
	if !c.ended.Load() {
		c.watch()
	}
}
