package poller_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

const (
	// patience is how long a test waits for what must happen; only a failing test takes it.
	patience = int64(10 * time.Second)
	// hung is when a Wait that does not even keep its deadline is given up.
	hung = time.Minute
	// few is how often Wait may return without need. A backend that spins gets to thousands.
	few = 10
)

// world is one poller under test and what was opened through it. Every Wait goes through
// [world.wait], which checks what is promised of all batches.
type world struct {
	poller.Poller
	t       testing.TB
	subject subject
	fds     map[int]bool // still open; shared with siblings

	token    uint64
	known    map[uint64]bool   // every token that was ever registered
	bytes    map[uint64][]byte // came with events (Event.Data) and was not read yet
	ended    map[uint64]bool   // the end of the stream came so
	listener *end
}

// end is one end of a connection, or a listener.
type end struct {
	w     *world
	fd    int
	token uint64 // of the last registration
}

// world opens a poller, which is shut, and all sockets opened through it closed, when the test ends.
func (s subject) world(t testing.TB) *world {
	t.Helper()
	w := s.poller(t, map[int]bool{})
	t.Cleanup(func() {
		for fd := range w.fds {
			_ = w.Poller.Reset(fd) // leaves no TIME_WAIT
		}
	})
	return w
}

// sibling opens another poller whose descriptors are closed with w's.
func (w *world) sibling() *world {
	w.t.Helper()
	return w.subject.poller(w.t, w.fds)
}

func (s subject) poller(t testing.TB, fds map[int]bool) *world {
	t.Helper()
	p, err := s.open()
	if err != nil {
		t.Fatal(err)
	}
	name := t.Name()
	watchdog := time.AfterFunc(hung, func() { panic(name + ": hangs") })
	t.Cleanup(func() {
		watchdog.Stop()
		_ = p.Shut()
	})
	return &world{
		Poller: p, t: t, subject: s, fds: fds,
		known: map[uint64]bool{}, bytes: map[uint64][]byte{}, ended: map[uint64]bool{},
	}
}

// wait is Wait with the promises checked that hold for every batch.
func (w *world) wait(until int64) []poller.Event {
	w.t.Helper()
	events, err := w.Wait(until)
	if err != nil {
		w.t.Fatalf("Wait: %v", err)
	}
	if len(events) > poller.MaxEvents {
		w.t.Fatalf("a batch of %d events, and %d is the most", len(events), poller.MaxEvents)
	}
	seen := make(map[uint64]poller.Ready, len(events))
	for _, e := range events {
		switch {
		case !w.known[e.Token]:
			w.t.Fatalf("an event with a token that nobody gave: %#x", e.Token)
		case e.Ready == 0:
			w.t.Fatalf("an event of token %#x without news", e.Token)
		case seen[e.Token]&e.Ready&(poller.Readable|poller.Writable) != 0:
			w.t.Fatalf("token %#x twice in one direction in one batch", e.Token)
		}
		seen[e.Token] |= e.Ready
		if e.Data != nil {
			w.bytes[e.Token] = append(w.bytes[e.Token], e.Data...)
			w.ended[e.Token] = w.ended[e.Token] || len(e.Data) == 0
		}
	}
	return events
}

// now reports whether one look finds the end ready.
func (w *world) now(e *end, want poller.Ready) bool {
	w.t.Helper()
	return w.found(e, want, w.wait(poller.Immediately))
}

func (w *world) found(e *end, want poller.Ready, events []poller.Event) bool {
	if want == poller.Readable && (len(w.bytes[e.token]) > 0 || w.ended[e.token]) {
		return true // has come with an earlier event
	}
	for _, event := range events {
		if event.Token == e.token && event.Ready&want != 0 {
			return true
		}
	}
	return false
}

// await waits until the end is reported ready.
func (w *world) await(e *end, want poller.Ready) {
	w.t.Helper()
	deadline := w.Now() + patience
	for !w.found(e, want, w.wait(deadline)) {
		if w.Now() > deadline {
			w.t.Fatalf("descriptor %d was never reported ready (%#b)", e.fd, want)
		}
	}
}

// quiet fails if one look finds the end ready. It is for moments when nothing is under way to it.
func (w *world) quiet(e *end, not poller.Ready) {
	w.t.Helper()
	if w.now(e, not) {
		w.t.Fatalf("descriptor %d was reported ready (%#b), and it is not or was not wanted", e.fd, not)
	}
}

// returns counts how often Wait returns before the clock has moved on by d, and collects the events.
func (w *world) returns(d time.Duration) (n int, events []poller.Event) {
	w.t.Helper()
	for until := w.Now() + int64(d); w.Now() < until; n++ {
		events = append(events, w.wait(until)...)
		if n > 100*few {
			w.t.Fatalf("Wait spins: over %d returns within %v", n, d)
		}
	}
	return n, events
}

// calm fails if Wait keeps returning though nothing happens.
func (w *world) calm(d time.Duration) {
	w.t.Helper()
	if n, _ := w.returns(d); n > few {
		w.t.Fatalf("Wait returned %d times within %v in which nothing happened", n, d)
	}
}

func (w *world) opened(fd int) *end {
	w.fds[fd] = true
	return &end{w: w, fd: fd}
}

