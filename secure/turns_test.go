package secure_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
)

// sentRecords are the records that a client sends in a handshake.
func sentRecords(t *testing.T, server, client *tls.Config) [][]byte {
	t.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- tls.Server(b, server).Handshake() }()
	r := &recorder{Conn: a}
	if err := errors.Join(tls.Client(r, client).Handshake(), rig.Await(t, done)); err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for p := r.sent.Bytes(); len(p) > 0; {
		n := 5 + int(p[3])<<8 + int(p[4])
		records, p = append(records, p[:n]), p[n:]
	}
	return records
}

// flood is what a test sees of a server that is flooded with hellos, in a simulation.
type flood struct {
	w     *sim.World
	hello []byte
	ends  []string // which clients' connections have ended, in order, and how
}

// client sends a hello and nothing else. It returns when the server has answered the hello.
func (f *flood) client(name string) net.Conn {
	c, err := f.w.Host("flood").Engine().DialContext(background, "tcp", "server:443")
	if err != nil {
		f.w.Fatalf("connecting: %v", err)
	}
	_, _ = c.Write(f.hello)
	if _, err := c.Read(make([]byte, 64<<10)); err != nil {
		f.w.Errorf("%s is not answered: %v", name, err)
	}
	f.w.Host("flood").Go(func() {
		_, err := io.Copy(io.Discard, c)
		how := "in good order"
		if errors.Is(err, syscall.ECONNRESET) {
			how = "reset"
		}
		f.ends = append(f.ends, name+" "+how)
	})
	return c
}

func (f *flood) expect(want ...string) {
	f.w.Sleep(time.Second)
	if got := strings.Join(f.ends, ", "); got != strings.Join(want, ", ") {
		f.w.Errorf("at %v the ends were %s; want %s", f.w.Elapsed(), got, strings.Join(want, ", "))
	}
}

// Peers that send a hello and then nothing are given up one after the other, the oldest first, as soon as others need their place; a good client among them gets through; and those that nobody needs
// the place of have the whole time.
func TestMaxHandshakes(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			records := sentRecords(t, server, client)
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				f := &flood{w: w, hello: records[0]}
				e := w.Host("server").Engine()
				cfg := secure.Config{TLS: server, MaxHandshakes: 3}
				if _, err := e.Listen("tcp", ":443", cfg.Server(stream.Handle(echoHandler))); err != nil {
					w.Fatalf("listening: %v", err)
				}
				held := func(want int) {
					done := rondo.NewPromise[int](e.Loop())
					e.Loop().Post(func() {
						n, _, _ := secure.Held(e.Loop())
						done.Resolve(n)
					})
					if n, err := done.Future().Wait(background); n != want || err != nil {
						w.Errorf("%d hold a place (%v), want %d", n, err, want)
					}
				}
				for _, name := range []string{"a", "b", "c"} {
					f.client(name)
				}
				f.expect()
				held(3)
				f.client("d")
				f.client("e")
				f.expect("a reset", "b reset")
				held(3)
				c, err := dialTLS(w, w.Host("client").Engine(), client)
				if err != nil {
					w.Fatalf("the good client: %v", err)
				}
				if _, err := io.WriteString(c, "hello"); err != nil {
					w.Errorf("writing: %v", err)
				}
				if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
					w.Errorf("reading: %v", err)
				}
				_ = c.Close()
				f.expect("a reset", "b reset", "c reset")
				held(2)
				w.Sleep(10 * time.Second) // the timeout
				f.expect("a reset", "b reset", "c reset", "d reset", "e reset")
				held(0)
			})
		})
	}
}

// Who sends another record while it waits does not get younger by that.
func TestMaxHandshakesTrickle(t *testing.T) {
	server, client := configs(t, tls.VersionTLS12) // with which it may send one
	records := sentRecords(t, server, client)
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		f := &flood{w: w, hello: records[0]}
		cfg := secure.Config{TLS: server, MaxHandshakes: 2}
		if _, err := w.Host("server").Engine().Listen("tcp", ":443", cfg.Server(stream.Handle(echoHandler))); err != nil {
			w.Fatalf("listening: %v", err)
		}
		a := f.client("a")
		f.client("b")
		_, _ = a.Write(records[1]) // a ClientKeyExchange, which is anybody's
		f.expect()
		f.client("c")
		f.expect("a reset")
		f.client("d")
		f.expect("a reset", "b reset")
	})
}

