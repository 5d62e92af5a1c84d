package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

var background = context.Background()

// connect dials, and ends the run if that fails.
func connect(w *sim.World, e *rondo.Engine, network, address string) net.Conn {
	c, err := e.DialContext(background, network, address)
	if err != nil {
		w.Fatalf("connecting to %s: %v", address, err)
	}
	return c
}

// pair is a connection between hosts "client" and "server", whose engines have nothing else.
func pair(w *sim.World) (client, server net.Conn) {
	ln, err := w.Host("server").Engine().ListenNet("tcp", ":7")
	if err != nil {
		w.Fatalf("listening: %v", err)
	}
	client = connect(w, w.Host("client").Engine(), "tcp", "server:7")
	server, err = ln.Accept()
	if err != nil {
		w.Fatalf("accepting: %v", err)
	}
	return client, server
}

// took holds what has passed since a moment to exactly so much.
func took(w *sim.World, since, want time.Duration, what string) {
	if got := w.Elapsed() - since; got < want || got > want+want/100_000 { // which is how late the engine's timers may be
		w.Errorf("%s took %v, not %v", what, got, want)
	}
}

// wants says that an error is not the one that was to come.
func wants(w *sim.World, what string, err, want error) {
	if !errors.Is(err, want) {
		w.Errorf("%s: %v, not %v", what, err, want)
	}
}

// say writes, and hear reads as much, which must be the same.
func say(w *sim.World, c net.Conn, words string) {
	if _, err := io.WriteString(c, words); err != nil {
		w.Errorf("saying %q: %v", words, err)
	}
}

func hear(w *sim.World, c net.Conn, words string) {
	got := make([]byte, len(words))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != words {
		w.Errorf("heard %q, %v, not %q", got[:n], err, words)
	}
}

func closeWrite(c net.Conn) error { return c.(interface{ CloseWrite() error }).CloseWrite() }

func counting(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

func TestLatency(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		const there = 30 * time.Millisecond
		w.SetLink(w.Host("client"), w.Host("server"), sim.Link{Latency: there})
		c, s := pair(w)
		took(w, 0, 3*there, "connecting, and being accepted")
		at := w.Elapsed()
		say(w, c, "ping")
		took(w, at, 0, "writing")
		hear(w, s, "ping")
		took(w, at, there, "one way")
		say(w, s, "pong")
		hear(w, c, "pong")
		took(w, at, 2*there, "both ways")
		_ = c.Close()
		_, err := s.Read(make([]byte, 1))
		wants(w, "the end", err, io.EOF)
		took(w, at, 3*there, "the end")
	})
}

// Packets of one connection do not overtake each other, and take what the link says, by chance more.
func TestJitter(t *testing.T) {
	link := sim.Link{Latency: 10 * time.Millisecond, Jitter: 50 * time.Millisecond}
	sim.Run(t, sim.Config{Link: link}, func(w *sim.World) {
		c, s := pair(w)
		w.Go(func() {
			for i := range 200 {
				say(w, c, fmt.Sprintf("%03d", i))
				w.Sleep(time.Millisecond)
			}
		})
		begun := w.Elapsed()
		delays := map[time.Duration]bool{}
		for i := range 200 {
			hear(w, s, fmt.Sprintf("%03d", i))
			d := w.Elapsed() - begun - time.Duration(i)*time.Millisecond
			if d < link.Latency || d > link.Latency+link.Jitter {
				w.Errorf("packet %d took %v", i, d)
			}
			delays[d] = true
		}
		if len(delays) < 10 {
			w.Errorf("only %d different delays", len(delays))
		}
	})
}

func TestBandwidth(t *testing.T) {
	sim.Run(t, sim.Config{Link: sim.Link{Bandwidth: 1_000_000}}, func(w *sim.World) {
		c, s := pair(w)
		const size = 1_000_000
		begun := w.Elapsed()
		w.Go(func() {
			_, _ = c.Write(make([]byte, size))
			_ = c.Close()
		})
		n, err := io.Copy(io.Discard, s)
		d := w.Elapsed() - begun
		if n != size || err != nil || d < time.Second || d > 1050*time.Millisecond {
			w.Errorf("%d bytes, %v, took %v", n, err, d)
		}
		begun = w.Elapsed() // the other direction is free
		c2 := connect(w, w.Host("client").Engine(), "tcp", "server:7")
		if d := w.Elapsed() - begun; d > time.Millisecond {
			w.Errorf("connecting took %v", d)
		}
		_ = c2.Close()
	})
}

