package sim_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
)

// ResetAll resets a connection that one side has closed while what it wrote is still on its way, whichever host is named first.
func TestResetAllOfClosed(t *testing.T) {
	for _, swap := range []bool{false, true} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			a, b := w.Host("client"), w.Host("server")
			w.SetLink(a, b, sim.Link{Latency: time.Millisecond, Bandwidth: 1000})
			c, s := pair(w)
			say(w, c, strings.Repeat("x", 50_000))
			_ = c.Close()
			w.Sleep(time.Second)
			if swap {
				a, b = b, a
			}
			w.ResetAll(a, b)
			_, err := io.ReadAll(s)
			if !errors.Is(err, syscall.ECONNRESET) {
				w.Errorf("swapped %v: %v", swap, err)
			}
		})
	}
}

// A machine whose process was killed and that is then switched off sends nothing more.
func TestPowerOffAfterKill(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		a, b := w.Host("client"), w.Host("server")
		w.SetLink(a, b, sim.Link{Latency: time.Millisecond, Bandwidth: 1000})
		c, s := pair(w)
		say(w, s, strings.Repeat("x", 100_000))
		b.Kill()
		w.Sleep(time.Second)
		b.PowerOff()
		data, err := io.ReadAll(c)
		wants(w, "reading", err, syscall.ETIMEDOUT)
		if len(data) > 2000 {
			w.Errorf("%d bytes came, of which a thousand had left the machine", len(data))
		}
	})
}

// Who is connected to a machine that goes off while its answer to the first packet is on its way finds out by keepalive.
func TestPowerOffWhileConnecting(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		h.Start(echoServer)
		e := w.Host("client").Engine()
		w.Sleep(time.Millisecond)
		w.After(700*time.Microsecond, h.PowerOff)
		c := connect(w, e, "tcp", "server:7")
		w.After(time.Hour, func() { _ = c.Close() })
		_, err := c.Read(make([]byte, 1))
		wants(w, "reading", err, syscall.ETIMEDOUT)
	})
}

// A machine that goes off with its answer, which a partition has held, is asked again when it is back.
func TestRestartWhileConnecting(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		h.Start(echoServer)
		e := w.Host("client").Engine()
		w.Sleep(time.Millisecond)
		w.After(700*time.Microsecond, func() { w.Partition(h) })
		w.After(5*time.Second, h.PowerOff)
		w.After(10*time.Second, func() {
			w.Heal()
			h.Restart()
		})
		d := rondo.Dialer{Timeout: -1}
		c, err := d.DialContext(background, e, "tcp", "server:7")
		if err != nil {
			w.Fatalf("%v", err)
		}
		say(w, c, "hello")
		hear(w, c, "hello")
	})
}

// Keepalive that is asked for when the peer is gone already, or cut off.
func TestKeepAliveLater(t *testing.T) {
	for _, cut := range []bool{false, true} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			h := w.Host("server")
			h.Start(echoServer)
			p := &recorder{made: func(c *rondo.Conn) { _ = c.SetKeepAlive(0) }}
			var lost error
			p.lost = func(err error) { lost = err }
			e := w.Host("client").Engine()
			e.Dial(background, "tcp", "server:7", p)
			w.Sleep(time.Second)
			if cut {
				w.Partition(h)
			} else {
				h.PowerOff()
			}
			w.Sleep(time.Second)
			e.Loop().Post(func() { _ = p.conn.SetKeepAlive(time.Minute) })
			w.Sleep(time.Minute)
			if lost != nil {
				w.Errorf("lost at once: %v", lost)
			}
			w.Sleep(time.Hour)
			wants(w, "the end", lost, syscall.ETIMEDOUT)
		})
	}
}

