package rondo_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// talkative writes much to whom has connected, and then does what it is told to.
type talkative struct {
	much int
	then func(c *rondo.Conn)
}

func (p *talkative) ConnectionMade(c *rondo.Conn) {
	_, _ = c.Write(make([]byte, p.much))
	if p.then != nil {
		p.then(c)
	}
}
func (*talkative) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (*talkative) ConnectionLost(*rondo.Conn, error)        {}

// dawdling does not drain in time.
type dawdling struct{ talkative }

func (*dawdling) Drain(*rondo.Conn) {}

// The end of an engine says whose connections it has cut off, whether its time was up or not.
func TestShutdownCutsOff(t *testing.T) {
	const much = 10 << 20
	reading := func(c io.Reader) { _, _ = io.Copy(io.Discard, c) }
	for name, tt := range map[string]struct {
		proto  func() rondo.Protocol
		client func(c io.Reader)
		late   bool // the context ends first
		closed bool // it is Close that ends the engine
		want   int
	}{
		"all is well":           {proto: func() rondo.Protocol { return &talkative{much: much} }, client: reading},
		"idle":                  {proto: func() rondo.Protocol { return &talkative{} }, client: reading},
		"does not read":         {proto: func() rondo.Protocol { return &talkative{much: much} }, client: func(io.Reader) {}, want: 1},
		"does not read, closed": {proto: func() rondo.Protocol { return &talkative{much, func(c *rondo.Conn) { _ = c.Close() }} }, client: func(io.Reader) {}, want: 1},
		"aborted by its protocol": {proto: func() rondo.Protocol {
			return &talkative{much, func(c *rondo.Conn) { c.Loop().After(12*time.Second, c.Abort) }}
		}, client: func(io.Reader) {}},
		"time is up":           {proto: func() rondo.Protocol { return &dawdling{} }, client: reading, late: true, want: 1},
		"there is no time":     {proto: func() rondo.Protocol { return &talkative{} }, client: reading, closed: true, want: 1},
		"it has ended by then": {proto: func() rondo.Protocol { return &talkative{then: func(c *rondo.Conn) { _ = c.Close() }} }, client: reading, closed: true},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				e, err := w.Host("server").New(rondo.Config{CloseTimeout: 20 * time.Second})
				if err != nil {
					w.Fatalf("%v", err)
				}
				if _, err := e.Listen("tcp", ":7000", tt.proto); err != nil {
					w.Fatalf("%v", err)
				}
				client := w.Host("client")
				c, err := client.Engine().DialContext(t.Context(), "tcp", "server:7000")
				if err != nil {
					w.Fatalf("%v", err)
				}
				client.Go(func() { tt.client(c) })
				w.Sleep(10 * time.Second)
				ctx, cancel := w.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if tt.closed {
					err = e.Close()
				} else {
					err = e.Shutdown(ctx)
				}
				if errors.Is(err, context.DeadlineExceeded) != tt.late || err != nil && !tt.late {
					w.Errorf("it was ended with %v", err)
				}
				if n := e.CutOff(); n != tt.want {
					w.Errorf("%d were cut off, not %d", n, tt.want)
				}
			})
		})
	}
}

// gushing is a poller whose connections always have something to be read.
type gushing struct{ poller.Poller }

func (gushing) Recv(_ int, p []byte) (int, error) { return len(p), nil }

// So are those that are closed because they would go on receiving.
func TestShutdownCutsOffEndlessSender(t *testing.T) {
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { return gushing{p} })
	r := newRecorder(t)
	e.connect(r)
	rig.Await(t, r.made)
	if err := e.Shutdown(t.Context()); err != nil || e.CutOff() != 1 {
		t.Errorf("%v, %d were cut off", err, e.CutOff())
	}
	if err := rig.Await(t, r.lost); err != nil {
		t.Errorf("lost with %v", err)
	}
}

// slowDrainer is a datagram socket that does not drain in time.
type slowDrainer struct{ *packets }

func (slowDrainer) Drain(*rondo.PacketConn) {}

func TestShutdownCutsOffPackets(t *testing.T) {
	for name, tt := range map[string]struct {
		proto rondo.PacketProtocol
		act   func(c *rondo.PacketConn)
		want  int
	}{
		"in time":           {proto: newPackets(quiet)},
		"not in time":       {proto: slowDrainer{newPackets(quiet)}, want: 1},
		"nobody takes them": {proto: newPackets(quiet), act: func(c *rondo.PacketConn) { overfill(c, 100) }, want: 1},
		"aborted by its protocol": {proto: newPackets(quiet), act: func(c *rondo.PacketConn) {
			overfill(c, 100)
			c.Loop().After(12*time.Second, c.Abort)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				h := w.Host("a")
				e, err := h.New(rondo.Config{CloseTimeout: 20 * time.Second})
				if err != nil {
					w.Fatalf("%v", err)
				}
				slow, err := h.Engine().ListenPacket("unixgram", "/slow", newPackets(quiet))
				if err != nil {
					w.Fatalf("%v", err)
				}
				slow.Handle().Do((*rondo.PacketConn).PauseReading)
				pl, err := e.ListenPacket("unixgram", "/a", tt.proto)
				if err != nil {
					w.Fatalf("%v", err)
				}
				if tt.act != nil {
					pl.Handle().Do(tt.act)
				}
				w.Sleep(10 * time.Second)
				ctx, cancel := w.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_ = e.Shutdown(ctx)
				if n := e.CutOff(); n != tt.want {
					w.Errorf("%d were cut off, not %d", n, tt.want)
				}
			})
		})
	}
}

// overfill sends more to /slow than anybody takes.
func overfill(c *rondo.PacketConn, n int) {
	for range n {
		_ = c.WriteTo(make([]byte, 10_000), rondo.PacketAddr{Name: "/slow"})
	}
}
