package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"

	"github.com/rondo-go/rondo"
	"golang.org/x/sys/unix"
)

// What compareUDP measures, and serve starts.
const (
	udpRondo = "udp-rondo"
	udpNet   = "udp-net"
	udpBare  = "udp-bare"
)

// compareUDP measures echoes of datagrams: rondo, Go's net in its strongest form, and a bare loop of recvmmsg and sendmmsg.
func (b *bench) compareUDP(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, s := range []subject{
		{name: bareServer, label: "recvmmsg and sendmmsg, nothing else"},
		{name: rondoServer, label: "rondo"},
		{name: netServer, label: "net, ReadFromUDPAddrPort and WriteToUDPAddrPort"},
	} {
		s.argv = func(addr string) []string {
			return []string{self, "serve", "-poller", b.poller, "-size", fmt.Sprint(b.size), "udp-" + s.name, addr}
		}
		b.subjects = append(b.subjects, s)
	}
	fmt.Fprintf(out, "Processor time of the server per datagram of %d bytes echoed, at most %d under way, %s of %gs in turn: median (min–max).\n\n",
		b.size, udpWindow, plural(b.rounds, "round"), b.seconds)
	for _, sockets := range b.conns {
		found, err := b.inTurn(ctx, b.subjects, work{conns: sockets, size: b.size, turn: b.turn(), udp: true})
		if err != nil {
			return err
		}
		b.UDP = append(b.UDP, found...)
		t := echoTable(found, sockets)
		t.head = []string{fmt.Sprintf("%d client sockets", sockets), "× the bare loop", "× net", "ns per datagram"}
		b.show(out, t, found)
	}
	return nil
}

// serveUDP serves datagrams at addr, and says that it does by listening there for connections.
func serveUDP(ctx context.Context, name, addr, poller string, size int) error {
	ready := func() (func(), error) {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		return func() { ln.Close() }, nil
	}
	switch name {
	case udpRondo:
		engine, err := rondo.New(rondo.Config{Poller: poller})
		if err != nil {
			return err
		}
		defer engine.Close()
		if _, err := engine.ListenPacket("udp", addr, udpEcho{}); err != nil {
			return err
		}
		stop, err := ready()
		if err != nil {
			return err
		}
		defer stop()
		<-ctx.Done()
		return nil
	case udpNet:
		at, err := net.ResolveUDPAddr("udp", addr)
		if err != nil {
			return usageError{err}
		}
		c, err := net.ListenUDP("udp", at)
		if err != nil {
			return err
		}
		stop, err := ready()
		if err != nil {
			return err
		}
		defer stop()
		defer context.AfterFunc(ctx, func() { c.Close() })()
		buffer := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buffer)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			if _, err := c.WriteToUDPAddrPort(buffer[:n], from); err != nil {
				return err
			}
		}
	case udpBare:
		return serveBareUDP(addr, size, ready)
	}
	return usageError{fmt.Errorf("no server %q", name)}
}

// udpEcho is what the documentation shows.
type udpEcho struct{}

func (udpEcho) Opened(*rondo.PacketConn)        {}
func (udpEcho) Closed(*rondo.PacketConn, error) {}
func (udpEcho) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	c.WriteTo(p.Data, p.From)
}

// serveBareUDP is a bare loop: it blocks until there is something, takes what there is, and sends it back.
func serveBareUDP(addr string, size int, ready func() (func(), error)) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return usageError{err}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return fmt.Errorf("binding %s: %w", addr, err)
	}
	stop, err := ready()
	if err != nil {
		return err
	}
	defer stop()
	m := newMessages(64, size, true)
	for {
		n, errno := m.recv(fd, unix.MSG_WAITFORONE)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return os.NewSyscallError("recvmmsg", errno)
		}
		for done := 0; done < n; {
			k, errno := m.send(fd, done, n)
			if errno != 0 {
				return errors.Join(os.NewSyscallError("sendmmsg", errno))
			}
			done += k
		}
	}
}
