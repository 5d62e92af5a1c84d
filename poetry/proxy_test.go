package poetry_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/sim"
)

// proxied is a world with a slow server, a proxy and clients.
type proxied struct {
	*sim.World
	said    *bytes.Buffer
	clients *sim.Host
	served  int // connections that the server has had
	poem    string
}

// proxying has the server send a poem of ten pieces, one each second.
func proxying(t *testing.T, x *poetry.Proxy, program func(p *proxied)) {
	t.Helper()
	sim.Run(t, sim.Config{}, func(w *sim.World) { program(proxyIn(w, x)) })
}

func proxyIn(w *sim.World, x *poetry.Proxy) *proxied {
	p := &proxied{World: w, said: new(bytes.Buffer), poem: strings.Repeat("a line of poetry\n", 10), clients: w.Host("client")}
	w.Host("server").Start(func(h *sim.Host) error {
		_, err := h.Engine().Listen("tcp", ":10000", func() rondo.Protocol {
			p.served++
			return &slowly{poem: p.poem}
		})
		return err
	})
	x.Out = p.said
	x.Dial = func(ctx context.Context, l *rondo.Loop, fetch rondo.Protocol) *rondo.Future[*rondo.Conn] {
		return rondo.Dialer{Loop: l, Timeout: 10 * time.Second}.Dial(ctx, l.Engine(), "tcp", "server:10000", fetch)
	}
	w.Host("proxy").Start(func(h *sim.Host) error {
		_, err := h.Engine().Listen("tcp", ":10001", x.Accept)
		return err
	})
	return p
}

// slowly sends a line a second.
type slowly struct{ poem string }

func (s *slowly) ConnectionMade(c *rondo.Conn) { s.send(c) }
func (s *slowly) send(c *rondo.Conn) {
	if s.poem == "" {
		_ = c.Close()
		return
	}
	line, rest, _ := strings.Cut(s.poem, "\n")
	_, _ = c.Write([]byte(line + "\n"))
	s.poem = rest
	h := c.Handle()
	c.Loop().After(time.Second, func() { h.Do(s.send) })
}
func (*slowly) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (*slowly) ConnectionLost(*rondo.Conn, error)        {}

// get is what a client gets, and how it ends.
func (p *proxied) get(t *testing.T) (string, error) {
	c, err := p.clients.Engine().DialContext(t.Context(), "tcp", "proxy:10001")
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(p.clients.Engine().Loop().Now().Add(time.Minute))
	got, err := io.ReadAll(c)
	return string(got), err
}

// Many clients share one fetch, and those that come later have what was kept.
func TestProxy(t *testing.T) {
	proxying(t, new(poetry.Proxy), func(p *proxied) {
		got := 0
		for i := range 20 {
			p.clients.Go(func() {
				p.Sleep(time.Duration(i) * 400 * time.Millisecond)
				if poem, err := p.get(t); poem != p.poem || err != nil {
					p.Errorf("client %d got %q, %v", i, poem, err)
				}
				got++
			})
		}
		p.Sleep(30 * time.Second)
		before := p.Elapsed()
		if poem, err := p.get(t); poem != p.poem || err != nil {
			p.Errorf("later: %q, %v", poem, err)
		}
		if d := p.Elapsed() - before; d > time.Second {
			p.Errorf("what was kept took %v", d)
		}
		if p.served != 1 || got != 20 {
			p.Errorf("the server was asked %d times; %d clients", p.served, got)
		}
		if said := p.said.String(); said != "Fetching poem from server.\nUsing cached poem.\n" {
			p.Errorf("it said\n%s", said)
		}
	})
}

// When the last client that waits has left, the fetch is given up, and begins anew for the next.
func TestProxyIsLeft(t *testing.T) {
	proxying(t, &poetry.Proxy{HalfClosed: time.Second}, func(p *proxied) {
		var leaving []net.Conn
		for range 2 {
			c, err := p.clients.Engine().DialContext(t.Context(), "tcp", "proxy:10001")
			if err != nil {
				p.Fatalf("dialing: %v", err)
			}
			leaving = append(leaving, c)
		}
		p.Sleep(2 * time.Second)
		_ = leaving[0].Close()
		p.Sleep(2 * time.Second)
		if n := p.World.Host("server").Engine().Conns(); n != 1 {
			p.Errorf("with one client left %d fetches are under way", n)
		}
		_ = leaving[1].Close()
		p.Sleep(2 * time.Second)
		if n := p.World.Host("server").Engine().Conns(); n != 0 {
			p.Errorf("with none left %d fetches are under way", n)
		}
		if poem, err := p.get(t); poem != p.poem || err != nil {
			p.Errorf("the next got %q, %v", poem, err)
		}
		if said := p.said.String(); said != "Fetching poem from server.\nNobody waits for the poem any more.\nFetching poem from server.\n" {
			p.Errorf("it said\n%s", said)
		}
	})
}

