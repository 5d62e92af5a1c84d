//go:build unix

package poller

import (
	"net"
	"net/netip"
	"time"

	"github.com/rondo-go/rondo/internal/sock"
)

// sockets is the half of the contract that the operating system's backends share: each waits
// in its own way, but all open, read, write and close the same sockets and files.
type sockets struct{}

func (sockets) Listen(addr net.Addr, o sock.Options) (int, error) { return sock.Listen(addr, o) }
func (sockets) Accept(fd int) (int, netip.AddrPort, error)        { return sock.Accept(fd) }
func (sockets) Connect(remote, local net.Addr) (int, error)       { return sock.Connect(remote, local) }
func (sockets) SocketError(fd int) error                          { return sock.SocketError(fd) }
func (sockets) Recv(fd int, p []byte) (int, error)                { return sock.Recv(fd, p) }
func (sockets) Send(fd int, p []byte) (int, error)                { return sock.Send(fd, p) }
func (sockets) OpenFile(fd int) (sock.File, error)                { return sock.OpenFile(fd) }
func (sockets) ReadFile(fd int, p []byte) (int, error)            { return sock.ReadFile(fd, p) }
func (sockets) WriteFile(fd int, p []byte) (int, error)           { return sock.WriteFile(fd, p) }
func (sockets) CloseWrite(fd int) error                           { return sock.CloseWrite(fd) }
func (sockets) Unsent(fd int) int                                 { return sock.Unsent(fd) }
func (sockets) PeerCredentials(fd int) (sock.Credentials, error)  { return sock.PeerCredentials(fd) }
func (sockets) LocalAddr(fd int) net.Addr                         { return sock.LocalAddr(fd) }
func (sockets) PeerAddr(fd int) net.Addr                          { return sock.PeerAddr(fd) }
func (sockets) ShareListener(fd int) (int, error)                 { return sock.ShareListener(fd) }
func (sockets) SetNoDelay(fd int, on bool) error                  { return sock.SetNoDelay(fd, on) }
func (sockets) SetKeepAlive(fd int, idle time.Duration) error     { return sock.SetKeepAlive(fd, idle) }

func (sockets) RecvFiles(fd int, p []byte) (n int, fds []int, lost bool, err error) {
	return sock.RecvFiles(fd, p)
}

func (sockets) SendFiles(fd int, p []byte, fds []int) (int, error) {
	return sock.SendFiles(fd, p, fds)
}

func (sockets) OpenPacket(o sock.PacketOptions) (int, error) { return sock.OpenPacket(o) }

func (sockets) RecvPackets(fd int, b *sock.PacketBuffer, size int) ([]sock.Packet, error) {
	return sock.RecvPackets(fd, b, size)
}

func (sockets) SendPackets(fd int, b *sock.PacketBuffer, packets []sock.Packet) (int, error) {
	return sock.SendPackets(fd, b, packets)
}

func (sockets) RecvUnixPacket(fd int, b *sock.PacketBuffer, size int) (sock.UnixPacket, error) {
	return sock.RecvUnixPacket(fd, b, size)
}

func (sockets) PacketAddrs(fd int) (local, remote net.Addr) { return sock.PacketAddrs(fd) }

func (sockets) SetPacketOption(fd int, o sock.PacketOption, value int) error {
	return sock.SetPacketOption(fd, o, value)
}

func (sockets) SetGroup(fd int, group netip.Addr, iface int, join bool) error {
	return sock.SetGroup(fd, group, iface, join)
}
