package rondo_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// names is a DNS server on loopback. It knows what hosts says, and nothing else exists; who asks for
// a name that begins with slow waits.
type names struct {
	t     *testing.T
	hosts map[string]string // addresses, by name
	asked chan string       // gets the names for which nobody is answered
	conn  net.PacketConn
}

// resolver starts the server and returns a Resolver that asks it.
func resolver(t *testing.T, hosts map[string]string) (*net.Resolver, *names) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &names{t: t, hosts: hosts, asked: make(chan string, 100), conn: conn}
	done := make(chan struct{})
	go func() { defer close(done); n.serve() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
		if err == nil { // else package net waits 5 seconds for an answer that nobody wants any more
			context.AfterFunc(ctx, func() { c.Close() })
		}
		return c, err
	}}, n
}

func (n *names) serve() {
	buf := make([]byte, 1500)
	for {
		size, from, err := n.conn.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(buf[:size]); err != nil || len(m.Questions) != 1 {
			n.t.Errorf("a bad question: %v", err)
			continue
		}
		q := m.Questions[0]
		name := strings.TrimSuffix(q.Name.String(), ".")
		if strings.HasPrefix(name, "slow") {
			n.asked <- name
			continue
		}
		answer := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: m.ID, Response: true, Authoritative: true},
			Questions: m.Questions,
		}
		known, ok := n.hosts[name]
		if !ok {
			answer.RCode = dnsmessage.RCodeNameError
		}
		for text := range strings.FieldsSeq(known) {
			ip := netip.MustParseAddr(text)
			resource := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}}
			switch {
			case ip.Is4() && q.Type == dnsmessage.TypeA:
				resource.Body = &dnsmessage.AResource{A: ip.As4()}
			case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
				resource.Body = &dnsmessage.AAAAResource{AAAA: ip.As16()}
			default:
				continue
			}
			answer.Answers = append(answer.Answers, resource)
		}
		packed, err := answer.Pack()
		if err != nil {
			n.t.Error(err)
			continue
		}
		_, _ = n.conn.WriteTo(packed, from)
	}
}

func TestDialName(t *testing.T) {
	r, _ := resolver(t, map[string]string{
		"one.test":   "127.0.0.1",
		"two.test":   "127.0.0.2 127.0.0.1",
		"three.test": "127.0.0.2 127.0.0.3 127.0.0.1",
		"none.test":  "127.0.0.2 127.0.0.3",
		"four.test":  "127.0.0.1",
	})
	tried := make(chan string, 10)
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		return &gate{Poller: p, onConnect: func(p poller.Poller, remote, local net.Addr) (int, error) {
			tried <- remote.(*net.TCPAddr).IP.String()
			return p.Connect(remote, local)
		}}
	})
	addr := e.serve(newEcho)
	_, p, _ := net.SplitHostPort(addr)
	dialer := rondo.Dialer{Resolver: r}
	for name, want := range map[string]string{
		"one.test":   "127.0.0.1",
		"two.test":   "127.0.0.2 127.0.0.1",
		"three.test": "127.0.0.2 127.0.0.3 127.0.0.1",
		"localhost":  "127.0.0.1", // the hosts file
	} {
		network := "tcp"
		if name == "localhost" {
			network = "tcp4"
		}
		c := rig.Result(t, dialer.Dial(t.Context(), e.Engine, network, name+":"+p, newRecorder(t)))
		rig.On(t, c.Loop(), func() {
			if a := c.RemoteAddr().String(); a != addr {
				t.Errorf("%s: connected to %s", name, a)
			}
		})
		for ip := range strings.FieldsSeq(want) {
			if got := rig.Await(t, tried); got != ip {
				t.Errorf("%s: tried %s, want %s", name, got, ip)
			}
		}
		if len(tried) > 0 {
			t.Errorf("%s: tried %d more", name, len(tried))
		}
	}

	err := dialFails(t, e, dialer, "tcp", "none.test:"+p, syscall.ECONNREFUSED, "127.0.0.2:"+p)
	if !strings.Contains(err.Error(), "127.0.0.3:"+p) {
		t.Errorf("of two errors one is missing: %v", err)
	}
	if _, err := dialer.DialContext(t.Context(), e.Engine, "tcp", "none.test:"+p); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("DialContext: %v", err)
	} else if _, ok := err.(*net.OpError); !ok { //nolint:errorlint // which type it has is the question
		t.Errorf("DialContext has returned a %T", err)
	}
	err = dialFails(t, e, dialer, "tcp", "nobody.test:"+p, nil, "nobody.test")
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("a name that does not exist: %v", err)
	}
	dialFails(t, e, dialer, "tcp6", "four.test:"+p, nil, "four.test")
	dialFails(t, e, dialer, "tcp", "one.test:no-such-service", nil, "no-such-service")
}

