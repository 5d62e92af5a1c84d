package sim_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// What a script says of one connection happens to that one, and to no other.
func TestOnConnectRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(c *sim.Connection)
		want   error // of connecting, or of what comes after
		takes  time.Duration
	}{
		{"refused", (*sim.Connection).Refuse, syscall.ECONNREFUSED, time.Millisecond},
		{"lost once", func(c *sim.Connection) { c.Lose(1) }, nil, time.Second + 2*time.Millisecond},
		{"lost three times", func(c *sim.Connection) { c.Lose(3) }, nil, 7*time.Second + 2*time.Millisecond},
		{"silent", (*sim.Connection).Silence, context.DeadlineExceeded, 10 * time.Second},
		{"aborted", (*sim.Connection).Abort, syscall.ECONNRESET, 2 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				w.Host("server").Start(echoServer)
				w.OnConnect(func(conn *sim.Connection) {
					if conn.Name() == "client>server:7#2" {
						c.script(conn)
					}
				})
				e := w.Host("client").Engine()
				for n := range 3 {
					begun := w.Elapsed()
					ctx, cancel := w.WithTimeout(background, 10*time.Second)
					conn, err := e.DialContext(ctx, "tcp", "server:7")
					cancel()
					if err == nil {
						_, _ = io.WriteString(conn, "hello")
						_, err = io.ReadFull(conn, make([]byte, 5))
						_ = conn.Close()
					}
					if n != 1 {
						wants(w, "the others", err, nil)
						continue
					}
					wants(w, "the second", err, c.want)
					took(w, begun, c.takes, "the second")
				}
			})
		})
	}
}

// A connection that is reset after so many bytes gives exactly those to its reader, and both ends hear of it.
func TestResetAfter(t *testing.T) {
	for _, n := range []int64{0, 1, 4, 10, 11} {
		for _, back := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d back=%v", n, back), func(t *testing.T) {
				sim.Run(t, sim.Config{}, func(w *sim.World) {
					w.OnConnect(func(c *sim.Connection) {
						if back {
							c.Back().ResetAfter(n)
						} else {
							c.Forth().ResetAfter(n)
						}
					})
					client, server := pair(w)
					from, to := client, server
					if back {
						from, to = server, client
					}
					say(w, from, "hello")
					w.Sleep(time.Second)
					if n > 5 {
						say(w, from, "world!")
					}
					got, err := io.ReadAll(to)
					if string(got) != "helloworld!"[:n] {
						w.Errorf("%q has arrived", got)
					}
					wants(w, "reading", err, syscall.ECONNRESET)
					_, err = from.Read(make([]byte, 1))
					wants(w, "the sender", err, syscall.ECONNRESET)
				})
			})
		}
	}
}

func TestStallAfter(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.OnConnect(func(c *sim.Connection) { c.Forth().StallAfter(5, time.Hour) })
		client, server := pair(w)
		at := w.Elapsed()
		say(w, client, "hello")
		hear(w, server, "hello")
		took(w, at, 500*time.Microsecond, "what was before")
		say(w, client, " world")
		say(w, server, "yes?")
		hear(w, client, "yes?")
		took(w, at, time.Millisecond, "the other direction")
		hear(w, server, " world")
		took(w, at, time.Hour, "what came after")
	})
}

// Connections that stand can be stalled and reset, one by one.
func TestConnections(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		e := w.Host("client").Engine()
		conns := []net.Conn{connect(w, e, "tcp", "server:7"), connect(w, e, "tcp", "server:7"), connect(w, e, "tcp", "server:7")}
		all := w.Connections()
		if len(all) != 3 {
			w.Fatalf("%d connections", len(all))
		}
		c := all[1]
		if c.Name() != "client>server:7#2" || c.From().Name() != "client" || c.To().Name() != "server" || c.Port() != 7 {
			w.Errorf("it is %s, from %s to %s, port %d", c.Name(), c.From().Name(), c.To().Name(), c.Port())
		}
		stalled := w.Elapsed()
		all[0].Back().Stall(time.Minute)
		c.Reset()
		for i, conn := range conns {
			at := w.Elapsed()
			_, _ = io.WriteString(conn, "hello")
			_, err := io.ReadFull(conn, make([]byte, 5))
			switch i {
			case 0:
				wants(w, "what stands still", err, nil)
				took(w, stalled, time.Minute, "what stands still")
			case 1:
				wants(w, "what was reset", err, syscall.ECONNRESET)
			case 2:
				wants(w, "the third", err, nil)
				took(w, at, time.Millisecond, "the third")
			}
		}
		c.Reset() // it has ended
		if n := len(w.Connections()); n != 2 {
			w.Errorf("%d are left", n)
		}
	})
}