// All that was written before the end arrives, however much, and however slowly it is read.
func TestFINAfterData(t *testing.T) {
	want := counting(8 << 20)
	for _, slow := range []bool{false, true} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			c, s := pair(w)
			w.Go(func() {
				if _, err := c.Write(want); err != nil {
					w.Errorf("writing: %v", err)
				}
				_ = c.Close()
			})
			var got bytes.Buffer
			p := make([]byte, 100_000)
			for {
				n, err := s.Read(p)
				got.Write(p[:n])
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					w.Fatalf("reading: %v", err)
				}
				if slow {
					w.Sleep(10 * time.Millisecond)
				}
			}
			if !bytes.Equal(got.Bytes(), want) {
				w.Errorf("%d bytes came, of %d", got.Len(), len(want))
			}
		})
	}
}

// The direction that is still open goes on.
func TestHalfClose(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		say(w, c, "question")
		if err := closeWrite(c); err != nil {
			w.Errorf("ending: %v", err)
		}
		got, err := io.ReadAll(s)
		if string(got) != "question" || err != nil {
			w.Errorf("%q, %v", got, err)
		}
		w.Sleep(time.Hour)
		say(w, s, "answer")
		hear(w, c, "answer")
	})
}

// What had come before a reset is read before it.
func TestRSTAfterData(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		say(w, s, "last words")
		w.Sleep(time.Second)
		say(w, c, "not read") // with which closing is a reset
		w.Sleep(time.Second)
		_ = s.(interface{ SetLinger(int) error }).SetLinger(0)
		_ = s.Close()
		w.Sleep(time.Second)
		hear(w, c, "last words")
		_, err := c.Read(make([]byte, 1))
		wants(w, "reading on", err, syscall.ECONNRESET)
	})
}

func TestDataToAClosedSocket(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		_ = s.Close()
		w.Sleep(time.Second)
		_, _ = io.WriteString(c, "anybody?")
		w.Sleep(time.Second)
		_, err := io.WriteString(c, "anybody?")
		wants(w, "writing", err, syscall.ECONNRESET)
	})
}

// Two listen at a port, or not, and who connects finds them.
func TestListening(t *testing.T) {
	for _, c := range []struct {
		first, second string
		want          error
	}{
		{":7", ":7", syscall.EADDRINUSE},
		{":7", "127.0.0.1:7", syscall.EADDRINUSE},
		{"10.0.0.1:7", ":7", syscall.EADDRINUSE},
		{"10.0.0.1:7", "127.0.0.1:7", nil},
		{":7", ":8", nil},
		{":7", "10.0.0.2:8", syscall.EADDRNOTAVAIL},
	} {
		t.Run(c.first+" and "+c.second, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				e := w.Host("server").Engine()
				ln, err := e.ListenNet("tcp", c.first)
				if err != nil {
					w.Fatalf("the first: %v", err)
				}
				_, err = e.ListenNet("tcp", c.second)
				wants(w, "the second", err, c.want)
				_ = ln.Close()
				w.Sleep(time.Second)                                   // it is the loop that closes it
				if _, err := e.ListenNet("tcp", c.first); err != nil { // it is free again
					w.Errorf("again: %v", err)
				}
			})
		})
	}
}

func TestPortZero(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("server").Engine()
		seen := map[int]bool{}
		for range 10 {
			ln, err := e.ListenNet("tcp", ":0")
			if err != nil {
				w.Fatalf("%v", err)
			}
			port := ln.Addr().(*net.TCPAddr).Port
			if port == 0 || seen[port] {
				w.Errorf("port %d", port)
			}
			seen[port] = true
			c := connect(w, w.Host("client").Engine(), "tcp", fmt.Sprintf("server:%d", port))
			s, _ := ln.Accept()
			say(w, c, "hello")
			hear(w, s, "hello")
			if c.LocalAddr().String() != s.RemoteAddr().String() || c.RemoteAddr().String() != s.LocalAddr().String() {
				w.Errorf("%v-%v and %v-%v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
			}
		}
	})
}

// Within a host: hardly any time passes, and no partition matters.
func TestWithinAHost(t *testing.T) {
	for _, c := range []struct{ network, listen, dial string }{
		{"tcp", ":7", "localhost:7"},
		{"tcp", "127.0.0.1:7", "127.0.0.1:7"},
		{"tcp", ":7", "a:7"},
		{"unix", "/run/x", "/run/x"},
	} {
		t.Run(c.network+" "+c.dial, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				h := w.Host("a")
				w.Host("b")
				e := h.Engine()
				if _, err := e.Listen(c.network, c.listen, stream.Handle(echoHandler)); err != nil {
					w.Fatalf("%v", err)
				}
				w.Partition(h)
				conn := connect(w, e, c.network, c.dial)
				say(w, conn, "hello")
				hear(w, conn, "hello")
				if all := w.Elapsed(); all > 100*time.Microsecond {
					w.Errorf("all of it took %v", all)
				}
				if _, err := w.Host("b").Engine().DialContext(background, c.network, "/run/x"); c.network == "unix" && !errors.Is(err, syscall.ENOENT) {
					w.Errorf("from another host: %v", err)
				}
				_, err := e.Listen(c.network, c.listen, stream.Handle(echoHandler))
				wants(w, "listening twice", err, syscall.EADDRINUSE)
			})
		})
	}
}

