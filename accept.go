package rondo

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// An acceptor is one listening socket on its loop.
type acceptor struct {
	ln      *Listener
	loop    *Loop
	fd      int
	token   token
	paused  bool          // also until it is served
	resting bool          // paused for want of descriptors
	delay   time.Duration // of the last such pause; 0 since it was overcome
	warned  time.Time     // when such a pause was last reported
	ended   bool
	queued  bool  // paused for its turn with the AcceptLimiter
	turn    place // its place in that one's line
}

const (
	// Connections accepted in one turn, so that a flood of them leaves time for those that are there.
	acceptBudget = 64

	// Connections that may wait for Accept of a net.Listener; others wait in the kernel's backlog.
	maxWaiting = 128

	// A process or machine that is out of descriptors is asked again after this time, doubling.
	minAcceptDelay = 5 * time.Millisecond
	maxAcceptDelay = time.Second

	// Such pauses are reported no more often than this.
	warnEvery = time.Minute
)

// doFor does something for a caller that may be on a loop, and then does not wait for the answer.
func (a *acceptor) doFor(onLoop bool, do func(*acceptor) error) error {
	err := do(a)
	if err != nil && onLoop {
		a.ln.engine.report("rondo: listening failed", err)
	}
	return err
}

// start has the loop look after the socket.
func (a *acceptor) start() error {
	if a.loop.drained {
		a.abandon()
		return ErrEngineClosed
	}
	a.token = a.loop.watchers.put(a)
	err := a.loop.poller.Add(a.fd, uint64(a.token), a.interest())
	if err != nil {
		a.shut()
	}
	return err
}

// serve begins to accept.
func (a *acceptor) serve() error {
	if a.ended {
		return a.ln.reason()
	}
	a.paused = false
	if a.token == 0 {
		return nil // start, which another loop has posted here, is still to come
	}
	return a.loop.poller.Modify(a.fd, uint64(a.token), a.interest())
}

func (a *acceptor) interest() poller.Interest {
	if a.paused {
		return 0
	}
	return poller.Read
}

// abandon closes a socket that no loop looks after. It is called on the loop, or after its end.
func (a *acceptor) abandon() {
	if !a.ended {
		a.ended = true
		_ = a.loop.poller.Close(a.fd)
	}
}

// shut implements watcher. What is called for the listener's end is work of its own: a panic must not keep the loop
// from shutting the next.
func (a *acceptor) shut() {
	if a.ended {
		return
	}
	l := a.loop
	a.turn.leave()
	l.watchers.remove(a.token)
	defer a.abandon() // after the socket's file, which close compares with it
	reason := ErrClosed
	if l.drained {
		reason = ErrEngineClosed
	}
	for _, fn := range a.ln.close(reason) { // the other acceptors and the socket's file too
		l.queue = append(l.queue, runFunc(fn))
	}
}

// ready accepts what waits.
func (a *acceptor) ready(poller.Ready) {
	for range acceptBudget {
		if a.paused || !a.reserve() {
			return
		}
		fd, peer, err := a.loop.poller.Accept(a.fd)
		if err != nil {
			a.forgo()
		}
		switch {
		case err == nil:
			a.delay = 0
			a.admit(fd, peer)
		case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
			return
		case outOfDescriptors(err):
			a.rest(err, minAcceptDelay)
			return
		default:
			// ECONNABORTED: it left while it waited. accept(2) passes on other errors of the new
			// connection too; the listening socket is none the worse, so ask for the next.
			a.ln.counts.aborted.Add(1)
		}
	}
}

func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// reserve makes sure that one more connection may be accepted, or pauses accepting.
func (a *acceptor) reserve() bool {
	if !a.ln.reserve() {
		a.pause(true)
		if !a.ln.reserve() { // else one has gone meanwhile, and its resume may have come too early
			return false
		}
		a.pause(false)
	}
	if l := a.ln.config.AcceptLimiter; l != nil && l.take(&a.turn, 1) == 0 {
		a.ln.forgo()
		a.queued = true
		a.pause(true)
		return false
	}
	return true
}

// forgo gives back what reserve has made sure of.
func (a *acceptor) forgo() {
	a.ln.forgo()
	if l := a.ln.config.AcceptLimiter; l != nil {
		l.give(&a.turn, 1)
	}
}

// myTurn is called when the AcceptLimiter has one more for this socket. What waits is told by its readiness; if nothing does any more, others are not kept waiting.
func (a *acceptor) myTurn() {
	a.queued = false
	a.resume()
	if !a.paused && !a.ended {
		a.ready(poller.Readable)
	}
	if !a.queued {
		a.turn.leave()
	}
}

// admit gives an accepted connection to its loop, unless there are too many from where it comes from.
func (a *acceptor) admit(fd int, peer netip.AddrPort) {
	ln := a.ln
	origin, ok := ln.counts.admit(peer, ln.config.MaxConnsPerAddr)
	if !ok {
		_ = a.loop.poller.Reset(fd)
		ln.forgo()
		return
	}
	ln.counts.accepted.Add(1)
	a.assign(fd, peer, origin)
}