// A client that has ended its direction gets its poem all the same, also the only one.
func TestProxyHalfClosed(t *testing.T) {
	proxying(t, new(poetry.Proxy), func(p *proxied) {
		c, err := p.clients.Engine().DialContext(t.Context(), "tcp", "proxy:10001")
		if err != nil {
			p.Fatalf("dialing: %v", err)
		}
		defer c.Close()
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			p.Fatalf("ending: %v", err)
		}
		if poem, err := io.ReadAll(c); string(poem) != p.poem || err != nil {
			p.Errorf("got %q, %v", poem, err)
		}
	})
}

// When all who wait have ended their direction they may be gone, and are not waited for without end; one who certainly waits is.
func TestProxyDoubts(t *testing.T) {
	proxying(t, &poetry.Proxy{HalfClosed: 3 * time.Second}, func(p *proxied) {
		half := func() net.Conn {
			c, err := p.clients.Engine().DialContext(t.Context(), "tcp", "proxy:10001")
			if err != nil {
				p.Fatalf("dialing: %v", err)
			}
			_ = c.(interface{ CloseWrite() error }).CloseWrite()
			return c
		}
		first := half()
		p.Sleep(2 * time.Second)
		p.clients.Go(func() { // before the doubt is over
			if poem, err := p.get(t); poem != p.poem || err != nil {
				p.Errorf("who waits got %q, %v", poem, err)
			}
		})
		if poem, err := io.ReadAll(first); string(poem) != p.poem || err != nil {
			p.Errorf("who has ended its direction, beside one who waits, got %q, %v", poem, err)
		}
	})
	proxying(t, &poetry.Proxy{HalfClosed: 3 * time.Second}, func(p *proxied) {
		c, err := p.clients.Engine().DialContext(t.Context(), "tcp", "proxy:10001")
		if err != nil {
			p.Fatalf("dialing: %v", err)
		}
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		if poem, err := io.ReadAll(c); err == nil {
			p.Errorf("got %q in good order", poem)
		}
		if d := p.Elapsed(); d < 3*time.Second || d > 4*time.Second {
			p.Errorf("it was waited for %v", d)
		}
		if said := p.said.String(); said != "Fetching poem from server.\nNobody waits for the poem any more.\n" {
			p.Errorf("it said\n%s", said)
		}
	})
}

// A fetch that fails is told to those who wait, as an error, and tried again for the next.
func TestProxyFails(t *testing.T) {
	for name, c := range map[string]struct {
		proxy *poetry.Proxy
		fault func(p *proxied)
		mend  func(p *proxied)
		says  string
	}{
		"refused":  {new(poetry.Proxy), func(p *proxied) { p.Host("server").SetRefusing(true) }, func(p *proxied) { p.Host("server").SetRefusing(false) }, "connection refused"},
		"dies":     {new(poetry.Proxy), func(p *proxied) { p.After(3*time.Second, p.Host("server").PowerOff) }, func(p *proxied) { p.Host("server").Restart() }, ":10000: it sent nothing for 30s, "},
		"stalls":   {&poetry.Proxy{Timeout: 5 * time.Second}, func(p *proxied) { p.After(3*time.Second, func() { p.Partition(p.Host("server")) }) }, func(p *proxied) { p.Heal() }, ":10000: it sent nothing for 5s, after "},
		"too long": {&poetry.Proxy{MaxBytes: 100}, func(*proxied) {}, nil, ":10000: the poem has more than 100 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			proxying(t, c.proxy, func(p *proxied) {
				c.fault(p)
				failed := 0
				for range 3 {
					p.clients.Go(func() {
						if poem, err := p.get(t); err == nil {
							p.Errorf("a client got %q in good order", poem)
						}
						failed++
					})
				}
				p.Sleep(50 * time.Second)
				if failed != 3 || !strings.Contains(p.said.String(), "No poetry") || !strings.Contains(p.said.String(), c.says) {
					p.Errorf("%d were told; it said\n%s", failed, p.said)
				}
				if c.mend == nil {
					return
				}
				c.mend(p)
				p.Sleep(10 * time.Second)
				if poem, err := p.get(t); poem != p.poem || err != nil {
					p.Errorf("afterwards: %q, %v", poem, err)
				}
			})
		})
	}
}

// Whatever goes wrong, a client gets the poem whole or is told that it did not.
func TestProxyChaos(t *testing.T) {
	whole := 0
	faults := sim.Chaos()
	faults.Spare = []string{"client"}
	faults.Kill = 0 // the system ends the connections of a process that dies in good order, and a poem does not say how long it is
	sim.Search(t, 100, sim.Config{Faults: faults}, func(w *sim.World) {
		p := proxyIn(w, &poetry.Proxy{Timeout: 5 * time.Second})
		for range 5 {
			poem, err := p.get(t)
			switch {
			case err == nil && poem == p.poem:
				whole++
			case err == nil:
				w.Errorf("%q, and an end in good order", poem)
			case !strings.HasPrefix(p.poem, poem):
				w.Errorf("%q is no beginning", poem)
			}
			w.Sleep(time.Second)
		}
	})
	if whole < 100 {
		t.Errorf("only %d of 500 came whole", whole)
	}
}
