package sim

import (
	"errors"
	"math"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// clause is one promise of package poller, and the networks over which it is tried.
type clause struct {
	name string
	test func(r *rig)
	over []string
}

var (
	tcpOnly  = networks[:2]
	once     = networks[:1]
	unixOnly = networks[2:]
)

var contract = []clause{
	{"readable with data", readableWithData, networks},
	{"readable at the end of the stream", func(r *rig) {
		a, b := r.pair()
		b.add(poller.Read)
		b.quiet(poller.Readable)
		a.close()
		b.expectEnd()
	}, networks},
	{"readable with pending connections", readableWithConnections, networks},
	{"writable until the buffer is full and again", writableUntilFull, networks},
	{"both directions at once", bothDirections, networks},
	{"interest can change and nothing is lost", interestChanges, networks},
	{"nothing wanted, nothing reported", func(r *rig) {
		a, b := r.pair()
		a.add(0)
		b.add(0)
		a.send("unread")
		r.calm(r.near)
		r.calm(r.far)
		b.modify(poller.Read)
		b.expect("unread", 9)
	}, networks},
	{"tokens come back whole", tokensWhole, once},

	{"either side ends its direction", halfClose, networks},
	{"data before the end arrives whole", dataThenEnd, networks},
	{"hang-up of both directions", hangUp, networks},
	{"reset while reading is wanted", resetWhileReading, networks},
	{"reset while writing is wanted", resetWhileWriting, networks},
	{"reset while nothing is wanted", resetWhileNothingWanted, tcpOnly},
	{"hang-up while nothing is wanted", hangUpWhileNothingWanted, networks},
	{"sending after a reset", sendAfterReset, tcpOnly},
	{"closing with unread data resets", closeUnread, tcpOnly},
	{"EAGAIN is bare", againIsBare, networks},

	{"connected", connected, networks},
	{"refused", refused, tcpOnly},
	{"a pending connection is not writable", connectPending, tcpOnly},
	{"refused Unix socket", refusedUnix, unixOnly},
	{"full backlog of a Unix socket", fullBacklogUnix, unixOnly},
	{"addresses", addresses, tcpOnly},
	{"options", options, networks},
	{"no files", noFiles, once},

	{"datagrams come whole", packetsWhole, networks},
	{"errors of datagrams are apart", packetErrorsApart, networks},
	{"connected datagrams", packetsConnected, networks},
	{"datagrams wait for room", packetsWritable, unixOnly},
	{"addresses and options of datagrams", packetAddresses, networks},

	{"deadlines", deadlines, once},
	{"an event ends a wait under way", eventEndsWait, networks},
	{"wakes", wakes, once},
	{"the clock", clockRuns, once},

	{"close within a batch, number reused", closeWithinBatch, networks},
	{"remove within a batch, added anew", removeWithinBatch, networks},
	{"close what was never added", closeUnadded, networks},
	{"registration errors", registrationErrors, networks},
	{"move to another poller", moveToAnother, networks},
	{"shut leaves descriptors open", shutLeavesOpen, networks},
	{"a crowd", crowd, []string{"loopback", "unix"}},
}

func TestContract(t *testing.T) {
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			for _, network := range c.over {
				t.Run(network, func(t *testing.T) {
					for seed := range uint64(3) { // what happens at one instant comes in another order
						Run(t, Config{Seed: seed + 1}, func(w *World) { c.test(newRig(w, network)) })
					}
				})
			}
		})
	}
}

func readableWithData(r *rig) {
	a, b := r.pair()
	b.add(poller.Read)
	b.quiet(poller.Readable)
	for range 3 {
		a.send("rondo")
		b.expect("rondo", 1)
		b.quiet(poller.Readable)
	}
	a.send("left alone")
	for range 3 {
		b.await(poller.Readable)
	}
	b.expect("left alone", 99)
	b.quiet(poller.Readable)
	r.calm(b.q)
}

func readableWithConnections(r *rig) {
	l := r.listen(sock.Options{})
	l.add(poller.Read)
	l.quiet(poller.Readable)
	for range 5 {
		if _, err := r.connect(l.address()); err != nil {
			r.Fatalf("Connect: %v", err)
		}
	}
	for range 5 { // one per event, the others are reported again
		r.accept(l)
	}
	l.quiet(poller.Readable)
	_, _, err := r.near.Accept(l.fd)
	r.wants("Accept of nothing", 0, err, 0, syscall.EAGAIN)
}

