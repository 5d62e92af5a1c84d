package sim

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Connection is a connection between two hosts, or within one, for scripts: what its methods say goes wrong with it, whatever Config.Faults says of others.
type Connection struct{ plan *plan }

// OnConnect has fn called for every connection that begins from now on, before its first packet. Connections have names, so that a
// script can tell them apart. Fn must not wait.
func (w *World) OnConnect(fn func(c *Connection)) { w.scripts = append(w.scripts, fn) }

// script has the scripts say what is to go wrong.
func (w *World) script(p *plan) {
	for _, fn := range w.scripts {
		w.protect("a function given to World.OnConnect", func() { fn(&Connection{p}) })
	}
}

// Connections are those that stand or are being made, in the order of the hosts that have connected and of their beginning. One of which only one end
// stands is among them: the other end's machine may have been switched off, or a partition keeps it from hearing that the other has given up.
func (w *World) Connections() []*Connection {
	var all []*Connection
	for _, h := range w.hosts {
		for _, s := range h.connections() {
			if !s.dead && (!s.accepted || s.plan.ends[0].place == 0) {
				all = append(all, &Connection{s.plan})
			}
		}
	}
	slices.SortFunc(all, func(a, b *Connection) int {
		return cmp.Or(cmp.Compare(a.From().index, b.From().index), cmp.Compare(a.plan.place, b.plan.place))
	})
	return all
}

// Name is the connection's name, as logs and the names of faults have it: "client>server:80#1" is the first from host client to port 80 of host
// server. Over a Unix socket the path stands for the port.
func (c *Connection) Name() string { return c.plan.name }

// From is the host that connects.
func (c *Connection) From() *Host { return c.plan.ends[0].p.Host }

// To is the host that it connects to.
func (c *Connection) To() *Host { return c.plan.far }

// Port is the port that it connects to; 0 over a Unix socket.
func (c *Connection) Port() uint16 { return c.plan.ends[0].remote.Port() }

// Refuse has connecting refused: ECONNREFUSED.
func (c *Connection) Refuse() { c.plan.script.refuse = true }

// Lose has the first n packets lost, which are sent after 1, 2, 4 seconds again.
func (c *Connection) Lose(n int) { c.plan.script.lose = n }

// Silence has nothing ever come back: connecting takes two minutes to fail, unless somebody loses patience before.
func (c *Connection) Silence() { c.plan.script.silent = true }

// Abort has the connection be gone when it is accepted: ECONNABORTED.
func (c *Connection) Abort() { c.plan.script.abort = true }

// Reset resets the connection now, for both ends, or the one that stands. Before it stands, and after it has ended, Reset does nothing.
func (c *Connection) Reset() {
	p := c.plan
	if p.ends[1] == nil || p.ends[0].state == connecting && !p.ends[0].dead || p.ends[0].dead && p.ends[1].dead {
		return
	}
	p.w.log.add(p.way.name(), "reset", p.name)
	for _, s := range p.ends {
		if s.state != gone {
			s.fail(econnreset)
		}
	}
}

// Forth is what the host sends that connects.
func (c *Connection) Forth() *Way { return &Way{c.plan, 0} }

// Back is what is sent to it.
func (c *Connection) Back() *Way { return &Way{c.plan, 1} }

// Way is one direction of a connection.
type Way struct {
	plan *plan
	side int
}

func (d *Way) fate() *fate { return &d.plan.fates[d.side] }

// ResetAfter has the connection reset when n bytes were sent, which still arrive, and the reset behind them: in a partition, when it ends. The sender hears of it at
// once. With 0 it is reset when the first byte would be sent.
func (d *Way) ResetAfter(n int64) { d.add("ResetAfter", trouble{after: n, reset: true}) }

// StallAfter has nothing arrive for so long of what is sent after n bytes.
func (d *Way) StallAfter(n int64, stall time.Duration) {
	d.add("StallAfter", trouble{after: n, stall: int64(stall)})
}

func (d *Way) add(what string, t trouble) {
	if t.after < 0 {
		panic(fmt.Sprintf("sim: Way.%s needs a number of bytes that is not negative, and not %d", what, t.after))
	}
	f := d.fate()
	f.troubles = append(f.troubles, t)
}

// Stall has nothing arrive before d has passed of what is sent from now on.
func (d *Way) Stall(stall time.Duration) {
	f := d.fate()
	f.stalled = max(f.stalled, d.plan.w.now+int64(stall))
}

// Pieces says in which sizes what is sent next arrives. A piece waits until it is whole, or the direction is ended: so a script can have one
// write arrive in parts, and several together. After the last, all goes as it comes. A piece is of 64 KiB at the most. One in the midst of which the direction is to be
// reset or to stall goes in two: up to there, and the rest, if any comes, as the next.
func (d *Way) Pieces(sizes ...int) { d.fate().pieces = between("Pieces", sizes, maxPiece) }

// Writes says how many bytes the next writes to the connection take, at the most: the rest is left over, as when the system's buffer is full.
func (d *Way) Writes(sizes ...int) { d.fate().writes = between("Writes", sizes, math.MaxInt) }

// Reads says how many bytes the next reads get, at the most.
func (d *Way) Reads(sizes ...int) { d.fate().reads = between("Reads", sizes, math.MaxInt) }

// maxPiece is less than what there is room for where it arrives.
const maxPiece = 64 << 10

func between(what string, sizes []int, most int) []int {
	for _, n := range sizes {
		if n < 1 || n > most {
			panic(fmt.Sprintf("sim: Way.%s needs sizes from 1 to %d, and not %d", what, most, n))
		}
	}
	return slices.Clone(sizes)
}
