package sim

import (
	"net"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

func connected(r *rig) {
	l := r.listen(sock.Options{})
	l.add(poller.Read)
	c, err := r.connect(l.address())
	r.wants("Connect", 0, err, 0, nil)
	c.add(poller.Write)
	c.await(poller.Writable)
	r.wants("SocketError", 0, c.q.SocketError(c.fd), 0, nil)
	if got, want := c.q.PeerAddr(c.fd).String(), l.address().String(); got != want {
		r.Fatalf("connected to %s, want %s", got, want)
	}
	a := r.accept(l)
	a.add(poller.Read)
	c.send("hello")
	a.expect("hello", 9)
}

func refused(r *rig) {
	l := r.listen(sock.Options{})
	addr := l.address()
	l.close()
	for _, want := range []poller.Interest{poller.Write, poller.Read | poller.Write} {
		c, err := r.connect(addr)
		r.wants("Connect", 0, err, 0, nil)
		c.add(want)
		c.await(poller.Writable)
		r.wants("SocketError", 0, c.q.SocketError(c.fd), 0, syscall.ECONNREFUSED)
		r.wants("SocketError again", 0, c.q.SocketError(c.fd), 0, nil)
		c.close()
	}
}

func connectPending(r *rig) {
	l := r.listen(sock.Options{Backlog: 1})
	first, err := r.connect(l.address())
	r.wants("Connect", 0, err, 0, nil)
	first.add(poller.Write)
	first.await(poller.Writable)
	c, err := r.connect(l.address())
	r.wants("Connect", 0, err, 0, nil)
	c.add(poller.Read | poller.Write)
	c.quiet(poller.Readable | poller.Writable)
	if addr := c.q.PeerAddr(c.fd); addr != nil {
		r.Fatalf("a connection that does not stand has a peer: %v", addr)
	}
	n, err := c.q.Send(c.fd, []byte("x"))
	r.wants("Send before it stands", n, err, 0, syscall.EAGAIN)
	n, err = c.q.Recv(c.fd, make([]byte, 1))
	r.wants("Recv before it stands", n, err, 0, syscall.EAGAIN)
	l.add(poller.Read)
	r.accept(l)
	c.await(poller.Writable) // there is room, and it has knocked again
	d, err := r.connect(l.address())
	r.wants("Connect", 0, err, 0, nil)
	d.close() // before it stands
	r.accept(l)
}

func refusedUnix(r *rig) {
	addr := &net.UnixAddr{Name: "/run/s", Net: "unix"}
	fd, err := r.near.Connect(addr, nil)
	r.wants("Connect to no file", fd, err, -1, syscall.ENOENT)
	l := r.listen(sock.Options{})
	_, err = r.near.Listen(addr, sock.Options{})
	r.wants("Listen where somebody listens", 0, err, 0, syscall.EADDRINUSE)
	l.close() // takes the name along: here nobody is left who could remove a file
	fd, err = r.near.Connect(addr, nil)
	r.wants("Connect where nobody listens any more", fd, err, -1, syscall.ENOENT)
	r.listen(sock.Options{})
}

func fullBacklogUnix(r *rig) {
	l := r.listen(sock.Options{Backlog: 1})
	l.add(poller.Read)
	for i := 0; ; i++ {
		c, err := r.connect(l.address())
		if err == nil && i < 10 {
			continue
		}
		r.wants("Connect to a full backlog", c.fd, err, -1, syscall.EAGAIN)
		break
	}
	r.accept(l)
	_, err := r.connect(l.address())
	r.wants("Connect with room again", 0, err, 0, nil)
}

func addresses(r *rig) {
	l := r.listen(sock.Options{})
	l.add(poller.Read)
	c, err := r.connect(l.address())
	r.wants("Connect", 0, err, 0, nil)
	l.await(poller.Readable)
	fd, peer, err := r.near.Accept(l.fd)
	r.wants("Accept", 0, err, 0, nil)
	a := &end{r: r, q: r.near, fd: fd}
	for _, same := range [][2]string{
		{peer.String(), c.q.LocalAddr(c.fd).String()},
		{a.q.PeerAddr(fd).String(), peer.String()},
		{a.q.LocalAddr(fd).String(), l.address().String()},
	} {
		if same[0] != same[1] {
			r.Fatalf("the addresses %q are not the same", same)
		}
	}
	if addr := l.q.PeerAddr(l.fd); addr != nil {
		r.Fatalf("a listener has a peer: %v", addr)
	}
	r.settle()
	a.add(poller.Read)
	c.reset()
	a.await(poller.Readable)
	if _, err := a.q.Recv(fd, make([]byte, 1)); err == nil {
		r.Fatalf("Recv after a reset succeeds")
	}
	if addr := a.q.PeerAddr(fd); addr != nil {
		r.Fatalf("reset, and still has a peer: %v", addr)
	}
	a.close()
	if a.q.LocalAddr(fd) != nil || a.q.PeerAddr(fd) != nil {
		r.Fatalf("closed, and still has addresses")
	}
}

func options(r *rig) {
	a, _ := r.pair()
	for _, on := range []bool{true, false} {
		a.do("SetNoDelay", a.q.SetNoDelay(a.fd, on))
	}
	for _, idle := range []time.Duration{time.Minute, time.Millisecond, 0} {
		a.do("SetKeepAlive", a.q.SetKeepAlive(a.fd, idle))
	}
}

// deadlines are kept to the nanosecond.
func deadlines(r *rig) {
	a, b := r.pair()
	b.add(poller.Read)
	q := b.q
	reach := func(until int64) {
		events := r.wait(q, until)
		if len(events) > 0 || q.Now() != until {
			r.Fatalf("Wait until %d returned at %d, with %+v", until, q.Now(), events)
		}
	}
	for _, d := range []time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, time.Hour} {
		reach(q.Now() + int64(d))
	}
	before := q.Now()
	r.wait(q, 1)
	r.wait(q, poller.Immediately)
	if q.Now() != before {
		r.Fatalf("a deadline that has passed took %v", time.Duration(q.Now()-before))
	}
	for _, ms := range []int64{5, 1, 10, 2, 2, 8, 1} {
		until := q.Now() + ms*int64(time.Millisecond)
		a.send("x") // ends a Wait with a far deadline, which must not stand for the next
		r.wait(q, q.Now()+int64(time.Minute))
		b.expect("x", 1)
		reach(until)
	}
	a.send("x")
	b.await(poller.Readable)
	for i := range int64(3) {
		if !b.in(r.wait(q, q.Now()-i), poller.Readable) {
			r.Fatalf("Wait with a deadline that has passed does not look")
		}
	}
	b.expect("x", 1)
	q.Wake() // in the middle: the rest is still kept
	until := q.Now() + int64(time.Second)
	r.After(time.Millisecond, q.Wake)
	r.wait(q, until)
	r.wait(q, until)
	reach(until)
}