// Pieces cut what is written at once, and join what is written in turn.
func TestPieces(t *testing.T) {
	for _, c := range []struct {
		writes []string
		pieces []int
		want   []int
	}{
		{[]string{"hello world"}, []int{1, 4, 3}, []int{1, 4, 3, 3}},
		{[]string{"he", "llo", " ", "world"}, []int{5, 6}, []int{5, 6}},
		{[]string{"he", "llo", "!"}, []int{100}, []int{6}}, // the end completes it
		{[]string{"a", "b"}, nil, []int{1, 1}},
	} {
		sim.Run(t, sim.Config{Log: true}, func(w *sim.World) {
			client, server := pair(w)
			w.Connections()[0].Forth().Pieces(c.pieces...)
			w.Host("client").Go(func() {
				for _, s := range c.writes {
					say(w, client, s)
					w.Sleep(10 * time.Millisecond)
				}
				_ = closeWrite(client)
			})
			if got := strings.Join(everyRead(server, 100), ""); got != strings.Join(c.writes, "") {
				w.Errorf("%q came as %q", c.writes, got)
			}
			if got := packets(w); !slices.Equal(got, c.want) {
				w.Errorf("%q travelled in %d, and not %d", c.writes, got, c.want)
			}
		})
	}
}

// What goes wrong in the midst of a piece goes wrong there, and the pieces are still of their sizes.
func TestPiecesAndTroubles(t *testing.T) {
	stall := func(n int64) func(*sim.Way) { return func(d *sim.Way) { d.StallAfter(n, time.Second) } }
	reset := func(n int64) func(*sim.Way) { return func(d *sim.Way) { d.ResetAfter(n) } }
	for _, c := range []struct {
		name    string
		pieces  []int
		trouble func(*sim.Way)
		want    []int
		resets  bool
	}{
		{"stall in a piece", []int{10, 10, 10}, stall(4), []int{4, 6, 10, 10, 10}, false},
		{"stall between pieces", []int{10, 10}, stall(10), []int{10, 10, 20}, false},
		{"stall in a piece that waits", []int{10, 100}, stall(15), []int{10, 5, 25}, false}, // the end completes it
		{"reset before the first", []int{10, 100}, reset(0), nil, true},
		{"reset in a piece", []int{10, 100}, reset(3), []int{3}, true},
		{"reset between pieces", []int{10, 100}, reset(10), []int{10}, true},
		{"reset in a piece that waits", []int{10, 100}, reset(15), []int{10, 5}, true},
		{"reset at the end of what waits", []int{10, 100}, reset(40), []int{10, 30}, true},
		{"reset behind what comes", []int{10, 100}, reset(41), []int{10, 30}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Run(t, sim.Config{Log: true}, func(w *sim.World) {
				client, server := pair(w)
				forth := w.Connections()[0].Forth()
				forth.Pieces(c.pieces...)
				c.trouble(forth)
				say(w, client, strings.Repeat("x", 40))
				w.Sleep(time.Second)
				if !c.resets {
					_ = closeWrite(client)
				}
				got, err := io.ReadAll(server)
				if c.resets {
					wants(w, "reading", err, syscall.ECONNRESET)
				} else if len(got) != 40 {
					w.Errorf("%d bytes have come, and %v", len(got), err)
				}
				if got := packets(w); !slices.Equal(got, c.want) {
					w.Errorf("it travelled in %d, and not %d", got, c.want)
				}
			})
		})
	}
}

// What was sent before a reset arrives, and the reset behind it, also if a partition holds them up: all that was sent in it, or before it.
func TestResetAfterInPartition(t *testing.T) {
	for _, oneWay := range []bool{false, true} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			client, server := pair(w)
			w.Connections()[0].Forth().ResetAfter(15)
			say(w, client, "first") // is on its way when the link is cut
			if oneWay {
				w.CutOneWay(w.Host("client"), w.Host("server"))
			} else {
				w.Partition(w.Host("server"))
			}
			say(w, client, "second")
			w.Sleep(time.Second)
			say(w, client, "third")
			_, err := client.Read(make([]byte, 1))
			wants(w, "the sender", err, syscall.ECONNRESET)
			at := w.Elapsed()
			w.After(time.Minute, w.Heal)
			got, err := io.ReadAll(server)
			wants(w, "reading", err, syscall.ECONNRESET)
			if string(got) != "firstsecondthir" {
				w.Errorf("%q has arrived", got)
			}
			took(w, at, time.Minute+500*time.Microsecond, "the reset")
			if n := len(w.Connections()); n != 0 {
				w.Errorf("%d connections are left", n)
			}
		})
	}
}

