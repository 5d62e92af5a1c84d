package poetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// A lineWaiter is output that a test waits for.
type lineWaiter struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func newLineWaiter() *lineWaiter { return &lineWaiter{changed: make(chan struct{})} }

func (w *lineWaiter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
	return w.b.Write(p)
}

// await waits until the output contains want, and returns all of it.
func (w *lineWaiter) await(t *testing.T, want string) string {
	t.Helper()
	over := time.After(patience)
	for {
		w.mu.Lock()
		text, changed := w.b.String(), w.changed
		w.mu.Unlock()
		if strings.Contains(text, want) {
			return text
		}
		select {
		case <-changed:
		case <-over:
			t.Fatalf("%q did not come, only\n%s", want, text)
		}
	}
}

func newEngine(t *testing.T, loops int) *rondo.Engine {
	t.Helper()
	e, err := rondo.New(rondo.Config{Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// serveAsync runs an asynchronous server until the test ends.
func serveAsync(t *testing.T, o Options) Address {
	t.Helper()
	s, err := ListenAsync(newEngine(t, 2), o)
	if err != nil {
		t.Fatal(err)
	}
	return addressOf(s.Addr())
}

func dial(t *testing.T, a Address) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", a.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

func TestAsyncServerLines(t *testing.T) {
	out := newLineWaiter()
	o := atOnce("Batter my heart, three-person'd God")
	o.Out = out
	address := serveAsync(t, o)
	conn := dial(t, address)
	expect(t, conn, "Batter my heart, three-person'd God")
	want := fmt.Sprintf("Serving poetry/short.txt on port %d.\nSomebody at %s wants poetry!\n"+
		"Sending 10 bytes\nSending 10 bytes\nSending 10 bytes\nSending 5 bytes\n", address.Port, conn.LocalAddr())
	if got := out.await(t, "Sending 5 bytes\n"); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

// TestNobodyWaitsForAnother: with an endless pause after the first piece, everybody has had theirs.
func TestNobodyWaitsForAnother(t *testing.T) {
	o := shortPoem("0123456789abcdefghij")
	o.Delay = time.Hour
	address := serveAsync(t, o)
	for range 5 {
		expect(t, dial(t, address), "0123456789")
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	out := newLineWaiter()
	o := shortPoem("0123456789abcdefghij")
	o.Out, o.Delay, o.Connections = out, time.Hour, 2
	address := serveAsync(t, o)
	first, second, third := dial(t, address), dial(t, address), dial(t, address)
	expect(t, first, "0123456789")
	expect(t, second, "0123456789")
	if n := strings.Count(out.await(t, fmt.Sprintf("Somebody at %s wants", second.LocalAddr())), "Somebody"); n != 2 {
		t.Errorf("%d clients are served at a time, at most 2 were wanted", n)
	}
	// A reset is noticed at once, while a mere end of the client's direction would not be before the next piece.
	if err := errors.Join(first.(*net.TCPConn).SetLinger(0), first.Close()); err != nil {
		t.Fatal(err)
	}
	expect(t, third, "0123456789")
}

// TestClientThatReadsSlowly: pieces of many times what may be buffered arrive whole, and those that are not read are not
// sent.
func TestClientThatReadsSlowly(t *testing.T) {
	text := strings.Repeat("If yet I have not all thy love. ", 1<<20) // 32 MiB, twice the engine's hard limit
	o := atOnce(text)
	o.NumBytes = len(text)
	conn := dial(t, serveAsync(t, o))
	sum := 0
	buf := make([]byte, 256<<10)
	for {
		n, err := conn.Read(buf)
		if !strings.HasPrefix(text[sum:], string(buf[:n])) {
			t.Fatalf("after %d bytes comes what should not", sum)
		}
		if sum += n; err != nil {
			break
		}
	}
	if sum != len(text) {
		t.Errorf("got %d bytes of %d", sum, len(text))
	}
}

// TestShutdownLetsPoemsEnd: and what its context cuts off is reset, so that no part passes for the whole.
func TestShutdownLetsPoemsEnd(t *testing.T) {
	for _, cut := range []bool{false, true} {
		e := newEngine(t, 1)
		o := shortPoem("0123456789abcdefghij")
		o.Delay = time.Millisecond
		if cut {
			o.Delay = time.Hour
		}
		s, err := ListenAsync(e, o)
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, addressOf(s.Addr()))
		expect(t, conn, "0123456789")
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if cut {
			cancel()
		}
		err = e.Shutdown(ctx)
		cancel()
		rest, readErr := io.ReadAll(conn)
		if cut {
			if err == nil || readErr == nil {
				t.Errorf("cut off: Shutdown says %v, the client gets %q and %v", err, rest, readErr)
			}
		} else if err != nil || readErr != nil || string(rest) != "abcdefghij" {
			t.Errorf("Shutdown says %v, the client gets %q and %v", err, rest, readErr)
		}
	}
}

// stuckOutput is a terminal whose user has pressed Ctrl-S, until it is let go.
type stuckOutput struct {
	lineWaiter
	letGo chan struct{}
}

func (o *stuckOutput) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, []byte("Serving")) {
		<-o.letGo
	}
	return o.lineWaiter.Write(p)
}

// TestStuckOutput does not hold the server up. What is too much is left out, in whole lines, and the rest comes later.
func TestStuckOutput(t *testing.T) {
	out := &stuckOutput{*newLineWaiter(), make(chan struct{})}
	release := sync.OnceFunc(func() { close(out.letGo) })
	e := newEngine(t, 1)
	defer release() // before the engine waits for it
	o := atOnce(strings.Repeat("x", 1000))
	o.NumBytes, o.Out = 1, out
	s, err := ListenAsync(e, o)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, dial(t, addressOf(s.Addr())), strings.Repeat("x", 1000))
	for range maxGatheredBytes / len("Sending 99 bytes\n") {
		s.say.sending(99)
	}
	release()
	text := out.await(t, "lines are missing here: they came faster than they were read.)\n")
	if n := strings.Count(text, "Sending 1 bytes\n"); n != 1000 {
		t.Errorf("%d of the first 1000 lines were kept", n)
	}
	said := 0
	missing := text[strings.LastIndex(text, "(")+1:]
	if _, err := fmt.Sscanf(missing, "%d lines", &said); err != nil || said+strings.Count(text, "Sending 99 bytes\n") != maxGatheredBytes/17 {
		t.Errorf("%d lines came and %d are said to be missing, %v", strings.Count(text, "Sending 99 bytes\n"), said, err)
	}
	s.say.sending(7)
	out.await(t, "Sending 7 bytes\n")
}

func TestListenAsyncRefuses(t *testing.T) {
	e := newEngine(t, 1)
	o := atOnce("x")
	o.Port = serveAsync(t, o).Port
	if _, err := ListenAsync(e, o); err == nil {
		t.Error("two servers listen on one port")
	}
	o.NumBytes = 0
	if _, err := ListenAsync(e, o); err == nil {
		t.Error("serves pieces of no bytes")
	}
}

// A poem that has stalled is not whole, so its connection does not end in good order when the server shuts down: the client would take the part for
// the whole.
func TestStalledPoemIsResetAtShutdown(t *testing.T) {
	o := atOnce("0123456789abcdefghij")
	o.StallAfter = AfterBytes(10)
	e := newEngine(t, 1)
	s, err := ListenAsync(e, o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after the shutdown: %d bytes, %v", n, err)
	}
}
