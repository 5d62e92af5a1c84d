package sim

import (
	"net"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// rig is a world whose pollers are driven by hand, by the world's main goroutine. The tests are those of package poller, which holds
// the other backends to the same promises, in real time.
type rig struct {
	*World
	network  string
	near     *simPoller // that listens
	far      *simPoller // that connects: the same, or one of another host
	listener *end
	tokens   uint64
	known    map[uint64]bool
}

// end is one end of a connection, or a listener.
type end struct {
	r     *rig
	q     *simPoller
	fd    int
	token uint64
}

// networks are over what a clause is tried.
var networks = []string{"loopback", "hosts", "unix"}

func newRig(w *World, network string) *rig {
	r := &rig{World: w, network: network, known: map[uint64]bool{}}
	r.near = r.open("a")
	r.far = r.near
	if network == "hosts" {
		r.far = r.open("b")
	}
	return r
}

func (r *rig) open(host string) *simPoller {
	q, err := r.Host(host).up.Open()
	if err != nil {
		r.Fatalf("%v", err)
	}
	return q.(*simPoller)
}

// wait is Wait with what is promised of all batches.
func (r *rig) wait(q *simPoller, until int64) []poller.Event {
	events, err := q.Wait(until)
	if err != nil || len(events) > poller.MaxEvents {
		r.Fatalf("Wait: %d events, %v", len(events), err)
	}
	seen := map[uint64]bool{}
	for _, e := range events {
		if !r.known[e.Token] || e.Ready == 0 || seen[e.Token] {
			r.Fatalf("the event %+v is of a strange token, without news, or there twice", e)
		}
		seen[e.Token] = true
	}
	return events
}

func (e *end) in(events []poller.Event, want poller.Ready) bool {
	for _, event := range events {
		if event.Token == e.token && event.Ready&want != 0 {
			return true
		}
	}
	return false
}

// settle lets everything arrive that is under way.
func (r *rig) settle() { r.Sleep(10 * time.Millisecond) }

// now reports whether one look finds the end ready.
func (e *end) now(want poller.Ready) bool {
	e.r.settle()
	return e.in(e.r.wait(e.q, poller.Immediately), want)
}

func (e *end) await(want poller.Ready) {
	deadline := e.q.Now() + int64(10*time.Second)
	for !e.in(e.r.wait(e.q, deadline), want) {
		if e.q.Now() >= deadline {
			e.r.Fatalf("descriptor %d was never reported ready (%#b)", e.fd, want)
		}
		e.r.Sleep(time.Millisecond) // others may always be ready, and time passes only when nobody goes on
	}
}

func (e *end) quiet(not poller.Ready) {
	if e.now(not) {
		e.r.Fatalf("descriptor %d was reported ready (%#b), and it is not or was not wanted", e.fd, not)
	}
}

// returns counts how often Wait returns within d, and collects the events.
func (r *rig) returns(q *simPoller, d time.Duration) (n int, events []poller.Event) {
	for until := q.Now() + int64(d); q.Now() < until && n < 1000; n++ {
		events = append(events, r.wait(q, until)...)
	}
	return n, events
}

// calm fails if Wait returns though nothing happens: in virtual time there is no excuse for it, but for the end.
func (r *rig) calm(q *simPoller) {
	if n, events := r.returns(q, time.Second); n > 1 || len(events) > 0 {
		r.Fatalf("Wait returned %d times with %+v", n, events)
	}
}

func (r *rig) listen(o sock.Options) *end {
	var addr net.Addr = &net.TCPAddr{}
	if r.network == "unix" {
		addr = &net.UnixAddr{Name: "/run/s", Net: "unix"}
	}
	fd, err := r.near.Listen(addr, o)
	if err != nil {
		r.Fatalf("Listen: %v", err)
	}
	return &end{r: r, q: r.near, fd: fd}
}

// address is how the listener is reached.
func (e *end) address() net.Addr {
	addr := e.q.LocalAddr(e.fd)
	if tcp, ok := addr.(*net.TCPAddr); ok {
		ip := loopback
		if e.r.network == "hosts" {
			ip = e.q.p.ip
		}
		return &net.TCPAddr{IP: ip.AsSlice(), Port: tcp.Port}
	}
	return addr
}

func (r *rig) connect(to net.Addr) (*end, error) {
	fd, err := r.far.Connect(to, nil)
	if bare(err, syscall.EINPROGRESS) {
		err = nil
	}
	return &end{r: r, q: r.far, fd: fd}, err
}

func (r *rig) accept(ln *end) *end {
	ln.await(poller.Readable)
	fd, _, err := r.near.Accept(ln.fd)
	if err != nil {
		r.Fatalf("Accept of what was reported readable: %v", err)
	}
	return &end{r: r, q: r.near, fd: fd}
}

// pair is two ends of one connection, neither of them added: what connects, and what was accepted.
func (r *rig) pair() (a, b *end) {
	if r.listener == nil {
		r.listener = r.listen(sock.Options{})
		r.listener.add(poller.Read)
	}
	a, err := r.connect(r.listener.address())
	if err != nil {
		r.Fatalf("Connect: %v", err)
	}
	b = r.accept(r.listener)
	r.settle()
	return a, b
}

func (r *rig) token() uint64 {
	r.tokens++
	token := r.tokens<<33 | r.tokens // both halves count
	r.known[token] = true
	return token
}

func (e *end) add(want poller.Interest) {
	e.token = e.r.token()
	if err := e.q.Add(e.fd, e.token, want); err != nil {
		e.r.Fatalf("Add: %v", err)
	}
}

func (e *end) modify(want poller.Interest) {
	if err := e.q.Modify(e.fd, e.token, want); err != nil {
		e.r.Fatalf("Modify: %v", err)
	}
}

func (e *end) do(what string, err error) {
	if err != nil {
		e.r.Fatalf("%s: %v", what, err)
	}
}

func (e *end) close()      { e.do("Close", e.q.Close(e.fd)) }
func (e *end) reset()      { e.do("Reset", e.q.Reset(e.fd)) }
func (e *end) closeWrite() { e.do("CloseWrite", e.q.CloseWrite(e.fd)) }
func (e *end) remove()     { e.do("Remove", e.q.Remove(e.fd)) }

func bare(err error, want syscall.Errno) bool {
	return err == want //nolint:errorlint // that it is not wrapped is the promise
}

// wants fails if a call did not give this.
func (r *rig) wants(what string, n int, err error, wantN int, want error) {
	if n != wantN || err != want { //nolint:errorlint // bare, too
		r.Fatalf("%s: %d, %v, want %d, %v", what, n, err, wantN, want)
	}
}

func (e *end) send(p string) {
	n, err := e.q.Send(e.fd, []byte(p))
	e.r.wants("Send", n, err, len(p), nil)
}

// fill sends until there is no room.
func (e *end) fill() (sent int) {
	for {
		n, err := e.q.Send(e.fd, make([]byte, 10_000))
		if bare(err, syscall.EAGAIN) && n == 0 {
			return sent
		}
		if err != nil || n <= 0 {
			e.r.Fatalf("Send: %d, %v", n, err)
		}
		sent += n
	}
}

// expect awaits these bytes, so many per event.
func (e *end) expect(want string, size int) {
	var got []byte
	for len(got) < len(want) {
		e.await(poller.Readable)
		p := make([]byte, min(size, len(want)-len(got)))
		n, err := e.q.Recv(e.fd, p)
		if n <= 0 || err != nil {
			e.r.Fatalf("Recv of what was reported readable: %d, %v", n, err)
		}
		got = append(got, p[:n]...)
	}
	if string(got) != want {
		e.r.Fatalf("got %q, want %q", got, want)
	}
}

// expectEnd awaits the end of the stream, which stays reported.
func (e *end) expectEnd() {
	for range 3 {
		e.await(poller.Readable)
		n, err := e.q.Recv(e.fd, make([]byte, 16))
		e.r.wants("Recv at the end", n, err, 0, nil)
	}
}