// Keepalive that is turned off asks no more.
func TestKeepAliveOff(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		p := &recorder{made: func(c *rondo.Conn) { _ = c.SetKeepAlive(time.Minute) }}
		p.lost = func(err error) {
			if w.Elapsed() < time.Hour {
				w.Errorf("lost: %v", err)
			}
		}
		e := w.Host("client").Engine()
		e.Dial(background, "tcp", "server:7", p)
		w.Sleep(time.Second)
		w.Host("server").PowerOff()
		w.Sleep(2 * time.Minute)
		e.Loop().Post(func() { _ = p.conn.SetKeepAlive(0) })
		w.Sleep(time.Hour)
	})
}

// Two connections of a host have different ports, also after many.
func TestPortsInUse(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		e := w.Host("client").Engine()
		first := connect(w, e, "tcp", "server:7")
		seen := first.LocalAddr().String()
		for range 1 << 15 {
			c := connect(w, e, "tcp", "server:7")
			if c.LocalAddr().String() == seen {
				w.Fatalf("a second connection from %s", seen)
			}
			_ = c.Close()
		}
	})
}

// A port that a connection has is not free for those who listen, until it is closed.
func TestListenAtConnectionsPort(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("server").Engine()
		if _, err := e.Listen("tcp", ":32768", stream.Handle(echoHandler)); err != nil {
			w.Fatalf("%v", err)
		}
		c := connect(w, e, "tcp", "server:32768")
		_, port, _ := net.SplitHostPort(c.LocalAddr().String())
		_, err := e.Listen("tcp", ":"+port, stream.Handle(echoHandler))
		wants(w, "listening at a connection's port", err, syscall.EADDRINUSE)
		_ = c.Close()
		w.Sleep(time.Second)
		if _, err := e.Listen("tcp", ":"+port, stream.Handle(echoHandler)); err != nil {
			w.Errorf("when it is closed: %v", err)
		}
	})
}

// A local port that is given is taken by one connection, and free after it, however that ends; a listener's is not to be had.
func TestLocalPortTwice(t *testing.T) {
	for _, end := range []string{"close", "close after the peer", "reset", "kill"} {
		t.Run(end, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				h := w.Host("client")
				w.Host("server").Start(echoServer)
				w.Sleep(time.Millisecond)
				dial := func(port int) (net.Conn, error) {
					d := rondo.Dialer{LocalAddr: &net.TCPAddr{Port: port}}
					return d.DialContext(background, h.Engine(), "tcp", "server:7")
				}
				c, err := dial(5000)
				if err != nil || !strings.HasSuffix(c.LocalAddr().String(), ":5000") {
					w.Fatalf("%v, %v", c, err)
				}
				_, err = dial(5000)
				wants(w, "the second", err, syscall.EADDRINUSE)
				if _, err := h.Engine().ListenNet("tcp", ":5001"); err != nil {
					w.Fatalf("%v", err)
				}
				_, err = dial(5001)
				wants(w, "a listener's", err, syscall.EADDRINUSE)
				switch end {
				case "close":
					_ = c.Close()
				case "close after the peer":
					w.Host("server").Kill()
					w.Sleep(time.Second)
					_ = c.Close()
					w.Host("server").Restart()
				case "reset":
					w.ResetAll(h, w.Host("server"))
				case "kill":
					h.Restart()
				}
				w.Sleep(time.Second)
				if _, err = dial(5000); err != nil {
					w.Errorf("after it: %v", err)
				}
			})
		})
	}
}

// A server that is started again listens where connections of the one before it still send.
func TestListenAgainAfterKill(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		h := w.Host("server")
		_, _ = s.Write(make([]byte, 250_000)) // more than the client has room for
		w.Sleep(time.Second)
		h.Restart()
		if _, err := h.Engine().ListenNet("tcp", ":7"); err != nil {
			w.Errorf("%v", err)
		}
		if n, err := io.Copy(io.Discard, c); n != 250_000 || err != nil {
			w.Errorf("%d bytes, %v", n, err)
		}
	})
}