func writableUntilFull(r *rig) {
	a, b := r.pair()
	a.add(poller.Write)
	b.add(0)
	for range 3 {
		a.await(poller.Writable)
	}
	sent := 0
	for a.now(poller.Writable) {
		n := a.fill()
		if n == 0 {
			r.Fatalf("reported writable, and Send takes nothing")
		}
		sent += n
	}
	b.modify(poller.Read)
	for got := 0; got < sent; {
		b.await(poller.Readable)
		n, err := b.q.Recv(b.fd, make([]byte, 64<<10))
		if n <= 0 || err != nil {
			r.Fatalf("Recv: %d, %v, with %d of %d bytes read", n, err, got, sent)
		}
		got += n
	}
	b.quiet(poller.Readable)
	a.await(poller.Writable)
	if n := a.q.Unsent(a.fd); n != 0 {
		r.Fatalf("all has been read, and %d bytes are unsent", n)
	}
	if a.fill() == 0 {
		r.Fatalf("reported writable again, and Send takes nothing")
	}
}

func bothDirections(r *rig) {
	a, b := r.pair()
	b.add(poller.Read | poller.Write)
	b.await(poller.Writable)
	b.quiet(poller.Readable)
	a.send("x")
	b.await(poller.Readable)
	for range 3 {
		if events := r.wait(b.q, poller.Immediately); !b.in(events, poller.Readable) || !b.in(events, poller.Writable) {
			r.Fatalf("readable and writable, but reported %+v", events)
		}
	}
	b.send("y")
	b.expect("x", 1)
	b.await(poller.Writable)
	b.quiet(poller.Readable)
}

func interestChanges(r *rig) {
	a, b := r.pair()
	b.add(0)
	a.send("one")
	r.settle()
	b.modify(poller.Read) // came while nothing was wanted
	b.await(poller.Readable)
	b.modify(poller.Write)
	b.await(poller.Writable)
	b.quiet(poller.Readable)
	b.modify(0)
	b.quiet(poller.Readable | poller.Writable)
	b.modify(poller.Read | poller.Write)
	b.await(poller.Readable | poller.Writable)
	b.modify(poller.Read)
	b.quiet(poller.Writable)
	b.expect("one", 1)
	for range 100 { // back and forth while bytes arrive
		b.modify(0)
		a.send("more")
		b.modify(poller.Write)
		b.modify(poller.Read)
		b.expect("more", 4)
	}
	old := *b
	b.token = r.token()
	b.modify(poller.Read) // under a new token
	a.send("x")
	b.await(poller.Readable)
	old.quiet(poller.Readable)
}

func tokensWhole(r *rig) {
	a, b := r.pair()
	a.send("x")
	for _, token := range []uint64{0, 1, math.MaxInt32, 1 << 31, math.MaxUint32, 1 << 32, 1 << 63, math.MaxUint64} {
		r.known[token] = true
		b.token = token
		b.do("Add", b.q.Add(b.fd, token, poller.Read))
		b.await(poller.Readable)
		b.remove()
	}
}

func halfClose(r *rig) {
	for range 2 {
		a, b := r.pair()
		a.add(poller.Read)
		b.add(poller.Read)
		a.closeWrite()
		b.expectEnd()
		a.quiet(poller.Readable) // it ends what we send, not what we receive
		n, err := a.q.Send(a.fd, []byte("x"))
		r.wants("Send after CloseWrite", n, err, 0, syscall.EPIPE)
		for range 3 {
			b.send("still here")
			a.expect("still here", 1)
		}
		b.modify(poller.Write)
		b.await(poller.Writable)
	}
}

func dataThenEnd(r *rig) {
	a, b := r.pair()
	b.add(poller.Read)
	p := make([]byte, 32<<10)
	for i := range p {
		p[i] = byte(i % 251)
	}
	a.send(string(p))
	a.closeWrite()
	b.expect(string(p), 1000)
	b.expectEnd()
}

func hangUp(r *rig) {
	a, b := r.pair()
	b.add(poller.Read | poller.Write)
	b.closeWrite()
	r.settle()
	a.close()
	b.expectEnd()
	b.await(poller.Writable) // so that a writer finds out
	b.modify(poller.Write)
	b.await(poller.Writable)
	n, err := b.q.Send(b.fd, []byte("x"))
	r.wants("Send", n, err, 0, syscall.EPIPE)
}

// resetWhileReading: the error is what Recv says once.
func resetWhileReading(r *rig) {
	a, b := r.pair()
	b.add(poller.Read)
	a.reset()
	b.await(poller.Readable)
	if r.network == "unix" { // has no resets: what closes is seen to close, unless it has not read all
		b.expectEnd()
		return
	}
	n, err := b.q.Recv(b.fd, make([]byte, 16))
	r.wants("Recv after a reset", n, err, 0, syscall.ECONNRESET)
	b.expectEnd()
}

