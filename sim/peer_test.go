package sim_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// repeater answers what it hears with the same, and notes what has come at once.
type repeater struct {
	heard []string
	conn  *rondo.Conn
	err   error
}

func (r *repeater) ConnectionMade(c *rondo.Conn) { r.conn = c }
func (r *repeater) DataReceived(c *rondo.Conn, p []byte) int {
	r.heard = append(r.heard, string(p))
	_, _ = c.Write(p)
	return len(p)
}
func (r *repeater) ConnectionLost(_ *rondo.Conn, err error) { r.err = err }

// The program's own client is tested with a server that is a script.
func TestListenPeer(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		l := w.ListenPeer("poems:7000")
		w.Go(func() {
			p := l.Accept()
			p.SendEvery(time.Minute, "The poetry of", " earth")
			p.CloseWrite()
			p.ExpectEnd()
			p = l.Accept()
			p.Send("is never")
			p.Reset()
		})
		text, err := fetchPoem(w.Host("client").Engine(), "poems:7000")
		if text != "The poetry of earth" || err != nil || w.Elapsed() < 2*time.Minute {
			w.Errorf("%q, %v, after %v", text, err, w.Elapsed())
		}
		_, err = fetchPoem(w.Host("client").Engine(), "poems:7000")
		wants(w, "the second", err, syscall.ECONNRESET)
		l.Close()
		_, err = fetchPoem(w.Host("client").Engine(), "poems:7000")
		wants(w, "after Close", err, syscall.ECONNREFUSED)
	})
}

// The program's own server is tested with a client that is a script.
func TestDialPeer(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(servePoem)
		w.Sleep(time.Second)
		p, other := w.DialPeer("server:7000"), w.DialPeer("server:7000")
		other.Reset()
		for line := range strings.Lines(poem) {
			p.Expect(line)
		}
		if d := p.ExpectEnd(); d > 5*time.Second+time.Millisecond {
			w.Errorf("it ended %v after the last line", d)
		}
		if p.Host().Name() != "peer1" || other.Host().Name() != "peer2" {
			w.Errorf("they are on %s and %s", p.Host().Name(), other.Host().Name())
		}
	})
}

// Code on net.Conn has a script at the other end as well.
func TestPeerOfNetConn(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		l := w.ListenPeer("server:7")
		a, b := connect(w, w.Host("client").Engine(), "tcp", "server:7"), connect(w, w.Host("client").Engine(), "tcp", "server:7")
		first, second := l.Accept(), l.Accept()
		say(w, a, "from a")
		say(w, b, "from b")
		first.Expect("from a")
		second.Expect("from b")
		first.Send("to a")
		hear(w, a, "to a")
		_ = b.Close()
		second.ExpectEnd()
		ln, err := w.Host("client").Engine().ListenNet("tcp", ":8")
		if err != nil {
			w.Fatalf("listening: %v", err)
		}
		p := w.DialPeer("client:8")
		c, err := ln.Accept()
		if err != nil {
			w.Fatalf("accepting: %v", err)
		}
		p.Send("hello")
		hear(w, c, "hello")
		p.Close()
		_, err = c.Read(make([]byte, 1))
		wants(w, "after Close", err, io.EOF)
	})
}