func eventEndsWait(r *rig) {
	a, b := r.pair()
	b.add(poller.Read)
	for i := range 50 {
		r.After(time.Duration(i)*time.Millisecond, func() { a.send("x") })
		until := b.q.Now() + int64(10*time.Second)
		if i%2 == 0 {
			until = poller.Forever
		}
		if !b.in(r.wait(b.q, until), poller.Readable) {
			r.Fatalf("Wait returned without the event")
		}
		b.expect("x", 1)
	}
}

func wakes(r *rig) {
	q := r.near
	for _, until := range []int64{poller.Forever, q.Now() + int64(time.Hour), poller.Immediately, poller.Forever} {
		before := q.Now()
		for range 1000 { // merged
			q.Wake()
		}
		if events := r.wait(q, until); len(events) > 0 || q.Now() != before {
			r.Fatalf("a wake before Wait: %+v, after %v", events, time.Duration(q.Now()-before))
		}
		r.calm(q)
	}
	for range 10 {
		until := q.Now() + int64(time.Minute)
		r.After(time.Minute, q.Wake) // at the deadline: none is lost
		r.After(2*time.Minute, q.Wake)
		for q.Now() < until+int64(time.Minute) {
			r.wait(q, poller.Forever)
		}
	}
	// Wakes hide no events.
	a, b := r.pair()
	b.add(poller.Read)
	for range 100 {
		a.send("x")
		b.q.Wake()
		b.expect("x", 1)
	}
	r.settle()
	r.calm(b.q)
	if err := q.Shut(); err != nil {
		r.Fatalf("Shut: %v", err)
	}
	q.Wake() // is allowed
}