func (a *acceptor) pause(on bool) {
	if a.ended || a.paused == on {
		return
	}
	a.paused = on
	if on {
		a.ln.counts.paused.Add(1)
		a.ln.counts.pauses.Add(1)
	} else {
		a.ln.counts.paused.Add(-1)
	}
	if err := a.loop.poller.Modify(a.fd, uint64(a.token), a.interest()); err != nil {
		a.ln.engine.report("rondo: accepting failed", err)
	}
}

func (a *acceptor) resume() {
	if !a.resting && !a.queued {
		a.pause(false)
	}
}

// rest pauses accepting for a while. The connections that are open go on; those that wait do so in
// the kernel's backlog, where level-triggered readiness finds them again.
func (a *acceptor) rest(err error, least time.Duration) {
	if a.resting {
		return
	}
	// Peers that come and go have it pause again and again: that is one storm, and one report.
	if now := a.loop.Now(); a.delay == 0 && (a.warned.IsZero() || now.Sub(a.warned) >= warnEvery) {
		a.warned = now
		a.ln.engine.config.Logger.Warn("rondo: accepting is paused until descriptors or memory are free again",
			"address", a.ln.addr, "error", err)
	}
	a.delay = min(max(2*a.delay, least), maxAcceptDelay)
	a.pause(true)
	a.resting = true
	a.loop.After(a.delay, func() {
		a.resting = false
		a.resume()
	})
}

// assign gives a connection to its loop.
func (a *acceptor) assign(fd int, peer netip.AddrPort, origin *addrCount) {
	l := a.loop
	if a.ln.config.ReusePort {
		l.load.Add(1)
	} else {
		l = a.ln.engine.place()
	}
	if l == a.loop {
		l.welcome(a.ln, fd, peer, origin)
		return
	}
	l.engine.open.Add(1) // a Shutdown does not overlook who is between two loops
	if !l.add(&newcomer{a.ln, fd, peer, origin}) {
		_ = a.loop.poller.Reset(fd) // l's is no more; an end in good order would pass for an answer
		l.uncharge(a.ln, origin)
		l.engine.release()
	}
}

// newcomer is an accepted connection on its way to another loop.
type newcomer struct {
	ln     *Listener
	fd     int
	peer   netip.AddrPort
	origin *addrCount
}

func (n *newcomer) run(l *Loop) {
	defer l.engine.release()
	l.welcome(n.ln, n.fd, n.peer, n.origin)
}

// welcome makes an accepted descriptor a connection of this loop.
func (l *Loop) welcome(ln *Listener, fd int, peer netip.AddrPort, origin *addrCount) {
	made := false
	drop := l.poller.Close
	defer func() { // also if making the protocol panics
		if !made {
			_ = drop(fd)
			l.uncharge(ln, origin)
		}
	}()
	if l.stopped { // the others have been ended, and nobody would end this one
		drop = l.poller.Reset // as the others
		return
	}
	proto := ln.accept()
	if proto == nil {
		ln.counts.declined.Add(1)
		return
	}
	var flags connFlags
	if !peer.IsValid() {
		flags = isUnix
	}
	extra := &ln.template
	if awaited := ln.waiting.limit > 0 && ln.config.Wrap != nil; awaited || origin != nil {
		extra = &settings{listener: ln, awaited: awaited, origin: origin}
	}
	c, err := l.adopt(fd, peer, proto, flags, extra)
	if err != nil {
		ln.unwatchable(err)
		return
	}
	made = true
	ln.counts.open.Add(1)
	c.limitAs(&ln.config)
	c.begin()
}

// limitAs sets what the listener's configuration says.
func (c *Conn) limitAs(cfg *ListenConfig) {
	if cfg.IdleTimeout > 0 {
		c.SetIdleTimeout(cfg.IdleTimeout)
	}
	if cfg.Lifetime > 0 {
		c.SetLifetime(cfg.Lifetime)
	}
	if cfg.ReadRate > 0 || cfg.WriteRate > 0 || cfg.ReadLimiter != nil || cfg.WriteLimiter != nil {
		c.setRate(func(r *rates) {
			r.read.set(cfg.ReadRate, 0)
			r.write.set(cfg.WriteRate, 0)
			r.read.share(cfg.ReadLimiter)
			r.write.share(cfg.WriteLimiter)
		})
	}
}

// unwatchable is called when a connection was accepted and then refused by the poller. One that has
// reached its own limit will refuse the next ones too, so accepting pauses.
func (ln *Listener) unwatchable(err error) {
	if _, full := errors.AsType[*poller.LimitError](err); !full {
		ln.engine.report("rondo: an accepted connection could not be watched and was closed", err)
		return
	}
	for _, a := range ln.acceptors {
		a.loop.Post(func() { a.rest(err, maxAcceptDelay) })
	}
}

// uncharge forgets a connection that did not come about.
func (l *Loop) uncharge(ln *Listener, origin *addrCount) {
	l.load.Add(-1)
	ln.counts.forget(origin)
	ln.forgo()
}