// While names are looked up, the loop goes on; and nothing keeps the attempt alive.
func TestDialSlowName(t *testing.T) {
	r, server := resolver(t, nil)
	e := newTestEngine(t, rondo.Config{})
	dialer := rondo.Dialer{Resolver: r, Timeout: -1}
	c := rig.Dial(t, e.serve(newEcho))

	// Each asks for a name of its own: package net has those that ask for the same share one lookup.
	dialFails(t, e, rondo.Dialer{Resolver: r, Timeout: 20 * time.Millisecond}, "tcp", "slow1.test:80", os.ErrDeadlineExceeded, "slow1.test:80")

	cause := errors.New("not wanted any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	f := dialer.Dial(ctx, e.Engine, "tcp", "slow2.test:80", newRecorder(t))
	for rig.Await(t, server.asked) != "slow2.test" {
	}
	roundTrip(t, c, "meanwhile")
	cancel(cause)
	if _, err := wait(t, f); !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}

	f = dialer.Dial(t.Context(), e.Engine, "tcp", "slow3.test:80", newRecorder(t))
	failed := make(chan error, 1)
	rig.On(t, f.Loop(), func() { f.OnDone(func(_ *rondo.Conn, err error) { failed <- err }) })
	for rig.Await(t, server.asked) != "slow3.test" {
	}
	c.Close()
	if err := e.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := rig.Await(t, failed); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("shut down: %v", err)
	}
}

// What is left of the time is shared out evenly among the addresses that are left, 2 seconds at least.
func TestDialTimeoutIsShared(t *testing.T) {
	hole := blackHole(t)
	holeAddr, err := net.ResolveTCPAddr("tcp", hole)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := resolver(t, map[string]string{"three.test": "127.0.0.2 127.0.0.3 127.0.0.4"})
	for _, test := range []struct {
		timeout time.Duration
		tries   []time.Duration // when each address is given up
	}{
		{9 * time.Second, []time.Duration{3 * time.Second, 3 * time.Second, 3 * time.Second}},
		{30 * time.Second, []time.Duration{10 * time.Second, 10 * time.Second, 10 * time.Second}},
		{3 * time.Second, []time.Duration{2 * time.Second, time.Second}},
	} {
		tried := make(chan string, 10)
		clock := new(stopped)
		clock.now.Store(int64(time.Second))
		e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
			clock.Poller = &gate{Poller: p, onConnect: func(p poller.Poller, remote, _ net.Addr) (int, error) {
				tried <- remote.(*net.TCPAddr).IP.String()
				return p.Connect(holeAddr, nil)
			}}
			return clock
		})
		dialer := rondo.Dialer{Resolver: r, Timeout: test.timeout, FallbackDelay: -1}
		f := dialer.Dial(t.Context(), e.Engine, "tcp", "three.test:80", newRecorder(t))
		for i, d := range test.tries {
			if got, want := rig.Await(t, tried), "127.0.0."+string(rune('2'+i)); got != want {
				t.Errorf("tried %s, want %s", got, want)
			}
			rig.On(t, e.Loop(), func() {}) // the timer is set
			clock.advance(d - 100*time.Millisecond)
			for range 2 {
				rig.On(t, e.Loop(), func() {
					if f.Done() || len(tried) > 0 {
						t.Errorf("of %v, address %d was given less than %v", test.timeout, i, d)
					}
				})
			}
			clock.advance(101 * time.Millisecond) // 1 ms is more than a tick of the timers
		}
		_, err := wait(t, f)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "127.0.0.2:80") {
			t.Errorf("after %v: %v", test.timeout, err)
		}
		if len(tried) > 0 {
			t.Errorf("of %v there was time for %d addresses more", test.timeout, len(tried))
		}
	}
}
