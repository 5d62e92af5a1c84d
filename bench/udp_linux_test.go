package main

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Each server of datagrams answers the load, which compares every byte; and is measured only when it is there.
func TestUDPServers(t *testing.T) {
	for _, name := range []string{udpRondo, udpNet} { // the bare loop does not end
		t.Run(name, func(t *testing.T) {
			addr, err := freeAddr(0)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- serveUDP(ctx, name, addr, "", 128) }()
			for { // it listens for connections once it serves datagrams
				if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
					c.Close()
					break
				}
				select {
				case err := <-served:
					t.Fatal(err)
				default:
				}
			}
			for _, sockets := range []int{1, 100} {
				l, err := newUDPLoader(netip.MustParseAddrPort(addr), sockets, 128)
				if err != nil {
					t.Fatal(err)
				}
				if err := l.drive(50 * time.Millisecond); err != nil {
					t.Fatal(err)
				}
				if l.messages < int64(udpBurst) || l.messages%udpBurst != 0 && l.lost == 0 {
					t.Errorf("%d sockets: %d answers, %d lost", sockets, l.messages, l.lost)
				}
			}
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// Answers that are wrong are found out.
func TestUDPLoadCompares(t *testing.T) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		buffer := make([]byte, 1000)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			buffer[n-1]++
			_, _ = c.WriteToUDPAddrPort(buffer[:n], from)
		}
	}()
	l, err := newUDPLoader(c.LocalAddr().(*net.UDPAddr).AddrPort(), 1, 128)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.drive(50 * time.Millisecond); err == nil {
		t.Error("every answer has a wrong byte, and nobody minds")
	}
}
