package sim

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/rondo-go/rondo"
)

// Attach gives p a connection that it has dialed, on engine e, which is one of this world's. The peer is what it has reached, on a host of its own
// (peer1, peer2, ...). Attach waits until the connection stands. If it does not come to that, as some do not where there are faults, the peer has ended, and its
// Err says why.
func (w *World) Attach(e *rondo.Engine, p rondo.Protocol) *Peer {
	peer := w.newPeer()
	w.attach(peer, e, ":1", p)
	return peer
}

// AttachAccepted is Attach for a protocol that was dialed: by the peer.
func (w *World) AttachAccepted(e *rondo.Engine, p rondo.Protocol) *Peer {
	peer := w.newPeer()
	home := w.homeOf(e)
	accepted := false
	ln, err := peer.listen(home, e, ":0", func() rondo.Protocol {
		accepted = true
		return p
	})
	if err == nil {
		err = peer.dial(peer.home, peer.loop.Engine(), net.JoinHostPort(home.name, portOf(ln)), peer)
	}
	if err == nil {
		peer.until(func() bool { return accepted || home.gone || peer.over() })
	}
	peer.begun(ln, err)
	return peer
}

// attach has p dial the peer, at this port of its host's.
func (w *World) attach(peer *Peer, e *rondo.Engine, at string, p rondo.Protocol) {
	home := w.homeOf(e)
	ln, err := peer.listen(peer.home, peer.loop.Engine(), at, func() rondo.Protocol { return peer })
	if err == nil {
		err = peer.dial(home, e, net.JoinHostPort(peer.host.name, portOf(ln)), p)
	}
	if err == nil {
		own := peer.home.listeners[door{port: ln.Addr().(*net.TCPAddr).AddrPort().Port()}]
		peer.until(func() bool { return peer.conn != nil || peer.over() || !slices.ContainsFunc(own, waited) })
	}
	peer.begun(ln, err)
}

// DialPeer connects to an address that the program listens at, as "server:7000", and returns what has connected: a client that says what the script
// has it say, on a host of its own (peer1, peer2, ...). It waits until the connection stands. If it does not come to that the peer has ended, and its Err says why.
func (w *World) DialPeer(address string) *Peer {
	peer := w.newPeer()
	peer.begun(nil, peer.dial(peer.home, peer.loop.Engine(), address, peer))
	return peer
}

// PeerListener is where peers listen for what the program dials.
type PeerListener struct {
	w       *World
	host    *Host
	home    *hostWorld
	address string
	ln      *rondo.Listener
	come    []*Peer // and no Accept has taken
	closed  bool
}

// ListenPeer listens at an address that the program dials, as "server:7000": a host's name, and a port. A host that is not there yet is made; one that is must be
// up, and nobody may listen there, or the run ends. The program runs beside the script, so one of the two is given to [World.Go].
func (w *World) ListenPeer(address string) *PeerListener {
	name, port, err := net.SplitHostPort(address)
	if err == nil && name == "" {
		err = errNoName
	}
	if err != nil {
		w.Fatalf("sim: a peer cannot listen at %q: %v", address, err)
	}
	h := w.sparedHost(name)
	e, err := h.New(rondo.Config{})
	if err != nil {
		w.Fatalf("sim: a peer cannot listen at %q: %v", address, err)
	}
	l := &PeerListener{w: w, host: h, home: h.up, address: address}
	first := &Peer{w: w, host: h, home: l.home, loop: e.Loop()}
	if l.ln, err = first.listen(l.home, e, ":"+port, func() rondo.Protocol {
		p := &Peer{w: w, host: h, home: l.home, loop: e.Loop()}
		l.come = append(l.come, p)
		return p
	}); err != nil {
		w.Fatalf("sim: a peer cannot listen at %q: %v", address, err)
	}
	return l
}

// Host is the host that the peers are on.
func (l *PeerListener) Host() *Host { return l.host }