// Hundreds of peers that say a hello and then nothing hold no more goroutines than they may, nor does a good client notice them. One whose handshake computes, the oldest of all, is not given up.
func TestFloodOfHellos(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	hello := sentRecords(t, server, client)[0]
	release := make(chan struct{})
	computes := make(chan struct{}, 1)
	slow := server.Clone()
	slow.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "slow.test" {
			computes <- struct{}{}
			<-release
		}
		return server, nil
	}
	e := engine(t)
	l := e.Loop()
	const most = 20
	rig.On(t, l, func() { secure.SetTurns(l, 2) })
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: slow, MaxHandshakes: most}.Server(func() rondo.Protocol { return echoing{} }))
	if err != nil {
		t.Fatal(err)
	}
	raw := rig.Dial(t, ln.Addr().String())
	patient := client.Clone()
	patient.ServerName, patient.InsecureSkipVerify = "slow.test", true
	through := make(chan error, 1)
	computing := tls.Client(raw, patient)
	go func() { through <- computing.Handshake() }()
	rig.Await(t, computes)

	const peers = 300
	for range peers {
		rig.Send(t, rig.Dial(t, ln.Addr().String()), string(hello))
	}
	for range peers - (most - 1) {
		line := e.Log.Await(t, "a handshake failed")
		if !strings.Contains(line, secure.ErrTooManyHandshakes.Error()) {
			t.Fatalf("it was reported: %s", line)
		}
	}
	var held, waiting int
	rig.Eventually(t, "the others wait", func() bool {
		rig.On(t, l, func() { held, waiting, _ = secure.Held(l) })
		return waiting == most-1
	})
	if held != most {
		t.Errorf("%d handshakes hold a place, want %d", held, most)
	}
	rig.Eventually(t, "the goroutines of those that were given up have ended", func() bool { return handshakeGoroutines() == most })

	good, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	talk(t, good)
	close(release)
	if err := rig.Await(t, through); err != nil {
		t.Errorf("the handshake that computed: %v", err)
	}
	talk(t, computing)
	closeDiscarding(t, e)
}

// handshakeGoroutines counts them.
func handshakeGoroutines() int {
	stacks := make([]byte, 4<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "secure.(*handshake).run(")
}

// While all that have a place compute, the next waits for one: the first of them that has nothing to compute gives way. One whose time is over meanwhile stands in nobody's way.
func TestMaxHandshakesAllCompute(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	release := make(chan struct{})
	computes := make(chan struct{}, 1)
	slow := server.Clone()
	slow.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "slow.test" {
			computes <- struct{}{}
			<-release
		}
		return server, nil
	}
	e := engine(t)
	l := e.Loop()
	rig.On(t, l, func() { secure.SetTurns(l, 2) })
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: slow, MaxHandshakes: 1}.Server(func() rondo.Protocol { return echoing{} }))
	if err != nil {
		t.Fatal(err)
	}
	hello := func(name string) []byte {
		cfg := client.Clone()
		cfg.ServerName, cfg.InsecureSkipVerify = name, true
		return sentRecords(t, server, cfg)[0]
	}
	parked := func(want int) {
		rig.Eventually(t, "they are parked", func() bool {
			var held, n int
			rig.On(t, l, func() { held, _, n = secure.Held(l) })
			return held == 1 && n == want
		})
	}
	rig.Send(t, rig.Dial(t, ln.Addr().String()), string(hello("slow.test")))
	rig.Await(t, computes)
	impatient := rig.Dial(t, ln.Addr().String())
	rig.Send(t, impatient, string(hello("localhost")))
	parked(1)
	_ = impatient.SetLinger(0)
	_ = impatient.Close()
	e.Log.Await(t, "a handshake failed")
	good := tls.Client(rig.Dial(t, ln.Addr().String()), client)
	through := make(chan error, 1)
	go func() { through <- good.Handshake() }()
	parked(2)
	close(release)
	if err := rig.Await(t, through); err != nil {
		t.Fatal(err)
	}
	talk(t, good)
	if line := e.Log.Await(t, "a handshake failed"); !strings.Contains(line, "MaxHandshakes") {
		t.Errorf("it was reported: %s", line)
	}
}

// Who is given up is told so by a type.
func TestTooManyHandshakesIsTyped(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	hello := sentRecords(t, server, client)[0]
	e := engine(t)
	cfg := secure.Config{TLS: server, MaxHandshakes: 1}
	failed := make(chan error, 2)
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return &atOnce{cfg, failed} })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		rig.Send(t, rig.Dial(t, ln.Addr().String()), string(hello))
	}
	err = rig.Await(t, failed)
	var h *secure.HandshakeError
	if !errors.Is(err, secure.ErrTooManyHandshakes) || !errors.As(err, &h) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	e.Log.Await(t, "a handshake failed")
	closeDiscarding(t, e)
}

// closeDiscarding closes an engine while handshakes are under way, whose failures it reports.
func closeDiscarding(t *testing.T, e *rig.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	e.Log.Discard("a handshake failed")
}

// atOnce makes its connection secure at once.
type atOnce struct {
	cfg    secure.Config
	failed chan error
}

func (u *atOnce) ConnectionMade(c *rondo.Conn) {
	u.cfg.UpgradeServer(c, echoing{}).OnDone(func(_ tls.ConnectionState, err error) { u.failed <- err })
}
func (*atOnce) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (*atOnce) ConnectionLost(*rondo.Conn, error)    {}