// listen opens a listener on the subject's network. It is not added.
func (w *world) listen(o sock.Options) *end {
	w.t.Helper()
	var addr net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	if w.subject.network == "unix" {
		addr = &net.UnixAddr{Name: filepath.Join(shortDir(w.t), "s"), Net: "unix"}
	}
	fd, err := w.Listen(addr, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.opened(fd)
}

// shortDir is a temporary directory whose name leaves room for a socket's: 107 bytes are the limit.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rondo") //nolint:usetesting // t.TempDir's names are too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// connect begins a connection to a listener. It is not added.
func (w *world) connect(listener *end) *end {
	w.t.Helper()
	fd, err := w.Connect(w.LocalAddr(listener.fd), nil)
	if err != nil && !bare(err, syscall.EINPROGRESS) {
		if errors.Is(err, syscall.EMFILE) {
			w.t.Skip("this process may not open enough files: ", err)
		}
		w.t.Fatalf("connect: %v", err)
	}
	return w.opened(fd)
}

// accept waits for a connection of a listener that is added for reading. It is not added.
func (w *world) accept(listener *end) *end {
	w.t.Helper()
	for {
		fd, _, err := w.Accept(listener.fd)
		switch {
		case err == nil:
			return w.opened(fd)
		case errors.Is(err, syscall.EMFILE):
			w.t.Skip("this process may not open enough files: ", err)
		case !bare(err, syscall.EAGAIN):
			w.t.Fatalf("accept: %v", err)
		}
		w.await(listener, poller.Readable)
	}
}

// pair is two ends of one connection, neither of them added.
func (w *world) pair() (client, server *end) {
	w.t.Helper()
	if w.listener == nil {
		w.listener = w.listen(sock.Options{})
		w.add(w.listener, poller.Read)
	}
	client = w.connect(w.listener)
	return client, w.accept(w.listener)
}

// add registers an end under a new token.
func (w *world) add(e *end, want poller.Interest) {
	w.t.Helper()
	e.w, e.token = w, w.newToken()
	if err := w.Add(e.fd, e.token, want); err != nil {
		w.t.Fatalf("Add: %v", err)
	}
}

func (w *world) newToken() uint64 {
	w.token++
	token := w.token<<33 | w.token // both halves count
	w.known[token] = true
	return token
}

func (w *world) modify(e *end, want poller.Interest) {
	w.t.Helper()
	if err := w.Modify(e.fd, e.token, want); err != nil {
		w.t.Fatalf("Modify: %v", err)
	}
}

func (w *world) close(e *end) {
	w.t.Helper()
	delete(w.fds, e.fd)
	if err := w.Close(e.fd); err != nil {
		w.t.Fatalf("Close: %v", err)
	}
}

func (w *world) reset(e *end) {
	w.t.Helper()
	delete(w.fds, e.fd)
	if err := w.Reset(e.fd); err != nil {
		w.t.Fatalf("Reset: %v", err)
	}
}

// bare reports whether err is want itself, as callers in the hot path compare it.
func bare(err error, want syscall.Errno) bool {
	return err == want //nolint:errorlint // that it is not wrapped is the promise
}

// pattern is what tests send: its byte at i says what i is, modulo 251.
var pattern = func() []byte {
	p := make([]byte, 251+64<<10)
	for i := range p {
		p[i] = byte(i % 251)
	}
	return p
}()

// stretch is n bytes of the pattern from the given offset on.
func stretch(from, n int) []byte { return pattern[from%251:][:n] }

// send sends all of p, which must fit the socket's buffer.
func (e *end) send(p string) {
	e.w.t.Helper()
	if n, err := e.w.Send(e.fd, []byte(p)); n != len(p) || err != nil {
		e.w.t.Fatalf("Send: %d, %v", n, err)
	}
}

// fill sends the pattern, beginning at the given offset, until the kernel takes no more.
func (e *end) fill(from int) (sent int) {
	e.w.t.Helper()
	for {
		n, err := e.w.Send(e.fd, stretch(from+sent, 64<<10))
		if bare(err, syscall.EAGAIN) {
			return sent
		}
		if err != nil || n <= 0 {
			e.w.t.Fatalf("Send: %d, %v", n, err)
		}
		sent += n
	}
}

// recv is Recv, but takes first what came with events.
func (e *end) recv(p []byte) (int, error) {
	w := e.w
	if got := w.bytes[e.token]; len(got) > 0 {
		n := copy(p, got)
		w.bytes[e.token] = got[n:]
		return n, nil
	}
	if w.ended[e.token] {
		return 0, nil
	}
	return w.Recv(e.fd, p)
}

// expect awaits exactly these bytes at an end that is added for reading, one byte per event if slow.
func (e *end) expect(want string, slow bool) {
	e.w.t.Helper()
	p := make([]byte, len(want))
	for got := 0; got < len(want); {
		e.w.await(e, poller.Readable)
		size := len(want) - got
		if slow {
			size = 1
		}
		n, err := e.recv(p[got:][:size])
		if n <= 0 || err != nil {
			e.w.t.Fatalf("Recv of what was reported readable: %d, %v", n, err)
		}
		got += n
	}
	if string(p) != want {
		e.w.t.Fatalf("got %q, want %q", p, want)
	}
}

// expectEnd awaits the end of the stream, which stays reported however often it is read.
func (e *end) expectEnd() {
	e.w.t.Helper()
	for range 3 {
		e.w.await(e, poller.Readable)
		if n, err := e.recv(make([]byte, 16)); n != 0 || err != nil {
			e.w.t.Fatalf("Recv at the end of the stream: %d, %v, want 0, nil", n, err)
		}
	}
}
