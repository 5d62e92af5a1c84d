package poller_test

import (
	"bytes"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// readableWithData reads a byte per event: an edge-triggered backend would report once only.
func readableWithData(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	w.quiet(b, poller.Readable)
	for range 3 {
		a.send("rondo")
		b.expect("rondo", true)
		w.quiet(b, poller.Readable) // drained
	}
	a.send("left alone")
	for range 3 {
		w.await(b, poller.Readable) // reported as long as it is not read
	}
	b.expect("left alone", false)
	w.quiet(b, poller.Readable)
	w.calm(5 * time.Millisecond)
}

func readableAtEnd(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	w.quiet(b, poller.Readable)
	w.close(a)
	b.expectEnd()
}

func readableWithConnections(t *testing.T, s subject) {
	w := s.world(t)
	l := w.listen(sock.Options{})
	w.add(l, poller.Read)
	w.quiet(l, poller.Readable)
	const n = 5
	for range n {
		w.connect(l)
	}
	for range n { // one per event, the others are reported again
		w.await(l, poller.Readable)
		fd, _, err := w.Accept(l.fd)
		if err != nil {
			t.Fatalf("Accept of what was reported readable: %v", err)
		}
		w.opened(fd)
	}
	w.quiet(l, poller.Readable)
	if _, _, err := w.Accept(l.fd); !bare(err, syscall.EAGAIN) {
		t.Fatalf("Accept without a pending connection: %v, want EAGAIN", err)
	}
}

func writableUntilFull(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(a, poller.Write)
	w.add(b, 0)
	for range 3 {
		w.await(a, poller.Writable)
	}
	sent := 0
	for w.now(a, poller.Writable) {
		n := a.fill(sent)
		if n == 0 {
			t.Fatal("reported writable, and Send takes nothing")
		}
		sent += n
	}
	w.modify(b, poller.Read)
	p := make([]byte, 64<<10)
	for got := 0; got < sent; {
		w.await(b, poller.Readable)
		n, err := b.recv(p)
		if n <= 0 || err != nil {
			t.Fatalf("Recv: %d, %v, with %d of %d bytes read", n, err, got, sent)
		}
		if !bytes.Equal(p[:n], stretch(got, n)) {
			t.Fatalf("other bytes than were sent, somewhere in %d bytes from %d on", n, got)
		}
		got += n
	}
	w.await(a, poller.Writable)
	if a.fill(sent) == 0 {
		t.Fatal("reported writable again, and Send takes nothing")
	}
}

func bothDirections(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read|poller.Write)
	w.await(b, poller.Writable)
	w.quiet(b, poller.Readable)
	a.send("x")
	w.await(b, poller.Readable)
	for range 3 { // both are known to be ready: every Wait reports both
		events := w.wait(poller.Immediately)
		if !w.found(b, poller.Readable, events) || !w.found(b, poller.Writable, events) {
			t.Fatalf("readable and writable, but reported %+v", events)
		}
	}
	b.send("y") // and the one does not disturb the other
	b.expect("x", false)
	w.await(b, poller.Writable)
	w.quiet(b, poller.Readable)
}

func interestChanges(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, 0)
	a.send("one")
	w.modify(b, poller.Read) // came while nothing was wanted
	w.await(b, poller.Readable)

	w.modify(b, poller.Write) // unread data, and reading no longer wanted
	w.await(b, poller.Writable)
	w.quiet(b, poller.Readable)

	w.modify(b, 0)
	w.quiet(b, poller.Readable|poller.Writable)
	w.modify(b, poller.Read|poller.Write)
	w.await(b, poller.Writable)
	w.await(b, poller.Readable)
	w.modify(b, poller.Read)
	w.quiet(b, poller.Writable)
	b.expect("one", true)
	w.quiet(b, poller.Readable)

	for range 100 { // back and forth while bytes arrive
		w.modify(b, 0)
		a.send("more")
		w.modify(b, poller.Write)
		w.modify(b, poller.Read)
		b.expect("more", false)
	}

	old := *b
	b.token = w.newToken()
	w.modify(b, poller.Read) // under a new token
	a.send("x")
	w.await(b, poller.Readable)
	w.quiet(&old, poller.Readable)
}

// nothingWanted counts: data and room that nobody wants to hear of must not make Wait return.
func nothingWanted(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(a, 0)
	w.add(b, 0)
	a.send("unread")
	if n, events := w.returns(5 * time.Millisecond); n > few || len(events) > 0 {
		t.Fatalf("nothing was wanted and Wait returned %d times with %+v", n, events)
	}
	w.modify(b, poller.Read)
	b.expect("unread", false)
}

func tokensWhole(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	a.send("x")
	for _, token := range []uint64{0, 1, math.MaxInt32, 1 << 31, math.MaxUint32, 1 << 32, 1 << 63, math.MaxUint64} {
		w.known[token] = true
		b.token = token
		if err := w.Add(b.fd, token, poller.Read); err != nil {
			t.Fatal(err)
		}
		w.await(b, poller.Readable)
		if err := w.Remove(b.fd); err != nil {
			t.Fatal(err)
		}
	}
}