// A connection of which one end alone stands can be had and reset, whichever it is.
func TestConnectionsHalfOpen(t *testing.T) {
	for _, off := range []string{"client", "server"} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			client, server := pair(w)
			w.Host(off).PowerOff()
			left := client
			if off == "client" {
				left = server
			}
			all := w.Connections()
			if len(all) != 1 || all[0].Name() != "client>server:7#1" {
				w.Fatalf("without the %s there are %d connections", off, len(all))
			}
			at := w.Elapsed()
			w.After(time.Second, all[0].Reset)
			_, err := left.Read(make([]byte, 1))
			wants(w, "what is left", err, syscall.ECONNRESET)
			took(w, at, time.Second, "the reset")
			if n := len(w.Connections()); n != 0 {
				w.Errorf("%d connections are left", n)
			}
		})
	}
	// The client has given up, and the server does not know it.
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.CutOneWay(w.Host("server"), w.Host("client"))
		e := w.Host("client").Engine()
		ctx, cancel := w.WithTimeout(background, 500*time.Millisecond)
		defer cancel()
		w.After(100*time.Millisecond, func() { w.CutOneWay(w.Host("client"), w.Host("server")) })
		_, err := e.DialContext(ctx, "tcp", "server:7")
		wants(w, "connecting", err, context.DeadlineExceeded)
		w.Sleep(time.Millisecond) // the client's loop closes the socket
		all := w.Connections()
		if len(all) != 1 {
			w.Fatalf("%d connections", len(all))
		}
		all[0].Reset()
		if n := len(w.Connections()); n != 0 {
			w.Errorf("%d connections are left", n)
		}
	})
}

// Connections are in the order of who has connected, not of who still stands.
func TestConnectionsInOrder(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		for _, name := range []string{"a", "b", "a", "c"} {
			connect(w, w.Host(name).Engine(), "tcp", "server:7")
		}
		w.Host("b").PowerOff()
		var got []string
		for _, c := range w.Connections() {
			got = append(got, c.Name())
		}
		if want := "a>server:7#1 a>server:7#2 b>server:7#1 c>server:7#1"; strings.Join(got, " ") != want {
			w.Errorf("%s, and not %s", got, want)
		}
	})
}

// packets are the sizes of those with data that have arrived.
func packets(w *sim.World) (sizes []int) {
	for _, e := range w.Log().Entries() {
		if e.What == "data" {
			sizes = append(sizes, e.Bytes)
		}
	}
	return sizes
}

// everyRead is what each read has returned, until the end.
func everyRead(c net.Conn, room int) (all []string) {
	for {
		p := make([]byte, room)
		n, err := c.Read(p)
		if n > 0 {
			all = append(all, string(p[:n]))
		}
		if err != nil {
			return all
		}
	}
}

// Reads give as little as a script says, and writes take as little: the engine goes on with what is left.
func TestReadsAndWrites(t *testing.T) {
	sim.Run(t, sim.Config{Log: true}, func(w *sim.World) {
		client, server := pair(w)
		forth := w.Connections()[0].Forth()
		forth.Writes(1, 2, 3)
		say(w, client, "hello world")
		_ = closeWrite(client)
		if got := strings.Join(everyRead(server, 100), "|"); strings.ReplaceAll(got, "|", "") != "hello world" {
			w.Errorf("%q has arrived", got)
		}
		if sizes := packets(w); !slices.Equal(sizes, []int{1, 2, 3, 5}) {
			w.Errorf("it travelled in %d", sizes)
		}
	})
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.OnConnect(func(c *sim.Connection) { c.Back().Reads(2, 1) })
		e := w.Host("client").Engine()
		_, err := task.Go(e.Loop(), func(t *task.Task) (struct{}, error) {
			s, err := stream.Dial(t, "tcp", "server:7")
			if err != nil {
				return struct{}{}, err
			}
			_, _ = s.Write(t, []byte("hello"))
			for _, want := range []string{"he", "l", "lo"} {
				if p, err := s.Next(t, 100); string(p) != want {
					w.Errorf("%q, %v came, and not %q", p, err, want)
				}
			}
			return struct{}{}, s.Close()
		}).Wait(background)
		wants(w, "the client", err, nil)
	})
}