func clockRuns(r *rig) {
	q := r.near
	if q.Now() <= 0 {
		r.Fatalf("Now is %d and must be above zero, which is Immediately", q.Now())
	}
	if now := q.Epoch().Add(time.Duration(q.Now())); !now.Equal(r.Now()) {
		r.Fatalf("the poller says %v, the world %v", now, r.Now())
	}
	r.Host("a").StepClock(-time.Hour)
	before := q.Now()
	r.Sleep(time.Second)
	if q.Now() != before+int64(time.Second) {
		r.Fatalf("a second later the clock has gone from %d to %d", before, q.Now())
	}
	if now := q.Epoch().Add(time.Duration(q.Now())); !now.Equal(r.Now().Add(-time.Hour)) {
		r.Fatalf("set back by an hour it says %v, the world %v", now, r.Now())
	}
}

// closeWithinBatch closes a connection whose event it has yet to come to, and opens another, which gets the same number.
func closeWithinBatch(r *rig) {
	a1, b1 := r.pair()
	a2, b2 := r.pair()
	b1.add(poller.Read | poller.Write)
	b2.add(poller.Read | poller.Write)
	a1.send("x")
	a2.send("x")
	_, err := r.connect(r.listener.address())
	r.wants("Connect", 0, err, 0, nil)
	r.settle()
	events := r.wait(r.near, poller.Immediately)
	old := *b2
	b2.close()
	fd, _, err := r.near.Accept(r.listener.fd)
	r.wants("Accept, which gives the number again", fd, err, old.fd, nil)
	fresh := &end{r: r, q: r.near, fd: fd}
	fresh.add(poller.Read)
	if !old.in(events, poller.Readable) || fresh.in(events, poller.Readable|poller.Writable) {
		r.Fatalf("the batch in hand must keep the old token: %+v", events)
	}
	for range 3 {
		old.quiet(poller.Readable | poller.Writable)
		fresh.quiet(poller.Readable | poller.Writable)
	}
	b1.expect("x", 1)
	fresh.modify(poller.Read | poller.Write)
	fresh.await(poller.Writable)
}

func removeWithinBatch(r *rig) {
	a, b := r.pair()
	b.add(poller.Read)
	a.send("x")
	b.await(poller.Readable)
	events := r.wait(b.q, poller.Immediately)
	old := *b
	b.remove()
	b.add(poller.Read)
	if !old.in(events, poller.Readable) || b.in(events, poller.Readable) {
		r.Fatalf("the event in hand has changed: %+v", events)
	}
	b.await(poller.Readable)
	old.quiet(poller.Readable)
	b.expect("x", 1)
}

func closeUnadded(r *rig) {
	a, b := r.pair()
	a.close()
	b.reset()
	c, d := r.pair()
	d.add(poller.Read)
	c.send("x")
	d.expect("x", 1)
}

