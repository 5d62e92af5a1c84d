package sim_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
)

// greeter answers each line. It closes a connection that has said nothing for a minute.
type greeter struct{ timer rondo.Timer }

func (g *greeter) ConnectionMade(c *rondo.Conn) { g.restart(c) }

func (g *greeter) restart(c *rondo.Conn) {
	g.timer.Stop()
	g.timer = c.Loop().After(time.Minute, func() { c.Close() })
}

func (g *greeter) DataReceived(c *rondo.Conn, p []byte) (n int) {
	g.restart(c)
	for {
		name, rest, found := bytes.Cut(p[n:], []byte("\n"))
		if !found {
			return n // it comes again, with what follows
		}
		fmt.Fprintf(c, "hello, %s\n", name)
		n = len(p) - len(rest)
	}
}

func (g *greeter) ConnectionLost(*rondo.Conn, error) { g.timer.Stop() }

// A script plays the client of a protocol. In a test, sim.Run takes the place of sim.Simulate.
func ExamplePeer() {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		p := w.AttachAccepted(w.Host("server").Engine(), &greeter{})
		p.Send("Ada\nAl", "an\n") // in two pieces
		p.Expect("hello, Ada\nhello, Alan\n")
		p.SendEvery(50*time.Second, "Gra", "ce", "\n") // slowly, but not too slowly
		p.Expect("hello, Grace\n")
		p.ExpectNothing(5 * time.Second)
		fmt.Println("closed after another", p.ExpectEnd().Round(time.Second))
	})
	fmt.Println(err)
	// Output:
	// closed after another 5s
	// <nil>
}

// A script plays the server, for the program's own client: one that says half of a line, and no more for a minute.
func ExampleWorld_ListenPeer() {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		l := w.ListenPeer("server:7000")
		w.Go(func() { // beside the program
			p := l.Accept()
			p.Send("The poetry of ")
			w.Sleep(time.Minute)
			p.Send("earth is never dead")
			p.Close()
		})
		text, err := fetchPoem(w.Host("client").Engine(), "server:7000")
		fmt.Printf("%q, %v, after %v\n", text, err, w.Elapsed().Round(time.Second))
	})
	fmt.Println(err)
	// Output:
	// "The poetry of earth is never dead", <nil>, after 1m0s
	// <nil>
}

// A script plays a client of the program's own server: one that goes away in the midst of a poem.
func ExampleWorld_DialPeer() {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(servePoem)
		w.Sleep(time.Second) // it listens by then
		rude, polite := w.DialPeer("server:7000"), w.DialPeer("server:7000")
		rude.Expect("The poetry of earth is never dead:\n")
		rude.Reset()
		polite.Expect(poem) // all the same
		polite.ExpectEnd()
	})
	fmt.Println(err)
	// Output:
	// <nil>
}

// hasty is a protocol that takes for granted that a line comes in one piece.
type hasty struct{ greeter }

func (h *hasty) DataReceived(c *rondo.Conn, p []byte) int {
	for line := range bytes.Lines(p) {
		fmt.Fprintf(c, "hello, %s\n", bytes.TrimSpace(line))
	}
	return len(p)
}

// printer is a test that prints its errors.
type printer struct{ testing.TB }

func (printer) Helper()           {}
func (printer) Error(args ...any) { fmt.Println(args...) }

func ExampleCheckProtocol() {
	var t testing.TB = printer{} // that of func TestGreeter(t *testing.T)
	sim.CheckProtocol(t, []byte("Ada\nAlan\n"), func() sim.Subject { return sim.Subject{Protocol: &greeter{}} })
	sim.CheckProtocol(t, []byte("Ada\nAlan\n"), func() sim.Subject { return sim.Subject{Protocol: &hasty{}} })
	// Output:
	// sim: the protocol does not do the same with the same input
	//   with one piece of 9 bytes: "Ada\nAlan\n"
	//     it sends "hello, Ada\nhello, Alan\n", ends the connection
	//   with 2 pieces, of 1 8 bytes: "A" | "da\nAlan\n"
	//     it sends "hello, A\nhello, da\nhello, Alan\n", ends the connection
}

// Ten hours of sleep take no time.
func ExampleRunTask() {
	took, err := sim.RunTask(func(t *task.Task) error {
		for hour := range 3 {
			fmt.Println(t.Loop().Now().UTC().Format(time.TimeOnly), hour)
			if err := task.Sleep(t, 10*time.Hour/3); err != nil {
				return err
			}
		}
		return nil
	})
	fmt.Println(took.Round(time.Second), err)
	// Output:
	// 00:00:00 0
	// 03:20:00 1
	// 06:40:00 2
	// 10h0m0s <nil>
}

func ExampleClock() {
	var clock sim.Clock
	clock.After(time.Hour, func() { fmt.Println("an hour later:", clock.Now().Format(time.TimeOnly)) })
	clock.Advance(59 * time.Minute)
	fmt.Println("nothing yet:", clock.Now().Format(time.TimeOnly))
	clock.Advance(2 * time.Minute)
	// Output:
	// nothing yet: 00:59:00
	// an hour later: 01:00:00
}