// BenchmarkConnections is the cost of connecting and closing beside so many others.
func BenchmarkConnections(b *testing.B) {
	for _, others := range []int{10, 10_000} {
		b.Run(fmt.Sprint(others), func(b *testing.B) {
			sim.Run(b, sim.Config{Limit: 1 << 62}, func(w *sim.World) {
				w.Host("server").Start(echoServer)
				e := w.Host("client").Engine()
				w.Sleep(time.Millisecond)
				for range others {
					connect(w, e, "tcp", "server:7")
				}
				b.ResetTimer()
				for range b.N {
					_ = connect(w, e, "tcp", "server:7").Close()
				}
			})
		})
	}
}

// A host that a script has killed stays down until the script starts it again, whatever faults there are.
func TestScriptedKillStays(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w, err := sim.Simulate(sim.Config{Seed: seed, Faults: sim.Faults{Kill: 10 * time.Second}}, func(w *sim.World) {
			h := w.Host("server")
			h.Start(echoServer)
			h.Kill()
			w.Sleep(time.Minute)
			if h.Up() {
				w.Errorf("it is up")
			}
		})
		if err != nil {
			t.Fatalf("%v; %q", err, w.Faults())
		}
	}
}

// To listen at a name asks the world's names, not the operating system's.
func TestListenAtName(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("server").Engine()
		if _, err := e.Listen("tcp", "server:7", stream.Handle(echoHandler)); err != nil {
			w.Errorf("%v", err)
		}
	})
}

// Two that close an engine at the same time both return, and the world goes on meanwhile.
func TestCloseTwiceAtOnce(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		e := h.Engine()
		closed := 0
		for range 2 {
			h.Go(func() {
				if err := e.Close(); err != nil {
					w.Errorf("Close: %v", err)
				}
				closed++
			})
		}
		w.Wait(func() bool { return closed == 2 })
	})
}

// What a process is to do later it does not when it has been killed, nor does the next one.
func TestHostAfter(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		var done []string
		note := func(what string) func() {
			return func() {
				w.Sleep(time.Second) // it is a goroutine
				done = append(done, fmt.Sprint(what, " ", w.Elapsed()))
			}
		}
		h.After(time.Second, note("in time"))
		h.After(10*time.Second, note("late"))
		h.After(4500*time.Millisecond, note("killed while it runs"))
		h.After(2*time.Second, note("stopped"))()
		w.Sleep(5 * time.Second)
		h.Kill()
		h.After(time.Second, note("down"))
		w.Sleep(time.Second)
		h.Restart()
		h.After(time.Second, note("of the next"))
		w.Sleep(time.Minute)
		if got := strings.Join(done, ", "); got != "in time 2s, of the next 8s" {
			w.Errorf("done: %s", got)
		}
	})
}

// A process that has run out of descriptors takes that with it.
func TestNoFilesEndsWithProcess(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w, err := sim.Simulate(sim.Config{Seed: seed, Faults: sim.Faults{NoFiles: 10 * time.Second, Repair: time.Hour}}, func(w *sim.World) {
			h := w.Host("a")
			listen := func() error {
				_, err := h.Engine().Listen("tcp", ":0", stream.Handle(echoHandler))
				return err
			}
			w.Sleep(2 * time.Minute) // longer than faults begin
			before := listen()
			h.Restart()
			if err := listen(); before == nil || err != nil {
				w.Errorf("before and after: %v, %v", before, err)
			}
		})
		if err != nil {
			t.Fatalf("%v; %q", err, w.Faults())
		}
	}
}

// A process has one engine that is the host's, and others beside it; the next process has its own.
func TestEngineOfAHost(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		e := h.Engine()
		other, err := h.New(rondo.Config{})
		if err != nil || h.Engine() != e || other == e || w.Host("b").Engine() == e {
			w.Errorf("%v", err)
		}
		h.Restart()
		if next := h.Engine(); next == e || next != h.Engine() {
			w.Errorf("after a restart it is the one of before, or not the same each time")
		}
	})
}
