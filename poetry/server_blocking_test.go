package poetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A lockedBuffer is output that a test may read while the server writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// noWait is a Sleep for tests that are not about time.
func noWait(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// serve runs a blocking server until the test ends, and fails the test if it does not end cleanly.
func serve(t *testing.T, o Options) Address {
	t.Helper()
	// Not the test's own context, which ends before the cleanups but after nothing else is left to wait for.
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s, err := ListenBlocking(ctx, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return addressOf(s.Addr())
}

func addressOf(a net.Addr) Address {
	tcp := a.(*net.TCPAddr)
	return Address{Host: tcp.IP.String(), Port: tcp.Port}
}

func shortPoem(text string) Options {
	o := DefaultOptions(Source{Name: "poetry/short.txt", Read: func() ([]byte, error) { return []byte(text), nil }})
	o.Sleep = noWait
	return o
}

func TestBlockingServerLines(t *testing.T) {
	var out lockedBuffer
	var waits atomic.Int64
	o := shortPoem("Batter my heart, three-person'd God")
	o.Out = &out
	o.Sleep = func(ctx context.Context, d time.Duration) error {
		if d != o.Delay {
			t.Errorf("waits %v", d)
		}
		waits.Add(1)
		return ctx.Err()
	}
	address := serve(t, o)
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	poem, err := io.ReadAll(conn)
	if err != nil || string(poem) != "Batter my heart, three-person'd God" {
		t.Errorf("got %q, %v", poem, err)
	}
	want := fmt.Sprintf("Serving poetry/short.txt on port %d.\nSomebody at %s wants poetry!\n"+
		"Sending 10 bytes\nSending 10 bytes\nSending 10 bytes\nSending 5 bytes\n", address.Port, conn.LocalAddr())
	if got := out.String(); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
	if waits.Load() != 4 {
		t.Errorf("waited %d times, want after each of 4 pieces", waits.Load())
	}
}

// TestNextClientWaits holds the server in the middle of one poem, and looks whether anybody else gets a line.
func TestNextClientWaits(t *testing.T) {
	var out lockedBuffer
	waiting, goOn := make(chan struct{}), make(chan struct{})
	o := shortPoem("0123456789abcdefghij")
	o.Out = &out
	o.Sleep = func(ctx context.Context, _ time.Duration) error {
		select {
		case waiting <- struct{}{}:
		case <-ctx.Done():
		}
		select {
		case <-goOn:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	address := serve(t, o)
	var conns [2]net.Conn
	for i := range conns {
		var err error
		if conns[i], err = net.Dial("tcp", address.String()); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
	}
	<-waiting
	if n := strings.Count(out.String(), "Somebody"); n != 1 {
		t.Errorf("%d clients are served at a time", n)
	}
	goOn <- struct{}{}
	<-waiting
	goOn <- struct{}{}
	<-waiting // the second client's first piece
	if n := strings.Count(out.String(), "Somebody"); n != 2 {
		t.Errorf("%d clients were served, want 2", n)
	}
	// The cleanup ends the server here, in mid-poem.
}

func TestListenBlockingRefuses(t *testing.T) {
	address := serve(t, shortPoem("x"))
	o := shortPoem("x")
	o.Port = address.Port
	if _, err := ListenBlocking(t.Context(), o); err == nil {
		t.Error("two servers listen on one port")
	}
	o.NumBytes = 0
	if _, err := ListenBlocking(t.Context(), o); err == nil {
		t.Error("serves pieces of no bytes")
	}
}

// exhausted is a listener of a process that has no descriptors for a while, twice.
type exhausted struct {
	net.Listener
	calls int
}

func (l *exhausted) Accept() (net.Conn, error) {
	switch l.calls++; l.calls {
	case 1, 2, 3, 5, 6:
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	case 4:
		client, server := net.Pipe()
		_ = client.Close()
		return server, nil
	}
	return nil, net.ErrClosed
}

// TestOutOfDescriptorsIsSaid once for each time, and not for each attempt.
func TestOutOfDescriptorsIsSaid(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	var log lockedBuffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	s, err := ListenBlocking(t.Context(), shortPoem("x"))
	if err != nil {
		t.Fatal(err)
	}
	s.listener = &exhausted{Listener: s.listener}
	if err := s.Serve(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "accepting is paused"); n != 2 || !strings.Contains(log.String(), syscall.EMFILE.Error()) {
		t.Errorf("said %d times, want 2:\n%s", n, log.String())
	}
}

func TestCloseEndsServe(t *testing.T) {
	s, err := ListenBlocking(t.Context(), shortPoem("x"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(t.Context()) }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