// A listener for the loopback is not for others.
func TestLoopbackOnly(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		if _, err := w.Host("server").Engine().ListenNet("tcp", "127.0.0.1:7"); err != nil {
			w.Fatalf("%v", err)
		}
		_, err := w.Host("client").Engine().DialContext(background, "tcp", "server:7")
		wants(w, "connecting", err, syscall.ECONNREFUSED)
	})
}

// How connecting fails, and when.
func TestConnectFails(t *testing.T) {
	const trip = 20 * time.Millisecond
	for _, c := range []struct {
		name    string
		address string
		before  func(w *sim.World, server *sim.Host)
		want    error
		after   time.Duration
	}{
		{"nobody listens", "server:8", nil, syscall.ECONNREFUSED, trip},
		{"refusing", "server:7", func(_ *sim.World, h *sim.Host) { h.SetRefusing(true) }, syscall.ECONNREFUSED, trip},
		{"killed", "server:7", func(_ *sim.World, h *sim.Host) { h.Kill() }, syscall.ECONNREFUSED, trip},
		{"silent", "server:7", func(_ *sim.World, h *sim.Host) { h.SetSilent(true) }, syscall.ETIMEDOUT, 127 * time.Second},
		{"power off", "server:7", func(_ *sim.World, h *sim.Host) { h.PowerOff() }, syscall.ETIMEDOUT, 127 * time.Second},
		{"killed, then power off", "server:7", func(_ *sim.World, h *sim.Host) { h.Kill(); h.PowerOff() }, syscall.ETIMEDOUT, 127 * time.Second},
		{"partition", "server:7", func(w *sim.World, h *sim.Host) { w.Partition(h) }, syscall.ETIMEDOUT, 127 * time.Second},
		{"no such address", "10.9.9.9:7", nil, syscall.ENETUNREACH, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, sim.Config{Link: sim.Link{Latency: trip / 2}}, func(w *sim.World) {
				h := w.Host("server")
				if _, err := h.Engine().ListenNet("tcp", ":7"); err != nil {
					w.Fatalf("%v", err)
				}
				if c.before != nil {
					c.before(w, h)
				}
				d := rondo.Dialer{Timeout: -1}
				_, err := d.DialContext(background, w.Host("client").Engine(), "tcp", c.address)
				wants(w, "connecting", err, c.want)
				took(w, 0, c.after, "connecting")
			})
		})
	}
}

// Who loses patience gets his own reason, and what could not connect can once its cause is gone.
func TestConnectGoesOn(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("server")
		h.Start(echoServer)
		h.SetSilent(true)
		e := w.Host("client").Engine()
		ctx, cancel := w.WithTimeout(background, 5*time.Second)
		defer cancel()
		_, err := e.DialContext(ctx, "tcp", "server:7")
		wants(w, "connecting", err, context.DeadlineExceeded)
		wants(w, "the context", ctx.Err(), context.DeadlineExceeded)
		took(w, 0, 5*time.Second, "patience")
		w.After(6*time.Second, func() { h.SetSilent(false) })
		c := connect(w, e, "tcp", "server:7")
		took(w, 5*time.Second, 7*time.Second+time.Millisecond, "connecting") // the first packet was sent at 0, 1, 3 and 7
		say(w, c, "hello")
		hear(w, c, "hello")
	})
}

// With a backlog that is full, connections wait.
func TestBacklogFull(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("server").Engine()
		ln, err := rondo.ListenConfig{Backlog: 2}.Bind(e, "tcp", ":7")
		if err != nil {
			w.Fatalf("%v", err)
		}
		client := w.Host("client").Engine()
		stood, heard := 0, 0
		for range 4 {
			w.Go(func() {
				c := connect(w, client, "tcp", "server:7")
				stood++
				say(w, c, "hello")
				hear(w, c, "hello")
				heard++
			})
		}
		w.Sleep(time.Second / 2)
		if stood != 2 {
			w.Errorf("%d stand with a backlog of 2", stood)
		}
		w.Sleep(10 * time.Second)
		if err := ln.Serve(stream.Handle(echoHandler)); err != nil {
			w.Fatalf("serving: %v", err)
		}
		w.Wait(func() bool { return heard == 4 })
		if w.Elapsed() > 20*time.Second {
			w.Errorf("after %v", w.Elapsed())
		}
	})
}

