package sim

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

const (
	econnreset = syscall.ECONNRESET
	etimedout  = syscall.ETIMEDOUT
)

// Connect implements poller.Poller.
func (q *simPoller) Connect(remote, local net.Addr) (int, error) {
	if q.p.gone { // deferred functions of a process that was killed
		return -1, syscall.EBADF
	}
	if a, ok := remote.(*net.UnixAddr); ok {
		return q.connectUnix(a)
	}
	a, ok := remote.(*net.TCPAddr)
	if !ok {
		return -1, syscall.EAFNOSUPPORT
	}
	p := q.p
	to := a.AddrPort()
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	s := p.newSocket(tcp, connecting)
	s.remote = to
	ip := p.ip
	if to.Addr().IsLoopback() || !to.Addr().IsValid() || to.Addr().IsUnspecified() {
		ip = loopback
		to = netip.AddrPortFrom(loopback, to.Port())
		s.remote = to
	}
	port := uint16(0)
	if l, ok := local.(*net.TCPAddr); ok && l != nil {
		port = uint16(l.Port)
	}
	if port != 0 && (len(p.bound[netip.AddrPortFrom(ip, port)]) > 0 || len(p.clashing(ip, port)) > 0) {
		return -1, syscall.EADDRINUSE
	}
	if port == 0 {
		var err error
		if port, err = p.freePort(func(port uint16) bool { return p.canConnect(netip.AddrPortFrom(ip, port), to) }); err != nil {
			return -1, err
		}
	}
	s.local = netip.AddrPortFrom(ip, port)
	far := p.Host
	if !to.Addr().IsLoopback() {
		far = p.w.hostAt(to.Addr())
	}
	if far == nil {
		return -1, syscall.ENETUNREACH
	}
	if err := p.assign(s); err != nil {
		return -1, err
	}
	base := fmt.Sprintf("%s>%s:%d", p.name, far.name, to.Port())
	p.w.conns[base]++
	s.name = fmt.Sprintf("%s#%d", base, p.w.conns[base])
	s.plan = p.w.newPlan(s.name, p.w.link(p.Host, far))
	s.plan.begin(s, far)
	p.w.log.opened(s, far.name)
	s.drawJoin()
	p.keep(s)
	p.w.script(s.plan)
	s.knock(far, time.Second)
	p.w.after(connectTimeout, func() {
		if s.state == connecting {
			s.fail(etimedout)
		}
	})
	return s.fd, syscall.EINPROGRESS
}

func (w *World) hostAt(ip netip.Addr) *Host {
	if h := w.addrs[ip]; h != nil {
		return h
	}
	if !ip.Is4() {
		return nil
	}
	b := ip.As4()
	if i := (int(b[1])<<16 | int(b[2])<<8 | int(b[3])) - 1; i >= 0 && i < len(w.hosts) && w.hosts[i].ip == ip {
		return w.hosts[i]
	}
	return nil
}

// unanswered reports whether s still waits for somebody who answers.
func (s *socket) unanswered() bool {
	if s.state != connecting || s.dead {
		return false
	}
	c := s.peer
	return c == nil || c.state == gone || c.dead || c.ln != nil && c.ln.state != listening
}

// knock sends the first packet of a connection; and again, after a time that doubles, as long as nothing comes back.
func (s *socket) knock(far *Host, again time.Duration) {
	if s.state != connecting || s.dead {
		return
	}
	w, l := s.w, s.plan.way
	switch {
	case s.plan.loses():
		if s.plan.script.silent {
			w.log.add(l.name(), "silent", s.name)
		}
	case l.loses(l.side(s.p.Host)):
		w.log.add(l.name(), "lost", s.name)
	default:
		w.at(max(w.now, l.free[l.side(s.p.Host)])+l.delay(), &call{fn: func() { s.knocked(far) }})
	}
	w.after(again, func() { s.knock(far, 2*again) })
}

