package sim

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// simPoller is a loop's poller. See package poller for the contract.
type simPoller struct {
	w *World
	p *hostWorld

	loop   *routine // that waits; nil: none does
	woken  bool
	alarm  int64     // the earliest of the clock's events that will look; 0: none
	found  []finding // may be ready, in the order in which that was seen
	later  []finding // collect's
	events []poller.Event
}

// finding is a socket that may be ready, if its stamp is still this one: it may have left since, and even have come back.
type finding struct {
	s     *socket
	stamp uint64
}

// Name implements poller.Poller, as all below do.
func (q *simPoller) Name() string { return "sim" }

// Now is the clock: it is the world's.
func (q *simPoller) Now() int64 { return q.w.now }

// Epoch is the clock's zero.
func (q *simPoller) Epoch() time.Time { return beginning.Add(q.p.step - 1) }

// Wake ends the current or the next Wait.
func (q *simPoller) Wake() {
	if q.w.called() {
		q.woken = true
		q.notify()
	}
}

// notify has the loop look.
func (q *simPoller) notify() {
	if r := q.loop; r != nil && q.w.now >= q.p.paused {
		q.loop = nil
		q.w.ready = append(q.w.ready, r)
	}
}

// happen is the clock's event.
func (q *simPoller) happen(*World) {
	if q.w.now >= q.alarm {
		q.alarm = 0
	}
	q.notify()
}

func (q *simPoller) stopped() bool { return false }

// Wait gives the turn to others, also if something is ready: a loop that always is must not keep them from going on.
func (q *simPoller) Wait(until int64) ([]poller.Event, error) {
	r := q.w.current
	q.loop = r
	if len(q.found) > 0 || q.woken || until <= q.w.now {
		q.notify()
	}
	for {
		if until != poller.Forever && q.loop != nil && (q.alarm == 0 || until < q.alarm) {
			q.alarm = until
			q.w.at(until, q)
		}
		r.pause()
		for q.p.gone {
			r.pause() // until it is killed
		}
		if q.collect(); len(q.events) > 0 || q.woken || q.w.now >= until {
			q.woken = false
			return q.events, nil
		}
		q.loop = r
	}
}

// collect finds what is ready, in an order that is left to chance. Those that are reported are the last to be looked at next time, so that none
// is passed over when there are more than a batch holds.
func (q *simPoller) collect() {
	q.events = q.events[:0]
	kept, reported := q.found[:0], q.later[:0]
	for _, f := range q.found {
		s := f.s
		if f.stamp != s.stamp {
			continue // it has left
		}
		ready := s.ready()
		switch {
		case ready == 0:
			s.found = false
		case len(q.events) == poller.MaxEvents:
			kept = append(kept, f)
		default:
			q.events = append(q.events, poller.Event{Token: s.token, Ready: ready})
			if ready&poller.Failed != 0 { // which is said once
				s.failed, s.found = true, false
			} else {
				reported = append(reported, f)
			}
		}
	}
	n := len(q.found)
	q.found = append(kept, reported...)
	clear(q.found[len(q.found):max(n, len(q.found))])
	clear(reported)
	q.later = reported[:0]
	if len(q.events) > 1 {
		q.w.order.Shuffle(len(q.events), func(i, j int) { q.events[i], q.events[j] = q.events[j], q.events[i] })
	}
}

// look is called when something about s may have changed.
func (q *simPoller) look(s *socket) {
	if q == nil || s.found || s.ready() == 0 {
		return
	}
	s.found = true
	q.found = append(q.found, finding{s, s.stamp})
	q.notify()
}

// Shut implements poller.Poller: what is open can be added to another.
func (q *simPoller) Shut() error {
	for _, s := range q.p.table {
		if s != nil && s.poller == q {
			s.leave()
		}
	}
	return nil
}

// Add implements poller.Poller.
func (q *simPoller) Add(fd int, token uint64, want poller.Interest) error {
	s := q.p.socket(fd)
	switch {
	case s == nil:
		return syscall.EBADF
	case s.poller != nil:
		return syscall.EEXIST
	}
	s.poller, s.token, s.want, s.failed = q, token, want, false
	q.look(s)
	return nil
}