func resetWhileWriting(r *rig) {
	a, b := r.pair()
	b.add(poller.Write)
	for b.now(poller.Writable) {
		b.fill()
	}
	a.reset()
	b.await(poller.Writable)
	if n, err := b.q.Send(b.fd, []byte("x")); n != 0 || !bare(err, syscall.ECONNRESET) && !bare(err, syscall.EPIPE) {
		r.Fatalf("Send after a reset: %d, %v", n, err)
	}
}

// atMostOnce fails if what happened to an end of which nothing is wanted is reported again and again.
func (e *end) atMostOnce() {
	n, events := e.r.returns(e.q, time.Second)
	reports := 0
	for _, event := range events {
		if event.Token == e.token {
			reports++
		}
	}
	if n > 3 || reports > 1 {
		e.r.Fatalf("Wait returned %d times, %d times with the end of which nothing is wanted", n, reports)
	}
}

func resetWhileNothingWanted(r *rig) {
	_, earlier := r.pair()
	earlier.add(poller.Read)
	a, b := r.pair()
	b.add(0)
	a.reset()
	n, events := r.returns(b.q, time.Second)
	if n > 2 || len(events) != 1 || events[0].Token != b.token || events[0].Ready != poller.Failed {
		r.Fatalf("a reset while nothing is wanted is %+v, in %d returns", events, n)
	}
	r.calm(b.q)
	b.modify(poller.Read)
	b.await(poller.Readable)
	b.modify(0)
	b.atMostOnce()
	b.modify(poller.Write)
	b.await(poller.Writable)
	r.wants("SocketError", 0, b.q.SocketError(b.fd), 0, syscall.ECONNRESET)
	r.wants("SocketError again", 0, b.q.SocketError(b.fd), 0, nil)
	b.close()
	c, d := r.pair()
	d.add(poller.Read)
	c.send("x")
	d.expect("x", 1)
}

func hangUpWhileNothingWanted(r *rig) {
	a, b := r.pair()
	b.add(0)
	a.send("last words")
	b.closeWrite()
	r.settle()
	a.close()
	b.atMostOnce()
	b.modify(poller.Read)
	b.expect("last words", 1)
	b.expectEnd()
	b.modify(0)
	b.atMostOnce()
	b.remove()
}

// sendAfterReset has data and then a reset arrive: the one is not lost for the other, unless the error is taken first.
func sendAfterReset(r *rig) {
	a, b := r.pair()
	b.add(poller.Read)
	a.reset()
	b.await(poller.Readable)
	n, err := b.q.Send(b.fd, []byte("x"))
	r.wants("the first Send", n, err, 0, syscall.ECONNRESET)
	for range 2 {
		n, err = b.q.Send(b.fd, []byte("x"))
		r.wants("another Send", n, err, 0, syscall.EPIPE)
	}
	n, err = b.q.Recv(b.fd, make([]byte, 1))
	r.wants("Recv", n, err, 0, nil)
	a, b = r.pair()
	b.add(poller.Read)
	a.send("data first")
	r.settle()
	a.reset()
	r.settle()
	b.expect("data first", 3)
	n, err = b.q.Recv(b.fd, make([]byte, 1))
	r.wants("Recv after the data", n, err, 0, syscall.ECONNRESET)
	b.expectEnd()
	n, err = b.q.Send(b.fd, []byte("x"))
	r.wants("Send", n, err, 0, syscall.EPIPE)
}

func closeUnread(r *rig) {
	a, b := r.pair()
	a.add(poller.Read)
	a.send("never read")
	r.settle()
	b.close()
	a.await(poller.Readable)
	n, err := a.q.Recv(a.fd, make([]byte, 1))
	r.wants("Recv", n, err, 0, syscall.ECONNRESET)
}

func againIsBare(r *rig) {
	a, b := r.pair()
	n, err := b.q.Recv(b.fd, make([]byte, 1))
	r.wants("Recv of nothing", n, err, 0, syscall.EAGAIN)
	if a.fill() == 0 { // and that it is bare
		r.Fatalf("a new connection takes nothing")
	}
}

func noFiles(r *rig) {
	r.Host("a").SetMaxFiles(1)
	l := r.listen(sock.Options{})
	fd, err := r.near.Listen(&net.TCPAddr{}, sock.Options{})
	r.wants("Listen", fd, err, -1, syscall.EMFILE)
	fd, err = r.near.Connect(l.address(), nil)
	r.wants("Connect", fd, err, -1, syscall.EMFILE)
	file, err := r.near.OpenFile(1)
	if !errors.Is(err, errors.ErrUnsupported) || file != (sock.File{}) {
		r.Fatalf("OpenFile: %+v, %v", file, err)
	}
	if _, err := os.Stat("/run/s"); err == nil {
		r.Fatalf("the simulation has made a file")
	}
}