// knocked is the arrival of a first packet.
func (s *socket) knocked(far *Host) {
	w, l := s.w, s.plan.way
	forth := l.side(s.p.Host)
	switch {
	case !s.unanswered():
		return
	case l.loses(forth) || far.dark:
		w.log.add(l.name(), "lost", s.name)
		return
	case far.faults.silent:
		w.log.add(far.name, "no answer", s.name)
		return
	}
	at := w.now
	back := func(fn func()) {
		w.at(w.now+l.delay(), &call{fn: fn})
	}
	refuse := func() {
		if s.state == connecting && !s.dead && !l.loses(1-forth) {
			w.log.arrived(s, "refused", far.name, at, 0)
			s.fail(syscall.ECONNREFUSED)
		}
	}
	var ln *socket
	if far.up != nil {
		ln = far.up.listener(s.remote)
	}
	if ln == nil || far.faults.refusing || s.plan.refuses() {
		if far.faults.refusing || s.plan.script.refuse {
			w.log.add(far.name, "refuse", s.name)
		}
		back(refuse)
		return
	}
	if len(ln.pending)+ln.opening >= ln.backlog {
		w.log.add(far.name, "backlog full", s.name)
		return // it knocks again
	}
	if s.peer != nil {
		s.peer.forget()
	}
	c := far.up.newSocket(tcp, opening)
	c.name, c.plan, c.peer, c.accepted = s.name, s.plan, s, true
	c.local, c.remote = netip.AddrPortFrom(s.remote.Addr(), s.remote.Port()), s.local
	c.keepAlive = ln.keepAlive // as other options are, it is inherited
	s.peer, s.plan.ends[1] = c, c
	c.drawJoin()
	c.p.keep(c)
	c.ln = ln
	ln.opening++
	c.unheard = w.after(openTimeout, c.forget)
	c.transmit(packet{kind: synAck})
}

// opened is the arrival of what answers the answer, or of what was sent behind it: now the connection may be accepted.
func (s *socket) opened() {
	ln := s.ln
	s.opens()
	if ln.state != listening {
		s.abort()
		return
	}
	s.state = established
	s.watch()
	ln.pending = append(ln.pending, s)
	ln.changed()
}

// opens ends what there is of a connection that is half made, for better or worse.
func (s *socket) opens() {
	if s.ln != nil {
		s.ln.opening--
		s.ln = nil
		s.unheard()
		s.unheard = nil
	}
}

// forget is the end of a connection that was only half made, of which nobody is told: who has taken it for whole hears of it when he sends something.
func (s *socket) forget() {
	if s.state == opening && !s.dead {
		s.die()
		s.out.drop()
	}
}

// sendAgain asks a machine that has not answered again, after a time that doubles: it may have come back, and then says that it knows of no
// such connection.
func (s *socket) sendAgain(peer *socket, again time.Duration) {
	if s.asking {
		return
	}
	s.asking = true
	var ask func()
	ask = func() {
		switch {
		case s.dead || s.state == gone:
		case peer.p.dark || s.plan.way.cut():
			again = min(2*again, maxAgain)
			s.w.after(again, ask)
		default:
			s.w.after(2*s.plan.way.latency(), func() { s.fail(econnreset) })
		}
	}
	s.w.after(again, ask)
}

// maxAgain is the longest time between two attempts to send the same.
const maxAgain = 2 * time.Minute

// arrive is what a packet does where it arrives.
func (w *World) arrive(p *packet) {
	from, to := p.from, p.to
	if to.state == gone && to.p.dark {
		// Nobody is there. What was sent is sent again, in vain.
		if (p.kind == data || p.kind == fin) && !from.dead {
			from.sendAgain(to, time.Second)
			from.giveUpLater(func() bool { return true })
		}
		return
	}
	to.heard = w.now
	if p.kind == data {
		from.out.arrived(len(p.data))
	}
	switch {
	case to.state == gone && p.kind != rst: // a machine that knows nothing of the connection
		sent := w.now
		w.at(sent+int64(from.plan.way.latency()), &call{fn: func() {
			if !from.dead {
				w.log.arrived(from, rst.String(), to.p.name, sent, 0)
				from.fail(econnreset)
			}
		}})
		return
	case to.dead:
		if p.kind != rst && !from.dead { // nobody knows of the connection there
			to.transmit(packet{kind: rst})
		}
		return
	}
	if to.state == opening && p.kind != rst {
		to.opened()
	}
	if p.kind == ack || to.dead {
		return
	}
	w.log.arrived(to, p.kind.String(), from.p.name, p.sent, len(p.data))
	switch p.kind {
	case synAck:
		if to.state == connecting {
			to.state = established
			to.transmit(packet{kind: ack})
			to.watch()
			to.pump()
			to.changed()
		}
	case data:
		switch {
		case to.state == closed: // nobody reads it any more
			to.abort()
		case to.eof:
		default:
			to.in.add(p.data)
			to.changed()
		}
		from.pump()
		from.changed()
	case fin:
		to.eof = true
		to.changed()
		if to.state == closed && to.out.fin && to.out.flying == 0 {
			to.die()
		}
		if from.state == closed && from.eof {
			from.release() // both have said all
		}
	case rst:
		err := econnreset
		if to.state == connecting {
			err = syscall.ECONNREFUSED
		}
		to.fail(err)
	}
}

