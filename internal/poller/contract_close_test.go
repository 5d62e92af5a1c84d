package poller_test

import (
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// batch waits until one look finds all of these readable, and returns that batch.
func (w *world) batch(ends ...*end) []poller.Event {
	w.t.Helper()
	for _, e := range ends {
		w.await(e, poller.Readable)
	}
	events := w.wait(poller.Immediately)
	for _, e := range ends {
		if !w.found(e, poller.Readable, events) {
			w.t.Fatalf("descriptor %d is ready and not in the batch %+v", e.fd, events)
		}
	}
	return events
}

// closeWithinBatch does what a loop's callback may do: it closes a connection whose event it
// has yet to come to, and opens another, which the kernel gives the same number.
func closeWithinBatch(t *testing.T, s subject) {
	w := s.world(t)
	a1, b1 := w.pair()
	a2, b2 := w.pair()
	w.add(b1, poller.Read|poller.Write)
	w.add(b2, poller.Read|poller.Write)
	a1.send("x")
	a2.send("x")
	w.connect(w.listener)
	events := w.batch(b1, b2, w.listener)

	old := *b2
	w.close(b2)
	fd, _, err := w.Accept(w.listener.fd)
	if err != nil {
		t.Fatal(err)
	}
	fresh := w.opened(fd)
	if fresh.fd != old.fd {
		t.Logf("the kernel gave %d and not %d again: this tests less than it could", fresh.fd, old.fd)
	}
	w.add(fresh, poller.Read)
	if !w.found(&old, poller.Readable, events) || w.found(fresh, poller.Readable|poller.Writable, events) {
		t.Fatalf("the batch in hand must keep the old token: %+v", events)
	}
	for range 3 {
		for _, e := range w.wait(poller.Immediately) {
			switch e.Token {
			case fresh.token:
				t.Fatal("an event of the old descriptor came under the new one's token")
			case old.token:
				t.Fatal("an event of a closed descriptor, found after it was closed")
			}
		}
	}
	b1.expect("x", false) // the others go on
	w.modify(fresh, poller.Read|poller.Write)
	w.await(fresh, poller.Writable)
}

// removeWithinBatch checks the same without the kernel's part: the number stays, the token changes.
func removeWithinBatch(t *testing.T, s subject) {
	w := s.world(t)
	a1, b1 := w.pair()
	a2, b2 := w.pair()
	w.add(b1, poller.Read)
	w.add(b2, poller.Read)
	a1.send("x")
	a2.send("x")
	events := w.batch(b1, b2)
	old := *b2
	if err := w.Remove(b2.fd); err != nil {
		t.Fatal(err)
	}
	w.add(b2, poller.Read)
	for _, e := range events { // the batch in hand keeps what was found under the old token
		if e.Token == b2.token {
			t.Fatal("an event of before carries the token of after")
		}
	}
	if !w.found(&old, poller.Readable, events) {
		t.Fatal("the event in hand has changed")
	}
	w.await(b2, poller.Readable)
	w.quiet(&old, poller.Readable)
	b2.expect("x", false)
	b1.expect("x", false)
}

func closeUnadded(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.close(a)
	w.reset(b)
	c, d := w.pair() // probably the same numbers
	w.add(d, poller.Read)
	c.send("x")
	d.expect("x", false)
}

func closeDuplicated(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	w.opened(duplicate(t, b.fd)) // as a child process has one that was handed the socket
	a.send("x")
	w.await(b, poller.Readable)
	w.close(b)
	for range 3 {
		w.quiet(b, poller.Readable)
	}
	w.calm(5 * time.Millisecond)
}

func registrationErrors(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	want := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	want("Modify of what was not added", w.Modify(b.fd, 1, poller.Read))
	want("Remove of what was not added", w.Remove(b.fd))
	want("Add of no descriptor", w.Add(-1, 1, poller.Read))
	want("Modify of no descriptor", w.Modify(-1, 1, poller.Read))
	want("Remove of no descriptor", w.Remove(-1))

	w.add(b, poller.Read)
	want("Add of what is added", w.Add(b.fd, w.newToken(), poller.Write))
	a.send("x")
	b.expect("x", false) // under the first registration's token
	w.quiet(b, poller.Writable)

	if err := w.Remove(b.fd); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	a.send("y")
	w.calm(2 * time.Millisecond)
	w.quiet(b, poller.Readable)
	want("Remove of what was removed", w.Remove(b.fd))
	want("Modify of what was removed", w.Modify(b.fd, 1, poller.Read))

	w.add(b, poller.Read)
	b.expect("y", false)
	w.close(b)
	want("Modify of what was closed", w.Modify(b.fd, 1, poller.Read))
	want("Remove of what was closed", w.Remove(b.fd))
	a.expectRegistered()
}

// expectRegistered adds the end and sees that it is watched.
func (e *end) expectRegistered() {
	e.w.t.Helper()
	e.w.add(e, poller.Write)
	e.w.await(e, poller.Writable)
}

// moveToAnother accepts on one poller and serves on another, first before it was added to any,
// then in the middle of its life.
func moveToAnother(t *testing.T, s subject) {
	first := s.world(t)
	second := first.sibling()
	a, b := first.pair()
	second.add(b, poller.Read)
	a.send("x")
	b.expect("x", false)

	a.send("unread")
	second.await(b, poller.Readable)
	if err := second.Remove(b.fd); err != nil {
		t.Fatal(err)
	}
	old := *b
	first.add(b, poller.Read)
	second.quiet(&old, poller.Readable)
	second.calm(2 * time.Millisecond)
	b.expect("unread", true)
	first.close(b)
	second.calm(2 * time.Millisecond)
}

func shutLeavesOpen(t *testing.T, s subject) {
	w := s.world(t)
	other := w.sibling()
	a, b := w.pair()
	other.add(b, poller.Read)
	a.send("x")
	other.await(b, poller.Readable)
	if err := other.Shut(); err != nil {
		t.Fatal(err)
	}
	w.add(b, poller.Read)
	b.expect("x", false)
	b.send("y")
	w.add(a, poller.Read)
	a.expect("y", false)
}
