package http1

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// pool is what a Transport has on one loop: its connections there, and the calls that wait for one.
//
// A connection is given to its next call only after the loop has once more asked for what has arrived, and delivered it: what a server sends beyond its answer, and the kernel has by then, is found before the next request
// is written, and ends the connection. So it is never taken for the answer to that.
type pool struct {
	transport *Transport
	loop      *rondo.Loop
	local     *client
	hosts     map[hostKey]*host
	limits    wire.Limits
	head      *wire.Response // of the answer that is being parsed
	scratch   []byte         // for heads of requests, and pieces of bodies

	idle      clientConn // the head of the ring of all idle connections, that which is idle for longest first
	idleCount int
	timed     bool // the timer runs
	timer     rondo.Timer
	ripening  []*host // for the stage

	keep                    time.Duration
	maxIdle, maxIdlePerHost int
}

// hostKey says which connections are alike.
type hostKey struct {
	scheme  string // of what is asked of the server
	address string // host:port; empty if requests go to a proxy as they are, which has one connection for all of them
	proxy   string // its URL
}

// host is what there is of one key.
type host struct {
	key     hostKey
	pool    *pool
	conns   int           // that there are, or that are being made
	dialing []*clientConn // those being made
	idle    []*clientConn // the last is used next: the others have a chance to become too old
	waiting []*call       // for a connection
	ripens  bool
}

// client is what the transports of a loop share.
type client struct {
	stage *rondo.Stage
	pools []*pool // that have hosts
	ripe  []*pool // that have some that ripen
	begun int     // calls, in this turn
}

// maxBegun is how many calls begin in one turn: as many as the loop keeps buffers for what they write, which is sent at the turn's end.
const maxBegun = 32

var clients = rondo.NewLocal(newClient)

func newClient(l *rondo.Loop) *client {
	k := new(client)
	k.stage = l.NewStage(func() { k.ripen() })
	l.OnDrain(func() { k.each(func(p *pool) { p.drain() }) })
	l.OnStop(func() { k.each(func(p *pool) { p.drain() }) })
	return k
}

func (k *client) each(fn func(*pool)) {
	for _, p := range slices.Clone(k.pools) {
		fn(p)
	}
}

// ripen is the stage.
func (k *client) ripen() {
	pools := k.ripe
	k.ripe, k.begun = nil, 0
	for _, p := range pools {
		hosts := p.ripening
		p.ripening = nil
		for _, h := range hosts {
			h.ripens = false
			h.pump()
		}
	}
}

// host is that of a call.
func (p *pool) host(k hostKey) *host {
	h := p.hosts[k]
	if h == nil {
		h = &host{key: k, pool: p}
		if len(p.hosts) == 0 {
			p.local.pools = append(p.local.pools, p)
		}
		p.hosts[k] = h
	}
	return h
}

// add has a call wait for a connection. One that is tried again comes first.
func (p *pool) add(x *call, again bool) {
	if p.loop.Draining() || p.loop.Stopping() {
		x.fail(rondo.ErrEngineClosed)
		return
	}
	h := p.host(x.key)
	x.host, x.waits = h, true
	if again {
		h.waiting = slices.Insert(h.waiting, 0, x)
	} else {
		h.waiting = append(h.waiting, x)
	}
	h.ripen()
}

// pump gives connections to those that wait, and has new ones made. Only the stage calls it: all that has arrived in this turn was delivered.
func (h *host) pump() {
	ripe := len(h.idle) // those behind are of this turn
	for turn := h.pool.loop.Turn(); ripe > 0 && h.idle[ripe-1].idleTurn == turn; ripe-- {
	}
	local := h.pool.local
	for range min(ripe, len(h.waiting), maxBegun-local.begun) {
		ripe--
		local.begun++
		c := h.idle[ripe]
		h.idle = slices.Delete(h.idle, ripe, ripe+1)
		h.pool.unlink(c)
		c.begin(h.next())
	}
	if len(h.waiting) > 0 && len(h.idle) > 0 {
		h.ripen()
	}
	most := h.pool.transport.MaxConnsPerHost
	for len(h.dialing) < len(h.waiting)-len(h.idle) && (most <= 0 || h.conns < most) {
		h.dial()
	}
	h.release()
}

// next is the call that has waited for longest.
func (h *host) next() *call {
	x := h.waiting[0]
	h.waiting[0] = nil
	h.waiting = h.waiting[1:]
	x.waits = false
	return x
}

// dial has a connection be made, on account of the call that has none yet; if it fails, it is that call that is told.
func (h *host) dial() {
	i := len(h.waiting) - 1
	for i > 0 && h.waiting[i].dials {
		i--
	}
	x := h.waiting[i]
	x.dials = true
	h.conns++
	c := &clientConn{pool: h.pool, host: h, dialedFor: x}
	h.dialing = append(h.dialing, c)
	c.dial()
}