// Each piece arrives by itself, and its answer is there, whatever makes the way long.
func TestSendWaitsForArrival(t *testing.T) {
	stall := func(w *sim.World, _ *sim.Peer) { w.Connections()[0].Forth().Stall(time.Minute) }
	for name, c := range map[string]struct {
		config sim.Config
		before func(*sim.World, *sim.Peer)
	}{
		"calm":             {sim.Config{}, nil},
		"slow by chance":   {sim.Config{Faults: sim.Faults{Latency: 500 * time.Millisecond}}, nil},
		"narrow by chance": {sim.Config{Faults: sim.Faults{Narrow: 1}}, nil},
		"stalls by chance": {sim.Config{Faults: sim.Faults{Stall: 1}}, nil},
		"bandwidth":        {sim.Config{Link: sim.Link{Bandwidth: 100}}, nil},
		"jitter":           {sim.Config{Link: sim.Link{Latency: time.Second, Jitter: 5 * time.Second}}, nil},
		"stalled":          {sim.Config{}, stall},
		"stalled link":     {sim.Config{}, func(w *sim.World, p *sim.Peer) { w.Stall(p.Host(), w.Host("s"), time.Minute) }},
		"partition": {sim.Config{}, func(w *sim.World, p *sim.Peer) {
			w.Partition(p.Host())
			w.After(time.Minute, w.Heal)
		}},
		"one way": {sim.Config{}, func(w *sim.World, p *sim.Peer) {
			w.CutOneWay(w.Host("s"), p.Host())
			w.After(time.Minute, w.Heal)
		}},
		"the program's host pauses": {sim.Config{}, func(w *sim.World, _ *sim.Peer) { w.Host("s").Pause(time.Minute) }},
	} {
		for side, attach := range attachments {
			t.Run(name+", "+side, func(t *testing.T) {
				sim.Run(t, c.config, func(w *sim.World) {
					r := &repeater{}
					p := attach(w, w.Host("s").Engine(), r)
					if side == "dials" && (name == "stalled") {
						w.Connections()[0].Back().Stall(time.Minute)
					} else if c.before != nil {
						c.before(w, p)
					}
					p.Send("one", "two", "three")
					if !slices.Equal(r.heard, []string{"one", "two", "three"}) || p.Received() != "onetwothree" {
						w.Errorf("after Send, %q were heard, and %q has come back", r.heard, p.Received())
					}
					p.CloseWrite()
					wants(w, "after CloseWrite, the protocol", r.err, io.EOF)
					if !p.Ended() {
						w.Errorf("after CloseWrite, the other end has not come back")
					}
				})
			})
		}
	}
}

// What does not arrive is not waited for without end.
func TestPeerDoesNotWaitForEver(t *testing.T) {
	for name, c := range map[string]struct {
		script func(*sim.World, *sim.Peer, *repeater)
		most   time.Duration
		want   error
	}{
		"the other side reads nothing": {func(_ *sim.World, p *sim.Peer, r *repeater) {
			r.conn.Loop().Post(r.conn.PauseReading)
			p.Settle()
			p.Send(strings.Repeat("x", 1<<20), "and more")
		}, time.Second, nil},
		"and is closed to": {func(_ *sim.World, p *sim.Peer, r *repeater) {
			r.conn.Loop().Post(r.conn.PauseReading)
			p.Settle()
			p.Send(strings.Repeat("x", 1<<20))
			p.Close()
		}, 2 * time.Minute, os.ErrDeadlineExceeded},
		"the peer reads nothing": {func(_ *sim.World, p *sim.Peer, _ *repeater) {
			p.PauseReading()
			p.Send(strings.Repeat("x", 1<<17), strings.Repeat("x", 1<<17), "and more")
		}, time.Second, nil},
		"a piece that is not whole": {func(w *sim.World, p *sim.Peer, _ *repeater) {
			w.Connections()[0].Back().Pieces(100)
			w.Connections()[0].Forth().Pieces(100)
			p.Send("one", "two")
		}, time.Second, nil},
		"a partition without end": {func(w *sim.World, p *sim.Peer, _ *repeater) {
			w.Partition(p.Host())
			p.Send("one", "two") // the other end gives up first, for want of an answer to its keepalive
			p.ExpectNothing(3 * time.Minute)
			w.Sleep(time.Minute)
		}, 17 * time.Minute, syscall.ETIMEDOUT},
		"closing in a partition": {func(w *sim.World, p *sim.Peer, _ *repeater) {
			w.Partition(p.Host())
			p.Close()
		}, time.Hour + time.Second, nil},
		"resetting in a partition": {func(w *sim.World, p *sim.Peer, _ *repeater) {
			w.Partition(p.Host())
			p.Reset()
		}, time.Hour + time.Second, rondo.ErrAborted},
		"the other machine is off": {func(w *sim.World, p *sim.Peer, _ *repeater) {
			w.Host("s").PowerOff()
			p.Send("one", "two")
		}, time.Second, nil},
		"the other process is killed": {func(w *sim.World, p *sim.Peer, _ *repeater) {
			w.Host("s").Kill()
			p.Send("one", "two")
		}, time.Second, syscall.ECONNRESET},
		"the peer's host is killed": {func(w *sim.World, p *sim.Peer, _ *repeater) {
			w.After(time.Second, p.Host().Kill)
			p.SendEvery(time.Second, "one", "two", "three")
			p.PauseReading()
			p.CloseWrite()
			p.Close()
			p.Reset()
		}, 5 * time.Second, errors.New("sim: host peer1 is down")},
	} {
		for side, attach := range attachments {
			t.Run(name+", "+side, func(t *testing.T) {
				sim.Run(t, sim.Config{}, func(w *sim.World) {
					r := &repeater{}
					p := attach(w, w.Host("s").Engine(), r)
					begun := w.Elapsed()
					c.script(w, p, r)
					if d := w.Elapsed() - begun; d > c.most {
						w.Errorf("it took %v", d)
					}
					if err := p.Err(); !errors.Is(err, c.want) && (c.want == nil || err == nil || err.Error() != c.want.Error()) {
						w.Errorf("the peer's error is %v, and not %v", err, c.want)
					}
				})
			})
		}
	}
}