// Writing to who does not read stops, and goes on when he does.
func TestFlowControl(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		want := counting(2 << 20)
		over := false
		w.Go(func() {
			_, _ = c.Write(want)
			_ = c.Close()
			over = true
		})
		w.Sleep(10 * time.Second)
		if over {
			w.Errorf("2 MiB were written that nobody has read")
		}
		got, err := io.ReadAll(s)
		if err != nil || !bytes.Equal(got, want) {
			w.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func TestDeadlines(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, _ := pair(w)
		at := w.Elapsed()
		_ = c.SetReadDeadline(w.Now().Add(time.Minute))
		_, err := c.Read(make([]byte, 1))
		wants(w, "reading", err, os.ErrDeadlineExceeded)
		took(w, at, time.Minute, "reading")
		_ = c.SetWriteDeadline(w.Now().Add(time.Minute))
		_, err = c.Write(make([]byte, 32<<20))
		wants(w, "writing", err, os.ErrDeadlineExceeded)
		took(w, at, 2*time.Minute, "writing")
	})
}

// Tasks and streams over the same network.
func TestStreams(t *testing.T) {
	sim.Run(t, sim.Config{Faults: sim.Faults{Cut: 1}}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		f := task.Go(w.Host("client").Engine().Loop(), func(t *task.Task) (string, error) {
			s, err := stream.Dial(t, "tcp", "server:7")
			if err != nil {
				return "", err
			}
			defer s.Close()
			if _, err := s.Write(t, []byte("hello, world\n")); err != nil {
				return "", err
			}
			line, err := s.ReadLine(t, 100)
			return string(line), err
		})
		if line, err := f.Wait(background); line != "hello, world" || err != nil {
			w.Errorf("%q, %v", line, err)
		}
	})
}

// What comes together is seen as one piece or as several, by chance.
func TestCoalescing(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(40) {
		sim.Run(t, sim.Config{Seed: seed + 1}, func(w *sim.World) {
			c, s := pair(w)
			w.Stall(w.Host("client"), w.Host("server"), time.Second)
			w.Go(func() {
				say(w, c, "a")
				w.Sleep(time.Millisecond)
				say(w, c, "b")
			})
			pieces, p := "", make([]byte, 10)
			for len(pieces) < 4 {
				n, err := s.Read(p)
				if err != nil {
					w.Fatalf("reading: %v", err)
				}
				pieces += string(p[:n]) + "|"
				if n == 2 {
					break
				}
			}
			seen[pieces]++
		})
	}
	if seen["ab|"] == 0 || seen["a|b|"] == 0 || len(seen) != 2 {
		t.Errorf("%v", seen)
	}
}

// The name of a Unix socket is no file of the operating system's.
func TestUnixSocketsAreNoFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		ln, err := w.Host("a").Engine().ListenNet("unix", name)
		if err != nil {
			w.Fatalf("%v", err)
		}
		_ = ln.Close()
		w.Sleep(time.Second)
	})
	if got, err := os.ReadFile(name); string(got) != "precious" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// What a machine still has to send when it is switched off is lost, also that of connections that are closed; after a kill it is not.
func TestUnsentData(t *testing.T) {
	for _, off := range []bool{false, true} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			c, s := pair(w)
			const size = 250_000 // of which the client has received a part, and not read it
			_, _ = s.Write(make([]byte, size))
			_ = s.Close()
			w.Sleep(time.Second)
			if h := w.Host("server"); off {
				h.PowerOff()
				w.After(time.Minute, h.Restart)
			} else {
				h.Kill()
			}
			n, err := io.Copy(io.Discard, c)
			if off {
				wants(w, "reading", err, syscall.ECONNRESET)
			} else if n != size || err != nil {
				w.Errorf("%d bytes, %v", n, err)
			}
		})
	}
}

// A partition by script is not ended by the repair of an earlier cut that Heal had ended.
func TestMendAfterHeal(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		c, s := pair(w)
		a, b := w.Host("client"), w.Host("server")
		w.Cut(a, b) // what Faults.Partition does, with the Mend to come
		w.After(10*time.Second, func() { w.Mend(a, b) })
		w.Sleep(time.Second)
		w.Heal()
		w.Partition(b)
		at := w.Elapsed()
		w.After(time.Minute, w.Heal)
		say(w, c, "hello")
		hear(w, s, "hello")
		if d := w.Elapsed() - at; d < time.Minute {
			w.Errorf("the partition of a minute lasted %v", d)
		}
	})
}
