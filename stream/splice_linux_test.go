package stream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// noise is n bytes that differ.
func noise(n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(p)
	return p
}

// tunnel is a proxy whose one connection of each kind is relayed by Copy or Relay; near and far are its peers.
func tunnel(t *testing.T, relay func(t *task.Task, client, server *stream.Stream) error) (e *rondo.Engine, near, far *net.TCPConn, done chan error) {
	t.Helper()
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	done = make(chan error, 1)
	if e, err = rondo.New(rondo.Config{Loops: 1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	ln, err := e.Listen("tcp", "127.0.0.1:0", stream.Handle(func(t *task.Task, client *stream.Stream) error {
		server, err := stream.Dial(t, "tcp", target.Addr().String())
		if err == nil {
			err = relay(t, client, server)
			server.Close()
		}
		done <- err
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	near, far = c.(*net.TCPConn), s.(*net.TCPConn)
	for _, p := range []net.Conn{near, far} {
		p.SetDeadline(time.Now().Add(30 * time.Second))
	}
	return e, near, far, done
}

// Bulk in both directions arrives whole, though most of it never leaves the kernel, and so do the ends.
func TestRelayBulk(t *testing.T) {
	const size = 32 << 20
	there, back := noise(size), noise(size/2)
	var counted [2]atomic.Int64
	_, near, far, done := tunnel(t, func(t *task.Task, client, server *stream.Stream) error {
		a, b, err := stream.Relay(t, client, server)
		counted[0].Store(a)
		counted[1].Store(b)
		return err
	})
	send := func(c *net.TCPConn, p []byte) {
		if _, err := c.Write(p); err != nil {
			t.Error(err)
		}
		c.CloseWrite()
	}
	receive := func(c *net.TCPConn, want []byte, ok chan<- struct{}) {
		h := sha256.New()
		n, err := io.Copy(h, c)
		if err != nil || n != int64(len(want)) || [32]byte(h.Sum(nil)) != sha256.Sum256(want) {
			t.Errorf("%d of %d bytes, %v, or not the same", n, len(want), err)
		}
		close(ok)
	}
	go send(near, there)
	go send(far, back)
	gotThere, gotBack := make(chan struct{}), make(chan struct{})
	go receive(far, there, gotThere)
	go receive(near, back, gotBack)
	<-gotThere
	<-gotBack
	if err := <-done; err != nil {
		t.Error(err)
	}
	if a, b := counted[0].Load(), counted[1].Load(); a != size || b != size/2 {
		t.Errorf("counted %d and %d", a, b)
	}
}

// A copy that is cancelled in the midst of bulk has written what it has read, and the stream goes on behind that.
func TestCopyBulkCancelled(t *testing.T) {
	const size = 8 << 20
	data := noise(size)
	cancel := make(chan func(), 1)
	cancelled := make(chan struct{})
	_, near, far, done := tunnel(t, func(t *task.Task, client, server *stream.Stream) error {
		var n int64
		copying := task.Spawn(t, func(t *task.Task) (_ int, err error) {
			n, err = stream.Copy(t, server, client)
			return 0, err
		})
		cancel <- func() { t.Loop().Post(func() { copying.Cancel(errEnough) }) }
		_, err := task.Await(t, copying)
		close(cancelled)
		if !errors.Is(err, errEnough) || n != size/2 {
			return fmt.Errorf("cancelled after %d bytes: %w", n, err)
		}
		rest, err := stream.Copy(t, server, client)
		if n+rest != size {
			return fmt.Errorf("it counts %d and %d bytes", n, rest)
		}
		return err
	})
	go near.Write(data[:size/2])
	got := make([]byte, size)
	if _, err := io.ReadFull(far, got[:size/2]); err != nil {
		t.Fatal(err)
	}
	(<-cancel)()
	<-cancelled
	go func() {
		near.Write(data[size/2:])
		near.CloseWrite()
	}()
	if _, err := io.ReadFull(far, got[size/2:]); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%v, or not the same", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// While a copy has the stream nobody else reads it.
func TestCopyBulkIsBusy(t *testing.T) {
	ask := make(chan func(), 1)
	busy := make(chan error, 1)
	_, near, far, done := tunnel(t, func(t *task.Task, client, server *stream.Stream) error {
		ask <- func() {
			task.Go(t.Loop(), func(t *task.Task) (int, error) {
				_, err := client.Next(t, 1)
				busy <- err
				return 0, nil
			})
		}
		_, err := stream.Copy(t, server, client)
		return err
	})
	go near.Write(noise(1 << 20))
	if _, err := io.CopyN(io.Discard, far, 1<<20); err != nil {
		t.Fatal(err)
	}
	(<-ask)()
	if err := <-busy; !errors.Is(err, stream.ErrBusy) {
		t.Errorf("the second reader is told %v", err)
	}
	near.CloseWrite()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The engine's shutdown lets what has arrived through, and ends the copy.
func TestCopyBulkShutdown(t *testing.T) {
	e, near, far, done := tunnel(t, func(t *task.Task, client, server *stream.Stream) error {
		_, err := stream.Copy(t, server, client)
		return err
	})
	data := noise(4 << 20)
	if _, err := near.Write(data[:1<<20]); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1<<20)
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !bytes.Equal(got, data[:1<<20]) {
		t.Error("not the same")
	}
}
