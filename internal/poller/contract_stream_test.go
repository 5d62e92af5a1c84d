package poller_test

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

func (e *end) closeWrite() {
	e.w.t.Helper()
	if err := e.w.CloseWrite(e.fd); err != nil {
		e.w.t.Fatalf("CloseWrite: %v", err)
	}
}

func peerHalfCloses(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(a, poller.Read)
	w.add(b, poller.Read)
	a.closeWrite()
	b.expectEnd()
	for range 3 { // our direction is still open
		b.send("still here")
		a.expect("still here", false)
	}
	w.modify(b, poller.Write)
	w.await(b, poller.Writable)
}

func weHalfClose(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(a, poller.Read)
	w.add(b, poller.Read)
	a.closeWrite()
	w.quiet(a, poller.Readable) // it ends what we send, not what we receive
	if _, err := w.Send(a.fd, []byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("Send after CloseWrite: %v, want EPIPE", err)
	}
	b.send("still here")
	a.expect("still here", true)
	b.expectEnd()
}

// dataThenEnd lets the end arrive together with more data than one Recv takes.
func dataThenEnd(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	const size = 32 << 10
	a.send(string(stretch(0, size)))
	a.closeWrite()
	var got []byte
	p := make([]byte, 1000)
	for {
		w.await(b, poller.Readable)
		n, err := b.recv(p)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		got = append(got, p[:n]...)
	}
	if !bytes.Equal(got, stretch(0, size)) {
		t.Fatalf("%d bytes before the end, or other ones, want %d", len(got), size)
	}
	b.expectEnd()
}

func hangUp(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read|poller.Write)
	b.closeWrite()
	w.close(a)
	b.expectEnd()
	w.await(b, poller.Writable) // so that a writer finds out
	w.modify(b, poller.Write)
	w.await(b, poller.Writable)
	if _, err := w.Send(b.fd, []byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("Send: %v, want EPIPE", err)
	}
}

func resetWhileReading(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	w.reset(a)
	w.await(b, poller.Readable)
	if n, err := b.recv(make([]byte, 16)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("Recv after a reset: %d, %v, want ECONNRESET", n, err)
	}
}

func resetWhileWriting(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Write)
	for sent := 0; w.now(b, poller.Writable); {
		sent += b.fill(sent)
	}
	w.reset(a) // nobody will ever read that: without the error it would not become writable
	w.await(b, poller.Writable)
	if _, err := w.Send(b.fd, []byte("x")); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("Send after a reset: %v, want ECONNRESET or EPIPE", err)
	}
}

// atMostOnce fails if what happened to an end of which nothing is wanted is reported again and
// again, which a kernel that reports errors unasked would do.
func (w *world) atMostOnce(e *end) {
	w.t.Helper()
	reports := 0
	n, events := w.returns(10 * time.Millisecond)
	for _, event := range events {
		if event.Token == e.token {
			reports++
		}
	}
	if n > few || reports > 1 {
		w.t.Fatalf("Wait returned %d times, %d times with the end of which nothing is wanted; at most once is allowed",
			n, reports)
	}
}

func resetWhileNothingWanted(t *testing.T, s subject) {
	w := s.world(t)
	_, earlier := w.pair()
	w.add(earlier, poller.Read)
	a, b := w.pair()
	w.add(b, 0)
	w.reset(a)
	w.atMostOnce(b)
	w.modify(b, poller.Read)
	w.await(b, poller.Readable)
	w.modify(b, 0)
	w.atMostOnce(b)
	w.close(earlier) // a backend that keeps a list moves another into its place
	w.modify(b, poller.Write)
	w.await(b, poller.Writable)
	if err := w.SocketError(b.fd); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("SocketError after a reset: %v, want ECONNRESET", err)
	}
	if err := w.SocketError(b.fd); err != nil {
		t.Fatalf("SocketError takes the error, but there it is again: %v", err)
	}
	w.close(b) // may have been muted: leaving must work all the same
	c, d := w.pair()
	w.add(d, poller.Read)
	c.send("x")
	d.expect("x", false)
}

func hangUpWhileNothingWanted(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, 0)
	a.send("last words")
	b.closeWrite()
	w.close(a)
	w.atMostOnce(b)
	w.modify(b, poller.Read)
	b.expect("last words", true)
	b.expectEnd()
	w.modify(b, 0)
	w.atMostOnce(b)
	if err := w.Remove(b.fd); err != nil {
		t.Fatalf("Remove: %v", err)
	}
}

func sendAfterReset(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	w.reset(a)
	w.await(b, poller.Readable)
	for i := range 3 { // on Linux the first takes the error and the others find the pipe broken
		_, err := w.Send(b.fd, []byte("x"))
		if !errors.Is(err, syscall.EPIPE) && (i > 0 || !errors.Is(err, syscall.ECONNRESET)) {
			t.Fatalf("Send %d after a reset: %v, want ECONNRESET once and EPIPE", i, err)
		}
	}
}

func againIsBare(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	if n, err := w.Recv(b.fd, make([]byte, 1)); n != 0 || !bare(err, syscall.EAGAIN) {
		t.Fatalf("Recv of nothing: %d, %v, want 0 and EAGAIN as it is", n, err)
	}
	if n := a.fill(0); n == 0 {
		t.Fatal("a new connection takes nothing")
	}
	if n, err := w.Send(a.fd, pattern[:1<<16]); err != nil && (n != 0 || !bare(err, syscall.EAGAIN)) {
		t.Fatalf("Send into a full buffer: %d, %v, want 0 and EAGAIN as it is", n, err)
	}
}