// A connection that does not come to stand is a peer that has ended.
func TestPeerWithoutConnection(t *testing.T) {
	attach := func(how string, w *sim.World, e *rondo.Engine) *sim.Peer { return attachments[how](w, e, &repeater{}) }
	refused := func(w *sim.World) { w.OnConnect((*sim.Connection).Refuse) }
	for _, c := range []struct {
		name  string
		begin func(w *sim.World) *sim.Peer
		want  string
	}{
		{"dialing is refused", func(w *sim.World) *sim.Peer {
			refused(w)
			return attach("dials", w, w.Host("s").Engine())
		}, "connection refused"},
		{"being dialed is refused", func(w *sim.World) *sim.Peer {
			refused(w)
			return attach("is accepted", w, w.Host("s").Engine())
		}, "connection refused"},
		{"gone when the peer accepts it", func(w *sim.World) *sim.Peer {
			w.OnConnect((*sim.Connection).Abort)
			return attach("dials", w, w.Host("s").Engine())
		}, "ended before it was accepted"},
		{"gone when it is accepted", func(w *sim.World) *sim.Peer {
			w.OnConnect((*sim.Connection).Abort)
			return attach("is accepted", w, w.Host("s").Engine())
		}, "connection reset"},
		{"nothing comes back", func(w *sim.World) *sim.Peer {
			w.OnConnect((*sim.Connection).Silence)
			return attach("is accepted", w, w.Host("s").Engine())
		}, "i/o timeout"},
		{"killed before", func(w *sim.World) *sim.Peer {
			e := w.Host("s").Engine()
			w.Host("s").Kill()
			return attach("dials", w, e)
		}, "sim: host s is down"},
		{"killed while it dials", func(w *sim.World) *sim.Peer {
			w.OnConnect((*sim.Connection).Silence)
			w.After(time.Second, w.Host("s").Kill)
			return attach("dials", w, w.Host("s").Engine())
		}, "sim: host s is down"},
		{"killed while it is dialed", func(w *sim.World) *sim.Peer {
			w.OnConnect((*sim.Connection).Silence)
			w.After(time.Second, w.Host("s").Kill)
			return attach("is accepted", w, w.Host("s").Engine())
		}, "i/o timeout"},
		{"the peer's host is killed", func(w *sim.World) *sim.Peer {
			w.OnConnect((*sim.Connection).Silence)
			w.After(time.Second, func() { w.Host("peer1").Kill() })
			return attach("is accepted", w, w.Host("s").Engine())
		}, "sim: host peer1 is down"},
		{"nobody listens", func(w *sim.World) *sim.Peer {
			w.Host("s")
			return w.DialPeer("s:7")
		}, "connection refused"},
		{"no such host", func(w *sim.World) *sim.Peer { return w.DialPeer("nowhere:7") }, "no such host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				p := c.begin(w)
				if !p.Ended() || p.Err() == nil || !strings.Contains(p.Err().Error(), c.want) {
					w.Errorf("ended: %v, with %v", p.Ended(), p.Err())
				}
				at := w.Elapsed()
				p.Send("one", "two")
				p.PauseReading()
				p.ResumeReading()
				p.CloseWrite()
				p.Close()
				p.Reset()
				if d := w.Elapsed() - at; d > time.Second || p.Received() != "" {
					w.Errorf("a script took %v, and got %q", d, p.Received())
				}
			})
		})
	}
}

