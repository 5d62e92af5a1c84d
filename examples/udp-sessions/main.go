// Udp-sessions is a server of datagrams that keeps something for each peer: it says how many it has had from it. Try it with
// "nc -u 127.0.0.1 7000", from several terminals. A peer that is silent for a minute is forgotten.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/rondo-go/rondo"
)

// peer is what is kept for one peer. Its methods are called by the socket's loop, one at a time, so it needs no locks.
type peer struct{ datagrams int }

func (*peer) Made(*rondo.PacketSession) {}

// PacketReceived gets what the peer sends. Its data is valid until it returns.
func (p *peer) PacketReceived(s *rondo.PacketSession, in rondo.Packet) {
	p.datagrams++
	if err := s.Write(fmt.Appendf(nil, "%d: %s", p.datagrams, in.Data)); err != nil {
		_ = s.Close() // as much waits to be sent as may: the peer can ask again
	}
}

func (p *peer) Lost(s *rondo.PacketSession, _ error) {
	log.Printf("%v has sent %d", s.RemoteAddr(), p.datagrams)
}

// newPeers is what hears of the socket: it finds the peer of each datagram, or makes it.
func newPeers() *rondo.PacketSessions {
	return &rondo.PacketSessions{
		New:         func(*rondo.PacketConn, rondo.Packet) rondo.SessionProtocol { return new(peer) },
		IdleTimeout: time.Minute,
		MaxSessions: 1000,
	}
}

func main() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		log.Fatal(err)
	}
	socket, err := engine.ListenPacket("udp", "127.0.0.1:7000", newPeers())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Listening on", socket.Addr())

	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-interrupted.Done()
	if err := engine.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
