package rondo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// pipes makes connected pairs: both ends are rondo's, or one is package net's.
func pipes(t testing.TB, network, ends string, closeTimeout time.Duration) nettest.MakePipe {
	return func() (c1, c2 net.Conn, stop func(), err error) {
		// Two ends that are closed while neither reads wait for each other until then.
		e := newTestEngine(t, rondo.Config{Loops: 2, CloseTimeout: closeTimeout})
		address := "127.0.0.1:0"
		if network == "unix" {
			dir, err := os.MkdirTemp("", "rondo") //nolint:usetesting // t.TempDir is too long for a socket's name
			if err != nil {
				return nil, nil, nil, err
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			address = filepath.Join(dir, "s")
		}
		var ln net.Listener
		if ends == "rondo dials" {
			ln, err = net.Listen(network, address)
		} else {
			ln, err = e.ListenNet(network, address)
		}
		if err != nil {
			return nil, nil, nil, err
		}
		accepted := make(chan net.Conn, 1)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				t.Error(err)
			}
			accepted <- c
		}()
		if ends == "rondo accepts" {
			c1, err = net.Dial(network, ln.Addr().String())
		} else {
			c1, err = e.DialContext(t.Context(), network, ln.Addr().String())
		}
		if err != nil {
			return nil, nil, nil, err
		}
		c2 = rig.Await(t, accepted)
		return c1, c2, func() {
			c1.Close()
			c2.Close()
			ln.Close()
			if err := e.Shutdown(context.WithoutCancel(t.Context())); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		}, nil
	}
}

func pipe(t testing.TB, network, ends string) (c1, c2 net.Conn) {
	t.Helper()
	c1, c2, stop, err := pipes(t, network, ends, 0)()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return c1, c2
}

func TestNetConn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, ends := range []string{"rondo", "rondo dials", "rondo accepts"} {
			t.Run(network+" "+ends, func(t *testing.T) {
				t.Parallel() // they spend their time waiting for deadlines
				nettest.TestConn(t, pipes(t, network, ends, 2*time.Second))
			})
		}
	}
}

func TestNetConnAddrs(t *testing.T) {
	c1, c2 := pipe(t, "tcp", "rondo")
	for range 2 {
		if c1.LocalAddr().String() != c2.RemoteAddr().String() || c1.RemoteAddr().String() != c2.LocalAddr().String() {
			t.Errorf("%v to %v, and %v to %v", c1.LocalAddr(), c1.RemoteAddr(), c2.LocalAddr(), c2.RemoteAddr())
		}
		c1.Close() // they are known after the end
	}
}

func TestNetConnCloseWrite(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		c1, c2 := pipe(t, network, "rondo")
		half := c1.(interface{ CloseWrite() error })
		rig.Send(t, c1, strings.Repeat("a question ", 10_000))
		for range 2 {
			if err := half.CloseWrite(); err != nil {
				t.Error(err)
			}
		}
		if _, err := c1.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after CloseWrite: %v", err)
		}
		if got := rig.Rest(t, c2); len(got) != 110_000 {
			t.Errorf("%d bytes came", len(got))
		}
		rig.Send(t, c2, "an answer")
		rig.Expect(t, c1, "an answer")
		c2.Close()
		if got := rig.Rest(t, c1); len(got) > 0 {
			t.Errorf("then came %q", got)
		}
		c1.Close()
		if err := half.CloseWrite(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("CloseWrite after Close: %v", err)
		}
	}
}

func TestNetConnDeadlines(t *testing.T) {
	c1, c2 := pipe(t, "tcp", "rondo")
	timedOut := func(what string, err error) {
		t.Helper()
		var ne net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("%s: %v", what, err)
		}
	}
	set := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	buf := make([]byte, 100)
	set(c1.SetReadDeadline(time.Unix(1, 0)))
	_, err := c1.Read(buf)
	timedOut("Read past its deadline", err)
	rig.Send(t, c1, "writing goes on")
	rig.Expect(t, c2, "writing goes on")
	set(c1.SetReadDeadline(time.Time{}))
	rig.Send(t, c2, "cleared")
	rig.Expect(t, c1, "cleared")

	// A deadline that is set while a Read waits ends it; so does one that passes.
	result := make(chan error, 1)
	read := func() {
		_, err := c1.Read(make([]byte, 1))
		result <- err
	}
	go read()
	set(c1.SetDeadline(time.Unix(1, 0)))
	timedOut("Read", rig.Await(t, result))
	_, err = c1.Write([]byte("x"))
	timedOut("Write past its deadline", err)
	set(c1.SetDeadline(time.Now().Add(10 * time.Millisecond)))
	go read()
	timedOut("Read until its deadline", rig.Await(t, result))

	// Moved back, then nearer: the nearer one counts.
	set(c1.SetReadDeadline(time.Now().Add(time.Hour)))
	go read()
	set(c1.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
	timedOut("Read with a nearer deadline", rig.Await(t, result))

	// Moved on before it passes: the Read waits on.
	set(c1.SetReadDeadline(time.Now().Add(20 * time.Millisecond)))
	set(c1.SetReadDeadline(time.Now().Add(rig.Patience)))
	late := time.NewTimer(40 * time.Millisecond)
	go read()
	<-late.C
	rig.Send(t, c2, "!")
	if err := rig.Await(t, result); err != nil {
		t.Errorf("Read with a deadline that was moved on: %v", err)
	}
	set(c1.SetDeadline(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))
	rig.Send(t, c2, "?")
	rig.Expect(t, c1, "?")
	c1.Close()
	for _, err := range []error{c1.SetDeadline(time.Time{}), c1.SetReadDeadline(time.Now()), c1.SetWriteDeadline(time.Now())} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("setting a deadline after Close: %v", err)
		}
	}
}

