package poller_test

import (
	"slices"
	"testing"

	"github.com/rondo-go/rondo/internal/poller"
)

// TestEpollAllocatesNothing is about the path that every message takes.
func TestEpollAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("needs a build without the race detector, which allocates for its own bookkeeping")
	}
	s := backendForTest(t, "epoll")
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	buf := make([]byte, 128)
	turn := func() {
		if _, err := w.Send(a.fd, buf); err != nil {
			t.Fatal(err)
		}
		for {
			events, err := w.Wait(poller.Immediately)
			if err != nil {
				t.Fatal(err)
			}
			if len(events) > 0 {
				break
			}
		}
		if _, err := w.Recv(b.fd, buf); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, turn); n != 0 {
		t.Errorf("a turn that finds something allocates %v times", n)
	}
	parked := func() {
		if _, err := w.Wait(w.Now() + 10_000); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, parked); n != 0 {
		t.Errorf("a turn that parks until its deadline allocates %v times", n)
	}
	woken := func() {
		w.Wake()
		if _, err := w.Wait(poller.Forever); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(200, woken); n != 0 {
		t.Errorf("a turn that is woken allocates %v times", n)
	}
	interest := func() {
		_ = w.Modify(b.fd, b.token, poller.Read|poller.Write)
		_ = w.Modify(b.fd, b.token, poller.Read)
	}
	if n := testing.AllocsPerRun(200, interest); n != 0 {
		t.Errorf("changing interest allocates %v times", n)
	}
}

// backendForTest is the named backend, if it is among those to be tested.
func backendForTest(tb testing.TB, name string) subject {
	tb.Helper()
	if !slices.Contains(subjects(tb), name) {
		tb.Skip("needs the poller " + name + ", which this run does not test")
	}
	return subject{func() (poller.Poller, error) { return poller.Open(name) }, "tcp"}
}