// ripen has pump be called when all that has arrived was delivered.
func (h *host) ripen() {
	if h.ripens {
		return
	}
	h.ripens = true
	p := h.pool
	if len(p.ripening) == 0 {
		p.local.ripe = append(p.local.ripe, p)
	}
	p.ripening = append(p.ripening, h)
	p.local.stage.Arm()
}

// release forgets a host of which there is nothing.
func (h *host) release() {
	p := h.pool
	if h.conns > 0 || len(h.waiting) > 0 || p.hosts[h.key] != h {
		return
	}
	delete(p.hosts, h.key)
	if len(p.hosts) == 0 {
		if i := slices.Index(p.local.pools, p); i >= 0 {
			p.local.pools = slices.Delete(p.local.pools, i, i+1)
		}
	}
}

// remove has a call wait no longer. What was begun for it alone is given up.
func (h *host) remove(x *call) {
	x.waits = false
	if i := slices.Index(h.waiting, x); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
	}
	if n := len(h.dialing); n > len(h.waiting) {
		i := max(0, slices.IndexFunc(h.dialing, func(c *clientConn) bool { return c.dialedFor == x }))
		h.dialing[i].giveUp()
	}
	h.release()
}

// made is told of a connection that is ready, and failed of one that never will be.
func (h *host) made(c *clientConn) {
	h.dialing = slices.DeleteFunc(h.dialing, func(d *clientConn) bool { return d == c })
	if len(h.waiting) == 0 {
		h.pool.putIdle(c)
		return
	}
	c.begin(h.next())
}

func (h *host) failed(c *clientConn, err error) {
	h.dialing = slices.DeleteFunc(h.dialing, func(d *clientConn) bool { return d == c })
	h.conns--
	if x := c.dialedFor; x != nil && x.waits && x.host == h {
		h.waiting = slices.DeleteFunc(h.waiting, func(w *call) bool { return w == x })
		x.fail(err)
	}
	h.left()
}

// lost is told of a connection that was made and has ended.
func (h *host) lost() {
	h.conns--
	h.left()
}

// left is when there is one connection less.
func (h *host) left() {
	if len(h.waiting) > 0 {
		h.ripen()
	}
	h.release()
}

// putIdle keeps a connection for the next call, or closes it or the oldest if there are too many.
func (p *pool) putIdle(c *clientConn) {
	h := c.host
	if p.loop.Draining() || len(h.idle) >= p.maxIdlePerHost {
		_ = c.c.Close()
		return
	}
	if p.idleCount >= p.maxIdle {
		_ = p.takeIdle(p.idle.next).c.Close()
	}
	c.idleSince, c.idleTurn = p.loop.Elapsed(), p.loop.Turn()
	h.idle = append(h.idle, c)
	c.prev, c.next = p.idle.prev, &p.idle
	c.prev.next, p.idle.prev = c, c
	if p.idleCount++; !p.timed && p.keep > 0 {
		p.timed = true
		p.timer = p.loop.After(p.keep, p.expire)
	}
	if len(h.waiting) > 0 {
		h.ripen()
	}
}

// takeIdle is the opposite.
func (p *pool) takeIdle(c *clientConn) *clientConn {
	h := c.host
	for i, other := range slices.Backward(h.idle) {
		if other == c {
			h.idle = slices.Delete(h.idle, i, i+1)
			break
		}
	}
	p.unlink(c)
	return c
}

// unlink takes an idle connection out of the ring.
func (p *pool) unlink(c *clientConn) {
	c.prev.next, c.next.prev = c.next, c.prev
	c.next, c.prev = nil, nil
	if p.idleCount--; p.idleCount == 0 && p.timed {
		p.timed = false
		p.timer.Stop()
	}
}

// expire closes those that have been idle for too long.
func (p *pool) expire() {
	now := p.loop.Elapsed()
	p.timed = false
	for p.idleCount > 0 && now-p.idle.next.idleSince >= p.keep {
		_ = p.takeIdle(p.idle.next).c.Close()
	}
	if p.idleCount > 0 {
		p.timed = true
		p.timer = p.loop.After(p.keep-(now-p.idle.next.idleSince), p.expire)
	}
}

func (p *pool) closeIdle() {
	for p.idleCount > 0 {
		_ = p.takeIdle(p.idle.next).c.Close()
	}
}

// drain is when the engine shuts down: what is under way is finished, and nothing more is begun.
func (p *pool) drain() {
	p.closeIdle()
	hosts := slices.SortedFunc(maps.Values(p.hosts), func(a, b *host) int { return strings.Compare(a.key.address+a.key.proxy, b.key.address+b.key.proxy) })
	for _, h := range hosts {
		waiting := h.waiting
		h.waiting = nil
		for _, x := range waiting {
			x.waits = false
			x.fail(rondo.ErrEngineClosed)
		}
		for _, c := range slices.Clone(h.dialing) {
			c.giveUp()
		}
		h.release()
	}
}

// buffer is for what is used up within a callback; keepBuffer has the next one have it, grown.
func (p *pool) buffer() []byte { return p.scratch[:0] }

func (p *pool) keepBuffer(b []byte) {
	if cap(b) <= maxKept {
		p.scratch = b
	}
}
