package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// Happy Eyeballs among hosts: a name has several addresses, of both families, and each host does as the script says. "dead" does not answer, "refuses" has
// nobody who listens, "nowhere" is no host's address, and a time is a host that is so far away that connecting takes it.
func TestHappyEyeballs(t *testing.T) {
	for _, tt := range []struct {
		hosts       string // in the resolver's order
		cfg         rondo.Dialer
		winner      string // the address's number; empty: none
		least, most time.Duration
		errs        []error
	}{
		{hosts: "6:10ms 4:10ms", winner: "0", least: 10 * time.Millisecond, most: 15 * time.Millisecond},
		{hosts: "6:dead 4:10ms", winner: "1", least: 260 * time.Millisecond, most: 265 * time.Millisecond},
		{hosts: "6:dead 6:dead 6:dead 4:10ms", winner: "3", least: 260 * time.Millisecond, most: 265 * time.Millisecond}, // the families take turns
		{hosts: "4:dead 4:dead 4:dead 4:10ms", winner: "3", least: 760 * time.Millisecond, most: 765 * time.Millisecond},
		{hosts: "6:400ms 4:100ms", winner: "1", least: 350 * time.Millisecond, most: 355 * time.Millisecond},
		{hosts: "6:400ms 4:200ms", winner: "0", least: 400 * time.Millisecond, most: 405 * time.Millisecond}, // the first that connects
		{hosts: "6:refuses 4:10ms", winner: "1", least: 10 * time.Millisecond, most: 15 * time.Millisecond},
		{hosts: "6:nowhere 4:refuses 6:10ms", winner: "2", least: 10 * time.Millisecond, most: 15 * time.Millisecond},
		{hosts: "6:dead 4:10ms", cfg: rondo.Dialer{FallbackDelay: 50 * time.Millisecond}, winner: "1", least: 60 * time.Millisecond, most: 65 * time.Millisecond},
		{hosts: "6:dead 4:10ms", cfg: rondo.Dialer{FallbackDelay: -1, Timeout: 10 * time.Second}, winner: "1", least: 5010 * time.Millisecond, most: 5020 * time.Millisecond},
		{hosts: "6:refuses 4:refuses 6:nowhere", least: 0, most: 5 * time.Millisecond, errs: []error{syscall.ECONNREFUSED, syscall.ENETUNREACH}},
		{hosts: "6:dead 4:refuses 6:dead", least: 30 * time.Second, most: 30*time.Second + time.Millisecond, errs: []error{syscall.ECONNREFUSED, os.ErrDeadlineExceeded}},
	} {
		t.Run(fmt.Sprint(tt.hosts, " ", tt.cfg.FallbackDelay), func(t *testing.T) {
			sim.Run(t, sim.Config{Link: sim.Link{Latency: time.Microsecond}}, func(w *sim.World) {
				client := w.Host("client")
				addrs := scripted(w, client, tt.hosts)
				lost := &sink{lost: make(chan error, 1)}
				start := w.Elapsed()
				c, err := tt.cfg.Dial(t.Context(), client.Engine(), "tcp", "many:7000", lost).Wait(t.Context())
				within(w, w.Elapsed()-start, tt.least, tt.most)
				if tt.winner != "" {
					if err != nil {
						w.Fatalf("dialing: %v", err)
					}
					got := make(chan net.Addr, 1)
					c.Handle().Do(func(c *rondo.Conn) { got <- c.RemoteAddr() })
					w.Sleep(time.Second)
					if a := <-got; a.String() != net.JoinHostPort(addrs[tt.winner[0]-'0'].String(), "7000") {
						w.Errorf("it is connected to %v of %v", a, addrs)
					}
				}
				for _, want := range tt.errs {
					if !errors.Is(err, want) {
						w.Errorf("%v is not in %v", want, err)
					}
				}
				for _, a := range addrs {
					if tt.errs != nil && !strings.Contains(err.Error(), a.String()) {
						w.Errorf("%v is not in %v", a, err)
					}
				}
				open(w, client, map[bool]int{true: 1}[tt.winner != ""])
			})
		})
	}
}

// A dial that is given up in between leaves nothing, whichever of the ways it is given up.
func TestHappyEyeballsGivenUp(t *testing.T) {
	boom := errors.New("boom")
	for name, giveUp := range map[string]func(f *rondo.Future[*rondo.Conn], cancel context.CancelCauseFunc, h *sim.Host) error{
		"cancelled": func(f *rondo.Future[*rondo.Conn], _ context.CancelCauseFunc, _ *sim.Host) error {
			f.Loop().Post(func() { f.Cancel(boom) })
			return boom
		},
		"its context": func(_ *rondo.Future[*rondo.Conn], cancel context.CancelCauseFunc, _ *sim.Host) error {
			cancel(boom)
			return boom
		},
		"the engine": func(_ *rondo.Future[*rondo.Conn], _ context.CancelCauseFunc, h *sim.Host) error {
			_ = h.Engine().Shutdown(context.Background()) //nolint:usetesting // it ends at once
			return rondo.ErrEngineClosed
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				client := w.Host("client")
				scripted(w, client, "6:dead 4:dead 6:600ms 4:dead")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				f := client.Engine().Dial(ctx, "tcp", "many:7000", &sink{})
				w.Sleep(510 * time.Millisecond) // three are under way
				if n := len(w.Connections()); n != 3 {
					w.Errorf("%d are being made", n)
				}
				want := giveUp(f, cancel, client)
				if _, err := f.Wait(t.Context()); !errors.Is(err, want) {
					w.Errorf("dialing: %v", err)
				}
				w.Sleep(time.Minute)
				open(w, client, 0)
			})
		})
	}
}

// open reports an error unless the client has so many connections, and none is being made.
func open(w *sim.World, client *sim.Host, want int) {
	if n := client.Engine().Conns(); n != want {
		w.Errorf("%d connections are counted, not %d", n, want)
	}
	w.Sleep(time.Second)
	n := len(w.Connections())
	if n != want {
		w.Errorf("%d connections are open, not %d", n, want)
	}
}

// scripted makes the hosts and the name "many", and returns the addresses.
func scripted(w *sim.World, client *sim.Host, hosts string) (addrs []netip.Addr) {
	for i, spec := range strings.Fields(hosts) {
		family, what, _ := strings.Cut(spec, ":")
		h := w.Host(fmt.Sprint("host", i))
		ip := h.Addr()
		if family == "6" {
			ip = netip.MustParseAddr(fmt.Sprint("2001:db8::", i+1))
		}
		if what == "nowhere" {
			addrs = append(addrs, netip.MustParseAddr(fmt.Sprint("2001:db8:1::", i+1)))
			continue
		}
		if family == "6" {
			h.AddAddr(ip)
		}
		addrs = append(addrs, ip)
		switch what {
		case "dead":
			h.PowerOff()
		case "refuses":
		default:
			h.Start(serveEcho)
			d, err := time.ParseDuration(what)
			if err != nil {
				w.Fatalf("the script: %v", err)
			}
			w.SetLink(client, h, sim.Link{Latency: d / 2})
		}
	}
	w.SetName("many", addrs...)
	return addrs
}
