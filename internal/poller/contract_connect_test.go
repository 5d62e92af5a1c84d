package poller_test

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

func connected(t *testing.T, s subject) {
	w := s.world(t)
	l := w.listen(sock.Options{})
	w.add(l, poller.Read)
	c := w.connect(l)
	w.add(c, poller.Write)
	w.await(c, poller.Writable)
	if err := w.SocketError(c.fd); err != nil {
		t.Fatalf("SocketError of an established connection: %v", err)
	}
	if got, want := w.PeerAddr(c.fd).String(), w.LocalAddr(l.fd).String(); got != want {
		t.Fatalf("connected to %s, want %s", got, want)
	}
	a := w.accept(l)
	w.add(a, poller.Read)
	c.send("hello")
	a.expect("hello", false)
}

func refused(t *testing.T, s subject) {
	w := s.world(t)
	l := w.listen(sock.Options{})
	addr := w.LocalAddr(l.fd)
	w.close(l)
	for _, want := range []poller.Interest{poller.Write, poller.Read | poller.Write} {
		fd, err := w.Connect(addr, nil)
		if errors.Is(err, syscall.ECONNREFUSED) && fd == -1 {
			continue // the kernel knew at once
		}
		if !bare(err, syscall.EINPROGRESS) {
			t.Fatalf("Connect: %d, %v", fd, err)
		}
		c := w.opened(fd)
		w.add(c, want)
		w.await(c, poller.Writable)
		if err := w.SocketError(c.fd); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("SocketError: %v, want ECONNREFUSED", err)
		}
		if err := w.SocketError(c.fd); err != nil {
			t.Fatalf("SocketError takes the error, but there it is again: %v", err)
		}
		w.close(c)
	}
}

// connectPending fills a listener's queue, so that the next connection hangs: a backend that
// takes it for connected would be seen to report it writable.
func connectPending(t *testing.T, s subject) {
	w := s.world(t)
	l := w.listen(sock.Options{Backlog: 1})
	for range 4 {
		c := w.connect(l)
		w.add(c, poller.Read|poller.Write)
		ready := false
		for until := w.Now() + int64(5*time.Millisecond); !ready && w.Now() < until; {
			ready = w.found(c, poller.Readable|poller.Writable, w.wait(until))
		}
		if !ready {
			return // pending, and nothing said of it
		}
		if w.PeerAddr(c.fd) == nil {
			t.Fatal("not connected yet and reported ready")
		}
		w.modify(c, 0)
	}
	t.Skip("needs a kernel that takes no more connections than the backlog asks for")
}

func refusedUnix(t *testing.T, s subject) {
	w := s.world(t)
	name := filepath.Join(shortDir(t), "s")
	addr := &net.UnixAddr{Name: name, Net: "unix"}
	if fd, err := w.Connect(addr, nil); fd != -1 || !errors.Is(err, syscall.ENOENT) {
		t.Fatalf("Connect to no file: %d, %v, want -1, ENOENT", fd, err)
	}
	fd, err := w.Listen(addr, sock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.close(w.opened(fd)) // leaves the file
	if fd, err := w.Connect(addr, nil); fd != -1 || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("Connect to a file without a listener: %d, %v, want -1, ECONNREFUSED", fd, err)
	}
}

func fullBacklogUnix(t *testing.T, s subject) {
	s.network = "unix"
	w := s.world(t)
	l := w.listen(sock.Options{Backlog: 1})
	w.add(l, poller.Read)
	for i := 0; ; i++ {
		fd, err := w.Connect(w.LocalAddr(l.fd), nil)
		if err == nil {
			w.opened(fd)
			if i > 100 {
				t.Skip("needs a kernel that takes no more connections than the backlog asks for")
			}
			continue
		}
		if fd != -1 || !bare(err, syscall.EAGAIN) {
			t.Fatalf("Connect to a full backlog: %d, %v, want -1, EAGAIN as it is", fd, err)
		}
		break
	}
	w.accept(l)
	w.connect(l) // there is room again
}

func addresses(t *testing.T, s subject) {
	w := s.world(t)
	l := w.listen(sock.Options{})
	w.add(l, poller.Read)
	c := w.connect(l)
	w.await(l, poller.Readable)
	fd, peer, err := w.Accept(l.fd)
	if err != nil {
		t.Fatal(err)
	}
	a := w.opened(fd)
	if got, want := peer.String(), w.LocalAddr(c.fd).String(); got != want {
		t.Errorf("Accept says the peer is %s, the peer says %s", got, want)
	}
	if got, want := w.PeerAddr(a.fd).String(), peer.String(); got != want {
		t.Errorf("PeerAddr says %s, Accept said %s", got, want)
	}
	if got, want := w.LocalAddr(a.fd).String(), w.LocalAddr(l.fd).String(); got != want {
		t.Errorf("accepted at %s, listening at %s", got, want)
	}
	if addr := w.PeerAddr(l.fd); addr != nil {
		t.Errorf("a listener has a peer: %v", addr)
	}
	w.add(a, poller.Read)
	w.reset(c)
	w.await(a, poller.Readable)
	if _, err := w.Recv(a.fd, make([]byte, 1)); err == nil {
		t.Error("Recv after a reset succeeds")
	}
	if addr := w.PeerAddr(a.fd); addr != nil {
		t.Errorf("reset, and still has a peer: %v", addr)
	}
}

func options(t *testing.T, s subject) {
	w := s.world(t)
	a, _ := w.pair()
	for _, on := range []bool{true, false} {
		if err := w.SetNoDelay(a.fd, on); err != nil {
			t.Errorf("SetNoDelay(%v): %v", on, err)
		}
	}
	for _, idle := range []time.Duration{time.Minute, time.Millisecond, 0} {
		if err := w.SetKeepAlive(a.fd, idle); err != nil {
			t.Errorf("SetKeepAlive(%v): %v", idle, err)
		}
	}
}