// registrationErrors are those of epoll.
func registrationErrors(r *rig) {
	a, b := r.pair()
	want := func(what string, err error, want syscall.Errno) { r.wants(what, 0, err, 0, want) }
	want("Modify of what was not added", b.q.Modify(b.fd, 1, poller.Read), syscall.ENOENT)
	want("Remove of what was not added", b.q.Remove(b.fd), syscall.ENOENT)
	for _, fd := range []int{-1, 0, 1 << 30} {
		want("Add of no descriptor", b.q.Add(fd, 1, poller.Read), syscall.EBADF)
		want("Modify of no descriptor", b.q.Modify(fd, 1, poller.Read), syscall.EBADF)
		want("Remove of no descriptor", b.q.Remove(fd), syscall.EBADF)
		want("Close of no descriptor", b.q.Close(fd), syscall.EBADF)
		want("Reset of no descriptor", b.q.Reset(fd), syscall.EBADF)
	}
	b.add(poller.Read)
	want("Add of what is added", b.q.Add(b.fd, r.token(), poller.Write), syscall.EEXIST)
	a.send("x")
	b.expect("x", 1)
	b.quiet(poller.Writable)
	b.remove()
	a.send("y")
	r.calm(b.q)
	want("Remove of what was removed", b.q.Remove(b.fd), syscall.ENOENT)
	want("Modify of what was removed", b.q.Modify(b.fd, 1, poller.Read), syscall.ENOENT)
	b.add(poller.Read)
	b.expect("y", 1)
	b.close()
	want("Modify of what was closed", b.q.Modify(b.fd, 1, poller.Read), syscall.EBADF)
	want("Remove of what was closed", b.q.Remove(b.fd), syscall.EBADF)
	a.add(poller.Write)
	a.await(poller.Writable)
}

func moveToAnother(r *rig) {
	first, second := r.near, r.open("a")
	a, b := r.pair()
	b.q = second
	b.add(poller.Read)
	a.send("x")
	b.expect("x", 1)
	a.send("unread")
	b.await(poller.Readable)
	b.remove()
	old := *b
	b.q = first
	b.add(poller.Read)
	old.quiet(poller.Readable)
	r.calm(second)
	b.expect("unread", 1)
	b.close()
	r.calm(second)
	// There and back, between two looks: it is found by the one that it is with.
	a, b = r.pair()
	b.add(poller.Read)
	a.send("z")
	r.settle()
	for _, q := range []*simPoller{second, first, second} {
		b.remove()
		b.q = q
		b.add(poller.Read)
	}
	b.expect("z", 1)
	r.calm(first)
	r.calm(second)
}

func shutLeavesOpen(r *rig) {
	other := r.open("a")
	a, b := r.pair()
	b.q = other
	b.add(poller.Read)
	a.send("x")
	b.await(poller.Readable)
	if err := other.Shut(); err != nil {
		r.Fatalf("Shut: %v", err)
	}
	b.q = r.near
	b.add(poller.Read)
	b.expect("x", 1)
	b.send("y")
	a.add(poller.Read)
	a.expect("y", 1)
}

// crowd has more ready at once than a batch holds: none is passed over.
func crowd(r *rig) {
	const n, bytes = 2000, 3
	byToken := map[uint64]*end{}
	var clients []*end
	for range n {
		a, b := r.pair()
		clients = append(clients, a)
		b.add(poller.Read)
		byToken[b.token] = b
	}
	r.calm(r.near)
	for _, a := range clients {
		a.send("xyz")
	}
	r.settle()
	perRound := (n + poller.MaxEvents - 1) / poller.MaxEvents
	for round := range bytes {
		got := map[uint64]bool{}
		for i := 0; i < 2*perRound+2 && len(got) < n; i++ {
			for _, event := range r.wait(r.near, r.now+int64(time.Second)) {
				if b := byToken[event.Token]; !got[event.Token] {
					got[event.Token] = true
					k, err := r.near.Recv(b.fd, make([]byte, 1))
					r.wants("Recv", k, err, 1, nil)
				}
			}
		}
		if len(got) != n {
			r.Fatalf("round %d: %d of %d were passed over", round, n-len(got), n)
		}
	}
	r.calm(r.near)
}
