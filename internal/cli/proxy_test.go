package cli

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/sim"
)

// simulatedProxy is a proxy between clients and an echo server, whose process may open so many files.
type simulatedProxy struct {
	*proxy
	*sim.World
	said bytes.Buffer
}

func proxyIn(w *sim.World, o proxyOptions, files int) *simulatedProxy {
	w.Host("server").Start(func(h *sim.Host) error {
		_, err := h.Engine().Listen("tcp", ":7", inetd.Echo)
		return err
	})
	p := &simulatedProxy{World: w}
	p.proxy = &proxy{options: o, log: newSparseLog(&p.said)}
	w.Host("proxy").Start(func(h *sim.Host) error {
		h.SetMaxFiles(files)
		p.engine = h.Engine()
		to := endpoint.Endpoint{Network: "tcp", Address: "server:7", Options: endpoint.Options{Timeout: o.connect}}
		dialer, err := to.Dialer(p.engine)
		if err != nil {
			return err
		}
		p.targets = []*proxyTarget{{at: to, dialer: dialer}}
		_, err = p.engine.Listen("tcp", ":8", func() rondo.Protocol { return &proxyClient{proxy: p.proxy} })
		return err
	})
	return p
}

// dial is a client.
func (p *simulatedProxy) dial() net.Conn {
	c := p.dialed()
	if c == nil {
		p.Fatalf("dialing failed")
	}
	return c
}

// dialed is a client that may not get through.
func (p *simulatedProxy) dialed() net.Conn {
	c, err := p.Host("client").Engine().DialContext(context.Background(), "tcp", "proxy:8")
	if err != nil {
		return nil
	}
	_ = c.SetDeadline(p.Host("client").Engine().Loop().Now().Add(time.Minute))
	return c
}

// echoed says something and hears it again.
func (p *simulatedProxy) echoed(c net.Conn, who string) {
	if _, err := c.Write([]byte("hello")); err != nil {
		p.Errorf("%s: %v", who, err)
	}
	if got, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		p.Errorf("%s: %d bytes, %v", who, got, err)
	}
}

// TestProxyWaitsForDescriptors: who lacks a descriptor for the way to its target waits until others end, and the target is not blamed.
func TestProxyWaitsForDescriptors(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		p := proxyIn(w, proxyOptions{connect: 10 * time.Second}, 4) // the listener, both ends of one connection, and one end of another
		first, second := p.dial(), p.dial()
		p.echoed(first, "the first")
		p.Sleep(5 * time.Second)
		_ = first.Close()
		p.echoed(second, "the second")
		if n := p.stats.refused.Load(); n != 0 {
			p.Errorf("%d were refused", n)
		}
		if p.targets[0].down.Load() != 0 {
			p.Errorf("the target is blamed")
		}
		p.log.end()
		if said := p.said.String(); !strings.HasPrefix(said, "Clients wait for descriptors for the way to their targets: the process may open no more files; see ulimit -n.\n") ||
			strings.Contains(said, "cannot be reached") {
			p.Errorf("it said\n%s", said)
		}
	})
}

// TestProxyRefusesForDescriptors: nobody waits for longer than a target may take, nor goes on when its client has left.
func TestProxyRefusesForDescriptors(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		p := proxyIn(w, proxyOptions{connect: 10 * time.Second}, 4)
		first, second := p.dial(), p.dial()
		p.echoed(first, "the first")
		before := p.Elapsed()
		if n, err := second.Read(make([]byte, 1)); err == nil || err == io.EOF { //nolint:errorlint // bare by io.Reader's contract
			p.Errorf("the second: %d bytes, %v", n, err)
		}
		if d := p.Elapsed() - before; d < 8*time.Second || d > 10*time.Second {
			p.Errorf("it was refused after %v", d)
		}
		if n := p.stats.refused.Load(); n != 1 {
			p.Errorf("%d were refused", n)
		}
		third := p.dial()
		p.Sleep(time.Second)
		third.(interface{ SetLinger(int) error }).SetLinger(0) //nolint:errcheck // what matters is seen below
		_ = third.Close()
		p.Sleep(time.Minute)
		if n, open := p.stats.refused.Load(), p.stats.open.Load(); n != 1 || open != 1 {
			p.Errorf("%d were refused, %d are open", n, open)
		}
		p.log.end()
		if said := p.said.String(); !strings.Contains(said, "A client was refused after 10s without a descriptor for the way to its target: the process may open no more files; see ulimit -n.\n") {
			p.Errorf("it said\n%s", said)
		}
	})
}

// TestSparseLog: a line a second about each, and how many more there were.
func TestSparseLog(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var said bytes.Buffer
		log := newSparseLog(&said)
		l := w.Host("a").Engine().Loop()
		say := func(times int, about ...string) {
			done := make(chan struct{})
			l.Post(func() {
				defer close(done)
				for range times {
					log.say(l, "", "a line")
					for _, name := range about {
						log.say(l, name, "a line about "+name)
					}
				}
			})
			w.Sleep(100 * time.Millisecond)
			<-done
		}
		say(1)
		w.Sleep(3 * time.Second)
		say(7)
		w.Sleep(3 * time.Second)
		say(3, "x:1", "y:2")
		log.end()
		if want := "a line\na line\n6 lines like it left out.\na line\na line about x:1\na line about y:2\n2 lines like it left out.\n" +
			"Target x:1: 2 lines like it left out.\nTarget y:2: 2 lines like it left out.\n"; said.String() != want {
			w.Errorf("it said\n%s", said.String())
		}
	})
}