// connectUnix connects at once, as it does within one system. So no first packet is lost, nor left without an answer, whatever scripts and chance say of that;
// the rest goes wrong as it does over TCP.
func (q *simPoller) connectUnix(a *net.UnixAddr) (int, error) {
	p := q.p
	all := p.listeners[door{path: a.Name}]
	if len(all) == 0 {
		return -1, syscall.ENOENT
	}
	ln := all[0]
	if len(ln.pending) >= ln.backlog {
		return -1, syscall.EAGAIN
	}
	s, c := p.newSocket(unix, established), p.newSocket(unix, established)
	s.far, c.path = a.Name, a.Name
	if err := p.assign(s); err != nil {
		return -1, err
	}
	base := fmt.Sprintf("%s>%s:%s", p.name, p.name, a.Name)
	p.w.conns[base]++
	s.name = fmt.Sprintf("%s#%d", base, p.w.conns[base])
	c.name = s.name
	s.plan = p.w.newPlan(s.name, p.w.link(p.Host, p.Host))
	s.plan.begin(s, p.Host)
	p.w.log.opened(s, p.name)
	p.w.script(s.plan)
	if s.plan.refuses() {
		if s.plan.script.refuse {
			p.w.log.add(p.name, "refuse", s.name)
		}
		p.free(s.fd)
		s.die()
		return -1, syscall.ECONNREFUSED
	}
	c.plan, c.accepted = s.plan, true
	s.plan.ends[1] = c
	s.peer, c.peer = c, s
	s.drawJoin()
	c.drawJoin()
	p.keep(s)
	p.keep(c)
	ln.pending = append(ln.pending, c)
	ln.changed()
	return s.fd, nil
}

// keep counts s among the machine's connections.
func (h *Host) keep(s *socket) {
	h.conns = append(h.conns, s)
	s.place = len(h.conns)
	if s.network == tcp && !s.accepted {
		if h.bound == nil {
			h.bound = map[netip.AddrPort][]*socket{}
		}
		h.bound[s.local] = append(h.bound[s.local], s)
	}
}

// release is the end of s for its machine: its port is free.
func (s *socket) release() {
	if s.place == 0 {
		return
	}
	h := s.p.Host
	h.conns[s.place-1] = nil
	s.place = 0
	if h.over++; h.over > 16 && h.over > len(h.conns)/2 {
		h.conns = h.connections()
		h.over = 0
		for i, other := range h.conns {
			other.place = i + 1
		}
	}
	if s.network != tcp || s.accepted {
		return
	}
	all := h.bound[s.local]
	if i := slices.Index(all, s); len(all) == 1 {
		delete(h.bound, s.local)
	} else if i >= 0 {
		h.bound[s.local] = slices.Delete(all, i, i+1)
	}
}

// connections are those of the machine that are not over, in the order in which they began.
func (h *Host) connections() []*socket {
	all := make([]*socket, 0, len(h.conns)-h.over)
	for _, s := range h.conns {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

// canConnect reports whether a connection may have that address: one that no other has; or, when many are taken, none to the same remote
// address has it.
func (p *hostWorld) canConnect(local, remote netip.AddrPort) bool {
	if len(p.listeners[door{port: local.Port()}]) > 0 {
		return false
	}
	all := p.bound[local]
	return len(all) == 0 ||
		len(p.bound) > manyPorts && !slices.ContainsFunc(all, func(s *socket) bool { return s.remote == remote })
}

// manyPorts is half of what there are.
const manyPorts = 1 << 14

// clashing are those who listen where ip and port say.
func (p *hostWorld) clashing(ip netip.Addr, port uint16) []*socket {
	var all []*socket
	for _, s := range p.listeners[door{port: port}] {
		if other := s.local.Addr(); ip.IsUnspecified() || other.IsUnspecified() || ip == other {
			all = append(all, s)
		}
	}
	return all
}

// connected reports whether a connection that was made from here has the port.
func (h *Host) connected(ip netip.Addr, port uint16) bool {
	has := func(ip netip.Addr) bool { return len(h.bound[netip.AddrPortFrom(ip, port)]) > 0 }
	if ip.IsUnspecified() {
		return has(h.ip) || has(loopback)
	}
	return has(ip)
}
