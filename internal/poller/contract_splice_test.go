package poller_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo/internal/poller"
)

// splices moves bytes from one connection to another. A poller that does not is let off.
func splices(t *testing.T, s subject) {
	w := s.world(t)
	k, ok := w.Poller.(poller.Splicer)
	if !ok {
		t.Skip("this poller is not a Splicer")
	}
	r, wr, err := k.OpenPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.opened(r)
	w.opened(wr)
	from, src := w.pair()
	dst, to := w.pair()
	w.add(src, poller.Read)
	w.add(to, poller.Read)

	// Nothing to move.
	if n, err := k.Splice(src.fd, wr, 1<<20); n != 0 || !bare(err, syscall.EAGAIN) {
		t.Fatalf("Splice from an idle socket: %d, %v, want EAGAIN", n, err)
	}
	if n, err := k.Splice(r, dst.fd, 1<<20); n != 0 || !bare(err, syscall.EAGAIN) {
		t.Fatalf("Splice from an empty pipe: %d, %v, want EAGAIN", n, err)
	}

	// No more than was asked for, and ReadFile gets at what is in the pipe.
	from.send("hello, world")
	w.await(src, poller.Readable)
	if n, err := k.Splice(src.fd, wr, 5); n != 5 || err != nil {
		t.Fatalf("Splice into the pipe: %d, %v", n, err)
	}
	p := make([]byte, 16)
	if n, err := w.ReadFile(r, p[:2]); n != 2 || err != nil || string(p[:2]) != "he" {
		t.Fatalf("ReadFile of the pipe: %q, %v", p[:n], err)
	}
	if n, err := k.Splice(r, dst.fd, 3); n != 3 || err != nil {
		t.Fatalf("Splice out of the pipe: %d, %v", n, err)
	}
	to.expect("llo", true)
	w.await(src, poller.Readable) // level-triggered: there is more
	if n, err := k.Splice(src.fd, wr, 1<<20); n != 7 || err != nil {
		t.Fatalf("Splice of the rest: %d, %v", n, err)
	}
	if n, err := k.Splice(r, dst.fd, 7); n != 7 || err != nil {
		t.Fatalf("Splice out of the pipe: %d, %v", n, err)
	}
	to.expect(", world", true)

	// A socket that takes no more.
	sent, full := 0, false
	for !full {
		from.fill(0)
		n, err := k.Splice(src.fd, wr, 1<<16)
		if bare(err, syscall.EAGAIN) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for n > 0 {
			out, err := k.Splice(r, dst.fd, n)
			if bare(err, syscall.EAGAIN) {
				full = true
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n -= out
			sent += out
		}
	}
	if sent == 0 {
		t.Error("a socket that took nothing is full")
	}

	// The end of the stream, and a peer that has gone.
	from2, src2 := w.pair()
	w.add(src2, poller.Read)
	w.close(from2)
	w.await(src2, poller.Readable)
	if n, err := k.Splice(src2.fd, wr, 1<<20); n != 0 || err != nil {
		t.Errorf("Splice at the end of the stream: %d, %v, want 0, nil", n, err)
	}
	if n, err := w.Recv(src2.fd, p); n != 0 || err != nil {
		t.Errorf("Recv after that: %d, %v, want 0, nil", n, err)
	}
	dst2, to2 := w.pair()
	w.add(dst2, poller.Read)
	w.reset(to2)
	w.await(dst2, poller.Readable)
	_, err = w.Recv(dst2.fd, p)
	if _, more := k.Splice(r, dst2.fd, 1<<16); more != nil {
		err = more
	}
	if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("Splice to a peer that has gone: %v", err)
	}
}
