package sim

import (
	"errors"
	"net"
	"net/netip"

	"github.com/rondo-go/rondo/internal/sock"
)

// OpenPacket implements poller.Poller.
func (q *simPoller) OpenPacket(sock.PacketOptions) (int, error) { return -1, errors.ErrUnsupported }

// RecvPackets implements poller.Poller.
func (q *simPoller) RecvPackets(int, *sock.PacketBuffer, int) ([]sock.Packet, error) {
	return nil, errors.ErrUnsupported
}

// SendPackets implements poller.Poller.
func (q *simPoller) SendPackets(int, *sock.PacketBuffer, []sock.Packet) (int, error) {
	return 0, errors.ErrUnsupported
}

// PacketAddrs implements poller.Poller.
func (q *simPoller) PacketAddrs(int) (local, remote net.Addr) { return nil, nil }

// SetPacketOption implements poller.Poller.
func (q *simPoller) SetPacketOption(int, sock.PacketOption, int) error { return errors.ErrUnsupported }

// SetGroup implements poller.Poller.
func (q *simPoller) SetGroup(int, netip.Addr, int, bool) error { return errors.ErrUnsupported }
