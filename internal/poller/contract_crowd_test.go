package poller_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/rondo-go/rondo/internal/poller"
)

// crowdSize is the number of descriptors in the crowd; half of them are one end, half the other.
const crowdSize = 10_000

// assemble opens n/2 connections and watches both ends for reading, or fewer where the backend
// has a limit.
func assemble(w *world, n int) (clients, servers []*end) {
	w.t.Helper()
	for range n / 2 {
		a, b := w.pair()
		if a.fd >= selectLimit-16 || b.fd >= selectLimit-16 {
			if w.Name() == "select" {
				w.reset(a)
				w.reset(b)
				break
			}
		}
		clients, servers = append(clients, a), append(servers, b)
	}
	for i := range clients {
		w.add(clients[i], poller.Read)
		w.add(servers[i], poller.Read)
	}
	return clients, servers
}

// crowd is the clause of many descriptors: each is found among all the others, few among many,
// and none is passed over when all are ready and a batch holds a tenth of them.
func crowd(t *testing.T, s subject) {
	s.network = "unix" // 5,000 connections of TCP would leave the machine short of ports
	w := s.world(t)
	clients, servers := assemble(w, crowdSize)
	all := append(append([]*end(nil), clients...), servers...)
	byToken := make(map[uint64]*end, len(all))
	for _, e := range all {
		byToken[e.token] = e
	}

	if events := w.wait(poller.Immediately); len(events) != 0 {
		t.Fatalf("nothing was sent, and %d events", len(events))
	}
	for i := range 20 { // few among many
		e := clients[i*len(clients)/20]
		e.send("x")
		servers[i*len(servers)/20].expect("x", false)
	}

	// All at once, several bytes each: one is read per event, so that all stay ready.
	const bytes = 4
	for _, e := range all {
		e.send("rond")
	}
	perRound := (len(all) + poller.MaxEvents - 1) / poller.MaxEvents
	one := make([]byte, 1)
	for round := range bytes {
		// A fair backend needs perRound Waits for all; twice that and two more are bounded.
		got := make(map[uint64]bool, len(all))
		for range 2*perRound + 2 {
			for _, event := range w.wait(w.Now() + patience) {
				e := byToken[event.Token]
				if got[event.Token] {
					continue // early for the next round
				}
				got[event.Token] = true
				if n, err := e.recv(one); n != 1 || err != nil {
					t.Fatalf("round %d: Recv: %d, %v", round, n, err)
				}
			}
			if len(got) == len(all) {
				break
			}
		}
		if len(got) != len(all) {
			t.Fatalf("round %d: %d of %d ready descriptors were passed over in %d Waits",
				round, len(all)-len(got), len(all), 2*perRound+2)
		}
	}
	if events := w.wait(poller.Immediately); len(events) != 0 {
		t.Fatalf("all was read, and %d events", len(events))
	}
	for i, e := range clients { // leaving in an order that is not the one of coming
		if i%3 == 0 {
			w.close(e)
			if i%999 == 0 {
				servers[i].expectEnd()
			}
			w.close(servers[i])
		}
	}
	clients[1].send("x")
	servers[1].expect("x", false)
}

// selectLimit is FD_SETSIZE.
const selectLimit = 1024

// TestSelectLimit has descriptors beyond the width of select's bit sets.
func TestSelectLimit(t *testing.T) {
	s := backendForTest(t, "select")
	s.network = "unix"
	w := s.world(t)
	below, watched := w.pair()
	w.add(watched, poller.Read)
	last := 0
	var beyond []*end
	for len(beyond) < 8 {
		a, b := w.pair()
		for _, e := range []*end{a, b} {
			if e.fd < selectLimit {
				w.add(e, poller.Read)
				last = max(last, e.fd)
			} else {
				beyond = append(beyond, e)
			}
		}
	}
	if last != selectLimit-1 {
		t.Errorf("the highest descriptor taken is %d, want %d", last, selectLimit-1)
	}
	for _, e := range beyond {
		err := w.Add(e.fd, w.newToken(), poller.Read)
		if _, ok := errors.AsType[*poller.LimitError](err); !ok {
			t.Fatalf("Add of descriptor %d: %v, want a LimitError", e.fd, err)
		}
		want := "the select poller watches descriptors below 1024 only and this one is " + strconv.Itoa(e.fd) +
			": use another poller or fewer connections"
		if err.Error() != want {
			t.Errorf("the error says\n%s, want\n%s", err, want)
		}
		if w.Modify(e.fd, 1, poller.Read) == nil || w.Remove(e.fd) == nil {
			t.Error("what was refused can be modified or removed")
		}
	}
	for range 3 {
		below.send("x")
		watched.expect("x", false)
	}
	w.reset(beyond[0]) // must not disturb the bit sets either
	below.send("x")
	watched.expect("x", false)

	p, err := poller.Open("select") // its own bell would lie beyond
	if _, ok := errors.AsType[*poller.LimitError](err); !ok {
		t.Errorf("a select poller opened with all low descriptors taken: %v, %v, want a LimitError", p, err)
	}
}