// What a script cannot mean, it is told.
func TestConnectionMisuse(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		_, _ = pair(w)
		d := w.Connections()[0].Forth()
		for want, fn := range map[string]func(){
			"sim: Way.ResetAfter needs a number of bytes that is not negative, and not -1": func() { d.ResetAfter(-1) },
			"sim: Way.StallAfter needs a number of bytes that is not negative, and not -2": func() { d.StallAfter(-2, time.Second) },
			"sim: Way.Pieces needs sizes from 1 to 65536, and not 65537":                   func() { d.Pieces(1, 65537) },
			"sim: Way.Reads needs sizes from 1 to 9223372036854775807, and not 0":          func() { d.Reads(0) },
			"sim: Way.Writes needs sizes from 1 to 9223372036854775807, and not -1":        func() { d.Writes(-1) },
		} {
			func() {
				defer func() {
					if v := recover(); v != any(want) {
						w.Errorf("%v, and not %s", v, want)
					}
				}()
				fn()
			}()
		}
	})
}

// In a partition in one direction, what comes the other way arrives; its sender does not hear that it has, and sends no more than there is
// room for at the other end.
func TestCutOneWay(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		client, server := pair(w)
		at := w.Elapsed()
		w.CutOneWay(w.Host("client"), w.Host("server"))
		say(w, server, "can you hear me?")
		hear(w, client, "can you hear me?")
		took(w, at, 500*time.Microsecond, "the way that is open")
		say(w, client, "yes")
		w.After(time.Minute, func() { w.MendOneWay(w.Host("client"), w.Host("server")) })
		hear(w, server, "yes")
		took(w, at, time.Minute+500*time.Microsecond, "the way that is cut")
		w.Sleep(20 * time.Minute)
		say(w, server, "good")
		hear(w, client, "good")
	})
}

// Who hears nothing of what it has sent gives up in the end, though it has arrived.
func TestCutOneWayTooLong(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		client, server := pair(w)
		at := w.Elapsed()
		w.CutOneWay(w.Host("client"), w.Host("server"))
		say(w, server, "hello?")
		hear(w, client, "hello?")
		_, err := server.Read(make([]byte, 1))
		wants(w, "the sender", err, syscall.ETIMEDOUT)
		took(w, at, 924600*time.Millisecond+500*time.Microsecond, "giving up")
	})
}

// Connecting needs both ways.
func TestCutOneWayWhileConnecting(t *testing.T) {
	for _, back := range []bool{false, true} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			server, client := w.Host("server"), w.Host("client")
			ln, err := server.Engine().ListenNet("tcp", ":7")
			if err != nil {
				w.Fatalf("%v", err)
			}
			accepted := 0
			w.Go(func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					accepted++
					_, _ = io.Copy(c, c)
				}
			})
			from, to := client, server
			if back {
				from, to = server, client
			}
			w.CutOneWay(from, to)
			w.After(10*time.Second, func() {
				if accepted > 0 {
					w.Errorf("%d were accepted of what the client knows nothing of", accepted)
				}
				w.MendOneWay(from, to)
			})
			c := connect(w, client.Engine(), "tcp", "server:7")
			if w.Elapsed() < 10*time.Second {
				w.Errorf("it stood after %v", w.Elapsed())
			}
			say(w, c, "hello")
			hear(w, c, "hello")
			if accepted != 1 {
				w.Errorf("%d were accepted", accepted)
			}
			_ = ln.Close()
		})
	}
}

// Mending more than was cut does nothing, and a link that is cut both ways and one way is open after both are mended.
func TestMendOneWay(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		a, b := w.Host("client"), w.Host("server")
		client, server := pair(w)
		w.MendOneWay(a, b)
		w.Cut(a, b)
		w.CutOneWay(a, b)
		w.Mend(a, b)
		w.Mend(a, b) // once too often, and not of CutOneWay's
		say(w, server, "one way")
		hear(w, client, "one way")
		say(w, client, "the other")
		w.Sleep(time.Second)
		at := w.Elapsed()
		w.MendOneWay(a, b)
		hear(w, server, "the other")
		took(w, at, 500*time.Microsecond, "the other way")
	})
}

// A host that is spared has no faults of its own.
func TestSpare(t *testing.T) {
	often := sim.Faults{
		Kill: time.Second, PowerOff: time.Second, Pause: time.Second, ClockStep: time.Second, NoFiles: time.Second, LookupFail: 0.5, LookupSlow: 0.5,
		Spare: []string{"spared"},
	}
	w, err := sim.Simulate(sim.Config{Faults: often}, func(w *sim.World) {
		w.Host("struck")
		e := w.Host("spared").Engine()
		for range 100 {
			_, err := e.DialContext(background, "tcp", "spared:1")
			wants(w, "connecting", err, syscall.ECONNREFUSED)
			w.Sleep(time.Second)
		}
	})
	if err != nil {
		t.Error(err)
	}
	if len(w.Faults()) == 0 || slices.ContainsFunc(w.Faults(), func(id string) bool { return strings.Contains(id, "spared") }) {
		t.Errorf("faults: %q", w.Faults())
	}
}
