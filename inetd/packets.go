package inetd

import (
	"slices"
	"time"

	"github.com/rondo-go/rondo"
)

// looping are the ports of services that answer whatever comes. An answer to one of them, in the name of somebody who has not asked, would be answered for ever.
var looping = []uint16{7, 13, 17, 19, 37}

// answering is a protocol of datagrams, each of which is answered by itself or not at all.
type answering func(c *rondo.PacketConn, p rondo.Packet) (answer []byte, ok bool)

func (answering) Opened(*rondo.PacketConn)        {}
func (answering) Closed(*rondo.PacketConn, error) {}

func (a answering) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	if !p.From.IsValid() || p.From.AddrPort.IsValid() && (p.From.AddrPort.Port() == 0 || slices.Contains(looping, p.From.AddrPort.Port())) {
		return
	}
	if answer, ok := a(c, p); ok {
		_ = c.WriteTo(answer, p.From) // what is lost is lost, as in the network
	}
}

// EchoPackets sends back each datagram (RFC 862). What the functions for datagrams make is what [rondo.Engine.ListenPacket] takes. They do not answer port 0, nor the ports of services that answer whatever comes (7, 13, 17, 19 and
// 37): two of them would talk to each other for ever. The sender of a datagram is easily forged, and who answers with more than was asked serves those who flood others: keep chargen off the internet.
func EchoPackets() rondo.PacketProtocol {
	return answering(func(_ *rondo.PacketConn, p rondo.Packet) ([]byte, bool) { return p.Data, !p.Truncated })
}

// DiscardPackets throws away what comes (RFC 863).
func DiscardPackets() rondo.PacketProtocol {
	return answering(func(*rondo.PacketConn, rondo.Packet) ([]byte, bool) { return nil, false })
}

// mostChars is the most that chargen answers a datagram with.
const mostChars = 512

// ChargenPackets answers each datagram by one of 0 to 512 characters, as many as chance has it (RFC 864).
func ChargenPackets() rondo.PacketProtocol {
	var chars []byte
	for line := 0; len(chars) < mostChars; line++ {
		chars = AppendLine(chars, line)
	}
	return answering(func(c *rondo.PacketConn, _ rondo.Packet) ([]byte, bool) {
		return chars[:c.Loop().Rand().IntN(mostChars+1)], true
	})
}

// DaytimePackets answers each datagram by what day and time it is, in words (RFC 867).
func DaytimePackets() rondo.PacketProtocol {
	return telling(func(now time.Time) []byte { return []byte(FormatDaytime(now)) })
}

// TimePackets answers each datagram by what time it is, in four bytes (RFC 868).
func TimePackets() rondo.PacketProtocol {
	return telling(func(now time.Time) []byte { return AppendTime(nil, now) })
}

func telling(what func(now time.Time) []byte) rondo.PacketProtocol {
	return answering(func(c *rondo.PacketConn, _ rondo.Packet) ([]byte, bool) { return what(c.Loop().Now()), true })
}