// Accept waits, at most for an hour, until somebody has connected, and returns the other end: a server that says what the script has it say. Each call takes
// one connection, in the order in which they have come. If none comes that is noted by World.Errorf, and the peer that Accept returns has ended.
func (l *PeerListener) Accept() *Peer {
	l.w.within(patience, func() bool { return len(l.come) > 0 || l.closed || l.home.gone })
	if len(l.come) > 0 {
		p := l.come[0]
		l.come = l.come[1:]
		return p
	}
	p := &Peer{w: l.w, host: l.host, home: l.home}
	switch {
	case l.home.gone:
		p.over() // says so
	case l.closed:
		p.lost, p.err = true, rondo.ErrClosed
	default:
		p.lost, p.err = true, errNobody
	}
	p.errorf("the peer that listens at %s has nobody to accept: %v", l.address, p.err)
	return p
}

// Close has nobody connect any more: from now on that is refused. Connections that stand, and those that have come, are left alone.
func (l *PeerListener) Close() {
	l.closed = true
	_ = l.ln.Close()
}

var (
	errNoName      = errors.New("the name of a host is missing")
	errNobody      = errors.New("sim: nobody has connected to the peer")
	errNotAccepted = errors.New("sim: the peer's connection has ended before it was accepted")
	errNotMade     = errors.New("sim: the peer's connection has not been made within an hour")
)

// newPeer makes a peer on a host of its own.
func (w *World) newPeer() *Peer {
	w.peers++
	h := w.sparedHost(fmt.Sprintf("peer%d", w.peers))
	e, err := h.New(rondo.Config{})
	if err != nil {
		w.Fatalf("sim: a peer cannot be made: %v", err)
	}
	return &Peer{w: w, host: h, home: h.up, loop: e.Loop()}
}

// sparedHost is a host that no faults happen to by chance from now on.
func (w *World) sparedHost(name string) *Host {
	f := &w.cfg.Faults
	if !slices.Contains(f.Spare, name) {
		f.Spare = append(slices.Clip(f.Spare), name)
	}
	return w.Host(name)
}

func portOf(ln *rondo.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

// listen has an engine of a process listen, and waits for that.
func (p *Peer) listen(home *hostWorld, e *rondo.Engine, at string, accept func() rondo.Protocol) (ln *rondo.Listener, err error) {
	if e2 := p.in(home, func() { ln, err = e.Listen("tcp", at, accept) }); e2 != nil {
		return nil, e2
	}
	return ln, err
}

// dial has an engine of a process dial, and waits for that.
func (p *Peer) dial(home *hostWorld, e *rondo.Engine, to string, proto rondo.Protocol) (err error) {
	if e2 := p.in(home, func() { _, err = e.Dial(background, "tcp", to, proto).Wait(background) }); e2 != nil {
		return e2
	}
	return err
}

// in runs fn as a goroutine of a process, and waits until it has ended, or the process has.
func (p *Peer) in(home *hostWorld, fn func()) error {
	done := false
	p.w.spawn(home, "the making of a peer's connection", func() {
		fn()
		done = true
	})
	p.until(func() bool { return done || home.gone })
	switch {
	case done:
		return nil
	case home.gone:
		return home.goneError()
	}
	return errNotMade
}

func (p *hostWorld) goneError() error { return fmt.Errorf("sim: host %s is down", p.name) }

// begun is the end of making the connection, if only that it has failed.
func (p *Peer) begun(ln *rondo.Listener, err error) {
	if ln != nil {
		_ = ln.Close()
	}
	if p.conn == nil && !p.over() {
		p.lost, p.err = true, cmp.Or(err, errNotAccepted)
	}
}

// homeOf finds the process that an engine is of, which may have ended.
func (w *World) homeOf(e *rondo.Engine) *hostWorld {
	home := w.homes[e]
	if home == nil {
		panic("sim: a peer is attached to an engine that is not this world's: Host.Engine and Host.New start those that are")
	}
	return home
}

// waited reports whether connections wait to be accepted.
func waited(ln *socket) bool { return len(ln.pending)+ln.opening > 0 }