// Moving a deadline on, as many programs do before each Read, does not ask the loop to come.
func TestNetConnDeadlineIsCheap(t *testing.T) {
	c1, _ := pipe(t, "tcp", "rondo")
	deadline := time.Now().Add(time.Minute)
	if err := c1.SetReadDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		deadline = deadline.Add(time.Millisecond)
		_ = c1.SetReadDeadline(deadline)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNetConnWriteDeadline(t *testing.T) {
	c1, c2 := pipe(t, "tcp", "rondo accepts") // c1 is plain and does not read
	if err := c2.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	written := 0
	for chunk := make([]byte, 100_000); ; {
		n, err := c2.Write(chunk)
		if written += n; err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Write: %v", err)
			}
			break
		}
	}
	if err := c2.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = c2.Write([]byte("the end"))
		c2.Close()
	}()
	// What Write said that it took arrives.
	if got := rig.Rest(t, c1); len(got) != written+len("the end") {
		t.Errorf("%d bytes of %d came", len(got), written)
	}
}

func TestNetConnCloseUnblocks(t *testing.T) {
	c1, _ := pipe(t, "tcp", "rondo dials") // the other end neither reads nor writes
	results := make(chan error, 12)
	var begun sync.WaitGroup
	for range 6 {
		begun.Add(2)
		go func() {
			begun.Done()
			_, err := c1.Read(make([]byte, 1))
			results <- err
		}()
		go func() {
			begun.Done()
			_, err := c1.Write(make([]byte, 32<<20))
			results <- err
		}()
	}
	begun.Wait()
	c1.Close()
	for range cap(results) {
		if err := rig.Await(t, results); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
	if err := c1.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close again: %v", err)
	}
}

// The peer's end and the engine's are told apart.
func TestNetConnLost(t *testing.T) {
	c1, c2 := pipe(t, "tcp", "rondo dials")
	if err := c2.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	c2.Close()
	_, err := c1.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.As(err, &op) || op.Net != "tcp" || op.Addr == nil {
		t.Errorf("after a reset: %v", err)
	}

	e := newTestEngine(t, rondo.Config{})
	c, err := e.DialContext(t.Context(), "tcp", e.serve(newEcho))
	if err != nil {
		t.Fatal(err)
	}
	roundTrip(t, c, "hello")
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Read: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Write: %v", err)
	}
	if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Errorf("SetDeadline: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestNetConnBothWays(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		c1, c2 := pipe(t, network, "rondo")
		size := 20 << 20
		if testing.Short() {
			size = 2 << 20
		}
		var transfers sync.WaitGroup
		for _, way := range []struct {
			from, to net.Conn
			seed     byte
		}{{c1, c2, 1}, {c2, c1, 2}} {
			data := make([]byte, size)
			for i := range data {
				data[i] = byte(i>>8) * way.seed
			}
			transfers.Go(func() {
				if n, err := way.from.Write(data); n != size || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
			})
			transfers.Go(func() {
				got := make([]byte, size)
				if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, data) {
					t.Errorf("read something else (%v)", err)
				}
			})
		}
		transfers.Wait()
	}
}

// One Write is never torn apart by another.
func TestNetConnManyGoroutines(t *testing.T) {
	c1, c2 := pipe(t, "tcp", "rondo")
	const writers, each, size = 20, 20, 10_000
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for range each {
				if _, err := c1.Write(bytes.Repeat([]byte{byte(w)}, size)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { group.Wait(); c1.Close() }()
	got := rig.Rest(t, c2)
	if len(got) != writers*each*size {
		t.Fatalf("%d bytes came", len(got))
	}
	for ; len(got) > 0; got = got[size:] {
		if bytes.Count(got[:size], got[:1]) != size {
			t.Fatal("a Write was torn apart")
		}
	}
}

func TestNetConnDuringShutdown(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	addr := e.serve(newEcho)
	other := newTestEngine(t, rondo.Config{})
	c, err := other.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := other.shutdown(t.Context())
	roundTrip(t, c, "it stays until its user closes it")
	c.Close()
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
}

// A net.Conn's writer waits, whatever limits the engine's protocols have.
func TestNetConnSmallLimit(t *testing.T) {
	e := newTestEngine(t, rondo.Config{WriteLow: 1 << 10, WriteHigh: 4 << 10, WriteLimit: 16 << 10})
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peer := rig.Dial(t, ln.Addr().String())
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 16<<20))
		c.Close()
		written <- err
	}()
	if got := rig.Rest(t, peer); len(got) != 16<<20 {
		t.Errorf("%d bytes came", len(got))
	}
	if err := rig.Await(t, written); err != nil {
		t.Error(err)
	}
}

// A net.Conn with SetLinger(0) resets the connection when it is closed, and what the other side then gets
// names its own call and addresses, not the engine's.
func TestNetConnReset(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := e.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := ours.(interface{ SetLinger(seconds int) error }).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := ours.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other side reads %v, not a reset", err)
	}
	_, err = theirs.Write([]byte("x"))
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "write" || op.Source == nil || op.Addr == nil || strings.Count(err.Error(), "tcp") != 1 {
		t.Errorf("Write after it says %v", err)
	}
	theirs.Close()
}