// What nobody connects to is reported with the line of the script.
func TestListenPeerReports(t *testing.T) {
	for _, c := range []struct {
		script func(w *sim.World)
		want   string
		takes  time.Duration
	}{
		{func(w *sim.World) { w.ListenPeer("server:7").Accept().Send("x") }, `sim: the peer that listens at server:7 has nobody to accept: sim: nobody has connected`, time.Hour},
		{func(w *sim.World) {
			l := w.ListenPeer("server:7")
			w.After(time.Second, l.Close)
			l.Accept().Close()
		}, "use of closed network connection", time.Second},
		{func(w *sim.World) {
			l := w.ListenPeer("server:7")
			w.After(time.Second, l.Host().Kill)
			l.Accept().Reset()
		}, "sim: host server is down", time.Second},
	} {
		w, err := sim.Simulate(sim.Config{}, c.script)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "peer_test.go:") {
			t.Errorf("the report is %v, want %s", err, c.want)
		}
		if d := w.Elapsed() - c.takes; d < 0 || d > time.Second {
			t.Errorf("it took %v", w.Elapsed())
		}
	}
	for address, want := range map[string]string{
		"server":       `sim: a peer cannot listen at "server": address server: missing port in address`,
		":7":           `sim: a peer cannot listen at ":7": the name of a host is missing`,
		"server:seven": "unknown port",
		"taken:7":      "address already in use",
		"down:7":       "sim: host down is down",
	} {
		_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			w.Host("down").Kill()
			w.Host("taken").Start(echoServer)
			w.Sleep(time.Second)
			w.ListenPeer(address)
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("listening at %s: %v", address, err)
		}
	}
}

// Whatever happens to connections, links and the program's hosts, a script comes to its end, and its peers' hosts are left alone.
func TestPeersUnderChaos(t *testing.T) {
	answered := 0
	script := func(w *sim.World, p *sim.Peer) {
		p.SendEvery(time.Second, strings.Split(strings.Repeat("x", 30), "")...)
		p.CloseWrite()
		p.Close()
		answered += len(p.Received())
		if strings.Trim(p.Received(), "x") != "" {
			w.Errorf("the peer got %q", p.Received())
		}
	}
	for how, program := range map[string]func(w *sim.World){
		"Attach":         func(w *sim.World) { script(w, w.Attach(w.Host("s").Engine(), &repeater{})) },
		"AttachAccepted": func(w *sim.World) { script(w, w.AttachAccepted(w.Host("s").Engine(), &repeater{})) },
		"DialPeer": func(w *sim.World) {
			w.Host("s").Start(echoServer)
			for range 3 {
				w.Sleep(time.Second)
				script(w, w.DialPeer("s:7"))
			}
		},
		"ListenPeer": func(w *sim.World) {
			w.Host("peers") // which is there before
			l := w.ListenPeer("peers:7")
			w.Host("client").Start(func(h *sim.Host) error {
				for e := h.Engine(); ; w.Sleep(time.Second) {
					if c, err := e.DialContext(background, "tcp", "peers:7"); err == nil {
						_, _ = io.Copy(c, c)
						_ = c.Close()
					}
				}
			})
			for range 3 {
				script(w, l.Accept())
			}
		},
	} {
		t.Run(how, func(t *testing.T) {
			answered = 0
			for seed := range uint64(50) {
				w, err := sim.Simulate(sim.Config{Seed: seed + 1, Faults: sim.Chaos()}, program)
				if err != nil {
					t.Errorf("seed %d: %v", seed+1, err)
				}
				for _, id := range w.Faults() {
					for _, of := range []string{"kill", "power off", "pause", "clock step", "no files"} {
						if strings.HasPrefix(id, of+" peer") {
							t.Errorf("seed %d has the fault %s", seed+1, id)
						}
					}
				}
			}
			if answered < 500 { // of 1500 or more, as some connections do come to stand
				t.Errorf("%d bytes were answered in all", answered)
			}
		})
	}
}

// A script is the same each time.
func TestPeerIsDeterministic(t *testing.T) {
	var logs [2]bytes.Buffer
	for i := range logs {
		w, err := sim.Simulate(sim.Config{Faults: sim.Chaos(), Log: true}, func(w *sim.World) {
			l := w.ListenPeer("server:7")
			w.Go(func() { l.Accept().Send("one", "two") })
			c, err := w.Host("client").Engine().DialContext(background, "tcp", "server:7")
			if err == nil {
				_, _ = io.ReadFull(c, make([]byte, 6))
			}
		})
		_, _ = w.Log().WriteTo(&logs[i])
		fmt.Fprintln(&logs[i], err)
	}
	if logs[0].String() != logs[1].String() {
		t.Error("two runs differ")
	}
}