// Modify implements poller.Poller.
func (q *simPoller) Modify(fd int, token uint64, want poller.Interest) error {
	s, err := q.watched(fd)
	if err != nil {
		return err
	}
	s.token, s.want = token, want
	q.look(s)
	return nil
}

// Remove implements poller.Poller.
func (q *simPoller) Remove(fd int) error {
	s, err := q.watched(fd)
	if err != nil {
		return err
	}
	s.leave()
	return nil
}

// watched finds a descriptor that was added here.
func (q *simPoller) watched(fd int) (*socket, error) {
	s := q.p.socket(fd)
	switch {
	case s == nil:
		return nil, syscall.EBADF
	case s.poller != q:
		return nil, syscall.ENOENT
	}
	return s, nil
}

// OpenFile implements poller.Poller: the operating system's files are not of this world.
func (q *simPoller) OpenFile(int) (sock.File, error) { return sock.File{}, errors.ErrUnsupported }

// ReadFile implements poller.Poller.
func (q *simPoller) ReadFile(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// WriteFile implements poller.Poller.
func (q *simPoller) WriteFile(int, []byte) (int, error) { return 0, errors.ErrUnsupported }

// SetNoDelay implements poller.Poller: what is sent goes at once in any case.
func (q *simPoller) SetNoDelay(fd int, _ bool) error { return q.known(fd) }

// SetKeepAlive implements poller.Poller.
func (q *simPoller) SetKeepAlive(fd int, idle time.Duration) error {
	s := q.p.socket(fd)
	if s == nil {
		return syscall.EBADF
	}
	s.setKeepAlive(idle)
	return nil
}

func (q *simPoller) known(fd int) error {
	if q.p.socket(fd) == nil {
		return syscall.EBADF
	}
	return nil
}

// SocketError implements poller.Poller.
func (q *simPoller) SocketError(fd int) error {
	s := q.p.socket(fd)
	if s == nil {
		return syscall.EBADF
	}
	return s.takeError()
}

// Unsent implements poller.Poller.
func (q *simPoller) Unsent(fd int) int {
	if s := q.p.socket(fd); s != nil {
		return s.out.queue.len() + s.out.flying
	}
	return 0
}

// LocalAddr implements poller.Poller.
func (q *simPoller) LocalAddr(fd int) net.Addr {
	s := q.p.socket(fd)
	if s == nil {
		return nil
	}
	return s.addr(s.local, s.path)
}

// PeerAddr implements poller.Poller.
func (q *simPoller) PeerAddr(fd int) net.Addr {
	s := q.p.socket(fd)
	if s == nil || s.state != established || s.dead {
		return nil
	}
	if s.network == unix {
		return s.addr(s.remote, s.far)
	}
	return s.addr(s.remote, "")
}

// Recv implements poller.Poller.
func (q *simPoller) Recv(fd int, p []byte) (int, error) {
	s := q.p.socket(fd)
	if s == nil {
		return 0, syscall.EBADF
	}
	return s.recv(p)
}

// Send implements poller.Poller.
func (q *simPoller) Send(fd int, p []byte) (int, error) {
	s := q.p.socket(fd)
	if s == nil {
		return 0, syscall.EBADF
	}
	return s.send(p)
}

// CloseWrite implements poller.Poller.
func (q *simPoller) CloseWrite(fd int) error {
	s := q.p.socket(fd)
	if s == nil {
		return syscall.EBADF
	}
	return s.closeWrite()
}

// Close implements poller.Poller.
func (q *simPoller) Close(fd int) error { return q.end(fd, false) }

// Reset implements poller.Poller.
func (q *simPoller) Reset(fd int) error { return q.end(fd, true) }

func (q *simPoller) end(fd int, reset bool) error {
	s := q.p.socket(fd)
	if s == nil {
		return syscall.EBADF
	}
	q.p.free(fd)
	s.close(reset && s.network == tcp) // Unix sockets know no reset
	return nil
}

// Accept implements poller.Poller.
func (q *simPoller) Accept(fd int) (conn int, peer netip.AddrPort, err error) {
	s := q.p.socket(fd)
	switch {
	case s == nil:
		return -1, peer, syscall.EBADF
	case s.state != listening:
		return -1, peer, syscall.EINVAL
	}
	return s.accept()
}
