package simtest

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// party is all the conversations of a world.
type party struct {
	w       *sim.World
	climate climate
	clients []*talker // by number
	closed  bool      // an engine has been
	all     []*talker
	life    map[*sim.Host]int // how often its program has begun
	shut    map[*sim.Host]int // the last of these lives of which the engine was told to end
}

// How a talker ends its direction.
const (
	byHalf  = iota // CloseWrite, and Close when the other has ended too
	byClose        // Close, also while the other speaks
	byAbort
)

// talker is one side of a conversation: it says bytes that are known beforehand, in every way there is, and holds what it hears against them.
type talker struct {
	p      *party
	host   *sim.Host
	life   int // of the host
	number int // of the conversation; -1: not known yet
	client bool
	other  *talker
	conn   *rondo.Conn

	made, lost bool
	err        error // that it was lost with
	busy       bool  // in a callback
	eof        bool

	total, written int // what is to be said, and what was
	most           int // what the other may have heard: of a write that failed, a part
	finished       bool
	said           bool // and it was the one to end it
	how            int
	rude           bool // does not heed PauseWriting
	elsewhere      bool // writes on a goroutine, by the handle
	paused         bool // writing
	overrun        bool

	got, seen int // what was consumed, and what has been there
	need      int
	deaf      bool // reading is paused
}

func (p *party) newTalker(h *sim.Host, client bool) *talker {
	r := p.w.Rand()
	t := &talker{p: p, host: h, life: p.life[h], number: -1, client: client}
	switch r.IntN(4) {
	case 0:
		t.total = 8 + r.IntN(100)
	case 1:
		t.total = 8 + r.IntN(100_000)
	default:
		t.total = 8 + r.IntN(10_000)
	}
	if r.IntN(4) == 0 {
		t.how = r.IntN(3)
	}
	t.rude = r.IntN(10) == 0
	t.elsewhere = r.IntN(4) == 0
	if client {
		t.number = len(p.clients)
		p.clients = append(p.clients, t)
	}
	p.all = append(p.all, t)
	return t
}

// drained reports whether its engine has been told to end.
func (t *talker) drained() bool { return t.p.shut[t.host] == t.life }

// gone reports whether the talker's process has been killed.
func (t *talker) gone() bool { return !t.host.Up() || t.life != t.p.life[t.host] }

// over reports whether nothing more is to be expected of it.
func (t *talker) over() bool { return t.lost || t.gone() || !t.made }

func (t *talker) errorf(format string, args ...any) {
	side := "server"
	if t.client {
		side = "client"
	}
	t.p.w.Errorf("conversation %d, %s: "+format, append([]any{t.number, side}, args...)...)
}

// enter begins a callback. One within another is a mistake, unless the protocol's own call has led to it.
func (t *talker) enter(c *rondo.Conn, nested bool) (leave func()) {
	switch {
	case !t.made:
		t.errorf("called before ConnectionMade")
	case t.lost:
		t.errorf("called after ConnectionLost")
	case t.conn != c:
		t.errorf("called with another's connection")
	case t.busy && !nested:
		t.errorf("called while it is being called")
	case t.gone():
		t.errorf("called after its process was killed")
	}
	before := t.busy
	t.busy = true
	return func() { t.busy = before }
}

func (t *talker) ConnectionMade(c *rondo.Conn) {
	if t.made {
		t.errorf("ConnectionMade twice")
	}
	t.made, t.conn = true, c
	defer t.enter(c, false)()
	r := t.p.w.Rand()
	if r.IntN(2) == 0 {
		high := 1 + r.IntN(20_000)
		limit := 1 << 20
		if r.IntN(4) == 0 {
			limit = high + r.IntN(50_000)
		}
		c.SetWriteLimits(r.IntN(high+1)*r.IntN(2), high, limit)
	}
	c.Loop().After(time.Hour, func() {
		if !t.lost {
			if !t.p.climate.dark {
				t.errorf("has not ended after an hour: %d of %d bytes written, paused %v, finished %v; %d heard, deaf %v, end %v",
					t.written, t.total, t.paused, t.finished, t.seen, t.deaf, t.eof)
			}
			c.Abort()
		}
	})
	if t.client {
		t.begin()
	}
}

// begin begins to speak. A server waits until it knows what about.
func (t *talker) begin() {
	if t.elsewhere {
		h := t.conn.Handle()
		t.host.Go(func() { t.dictate(h) })
		return
	}
	t.speak()
}

// expected are n bytes of what a side says, from byte at on: its number, and then what looks like noise.
func expected(number int, client bool, at, n int) []byte {
	p := make([]byte, n)
	key := uint64(number) * 2
	if client {
		key++
	}
	for i := range p {
		off := at + i
		if off < 8 && client {
			var head [8]byte
			binary.BigEndian.PutUint64(head[:], uint64(number))
			p[i] = head[off]
			continue
		}
		x := (key<<32 + uint64(off>>2) + 1) * 0x9E3779B97F4A7C15
		p[i] = byte(x >> (24 + 8*(off&3)))
	}
	return p
}

func (t *talker) piece() []byte {
	r := t.p.w.Rand()
	n := 0
	switch r.IntN(4) {
	case 0:
		n = r.IntN(10)
	case 1:
		n = r.IntN(60_000)
	default:
		n = r.IntN(3000)
	}
	if t.rude && t.paused && !t.elsewhere { // up to the limit, or just past it
		_, _, limit := t.conn.WriteLimits()
		n = limit - t.conn.Buffered() + r.IntN(20) - 5
	}
	return expected(t.number, t.client, t.written, min(max(n, 1), t.total-t.written))
}

// speak says some, and perhaps the rest later.
func (t *talker) speak() {
	r := t.p.w.Rand()
	for !t.lost && !t.finished && !t.overrun && (!t.paused || t.rude) {
		if t.how == byAbort && r.IntN(20) == 0 {
			t.conn.Abort()
			return
		}
		if t.written == t.total {
			t.finish()
			return
		}
		if !t.write(t.piece()) {
			return
		}
		switch r.IntN(8) {
		case 0:
			t.conn.Loop().After(upTo(t.p.w, 100*time.Millisecond), t.speak)
			return
		case 1:
			t.conn.Loop().Defer(t.speak)
			return
		case 2:
			t.conn.Handle().Do(func(*rondo.Conn) { t.speak() })
			return
		}
	}
}

// write reports whether it may go on.
func (t *talker) write(p []byte) bool {
	c := t.conn
	_, high, limit := c.WriteLimits()
	t.most = t.written + len(p)
	n, err := c.Write(p)
	_, full := errors.AsType[*rondo.BufferError](err)
	switch b := c.Buffered(); {
	case err == nil && n != len(p):
		t.errorf("%d bytes of %d were written", n, len(p))
	case err != nil && n != 0:
		t.errorf("%d bytes were written, and %v", n, err)
	case b > limit:
		t.errorf("%d bytes are buffered, and the limit is %d", b, limit)
	case err == nil && b > high && !t.paused:
		t.errorf("%d bytes are buffered, and it was not told to pause at %d", b, high)
	case full && !t.rude && len(p) <= limit-high:
		t.errorf("%v, though it has paused", err)
	}
	t.overrun = t.overrun || full
	if err == nil {
		t.written += n
	}
	return err == nil
}

func (t *talker) finish() {
	t.finished, t.said = true, true
	if t.how == byClose || t.eof {
		_ = t.conn.Close()
	} else if err := t.conn.CloseWrite(); err != nil {
		t.finished = false
	}
}

// dictate is what speaks for it on a goroutine.
func (t *talker) dictate(h rondo.Handle) {
	w := t.p.w
	for t.written < t.total {
		p := t.piece()
		t.most = t.written + len(p)
		n, err := h.Write(p)
		if err != nil {
			return // the connection has ended
		}
		t.written += n
		clear(p) // Write has a copy
		if w.Rand().IntN(3) == 0 {
			w.Sleep(upTo(w, 100*time.Millisecond))
		}
		if !t.rude {
			w.Wait(func() bool { return !t.paused || t.lost })
		}
	}
	if t.how == byClose {
		h.Do(func(c *rondo.Conn) { t.finish() })
		return
	}
	h.Do(func(c *rondo.Conn) {
		t.finish()
		if t.how == byAbort {
			t.finished = false
			c.Abort()
		}
	})
}

func (t *talker) PauseWriting(c *rondo.Conn) {
	defer t.enter(c, true)()
	if _, high, _ := c.WriteLimits(); t.paused || c.Buffered() <= high {
		t.errorf("PauseWriting with %d bytes buffered; it is paused: %v", c.Buffered(), t.paused)
	}
	t.paused = true
}

func (t *talker) ResumeWriting(c *rondo.Conn) {
	defer t.enter(c, false)()
	if low, _, _ := c.WriteLimits(); !t.paused || c.Buffered() > low {
		t.errorf("ResumeWriting with %d bytes buffered; it is paused: %v", c.Buffered(), t.paused)
	}
	t.paused = false
	if !t.elsewhere {
		t.speak()
	}
}

func (t *talker) DataReceived(c *rondo.Conn, p []byte) int {
	defer t.enter(c, false)()
	if t.number < 0 {
		if len(p) < 8 {
			c.Need(8)
			return 0
		}
		n := binary.BigEndian.Uint64(p)
		if n >= uint64(len(t.p.clients)) {
			t.errorf("it begins with %x", p[:8])
			c.Abort()
			return len(p)
		}
		t.number, t.other = int(n), t.p.clients[n]
		if t.other.other != nil {
			t.errorf("two connections say that they are it")
		}
		t.other.other = t
		t.begin()
		if t.lost || t.overrun {
			return 0
		}
	}
	switch before := t.seen - t.got; {
	case len(p) == 0, len(p) < before:
		t.errorf("DataReceived with %d bytes, and %d were left", len(p), before)
	case len(p) < t.need:
		t.errorf("DataReceived with %d bytes, and it needs %d", len(p), t.need)
	case t.deaf:
		t.errorf("DataReceived while reading is paused")
	case t.eof:
		t.errorf("DataReceived after the end")
	}
	t.need = 0
	want := expected(t.number, !t.client, t.got, len(p))
	for i := range p {
		if p[i] != want[i] {
			t.errorf("byte %d is wrong", t.got+i)
			c.Abort()
			return len(p)
		}
	}
	t.seen = t.got + len(p)
	if t.other != nil && t.seen > t.other.most {
		t.errorf("%d bytes have come, and %d were sent", t.seen, t.other.most)
	}
	return t.listen(c, len(p))
}

// listen takes some of the n bytes that are there.
func (t *talker) listen(c *rondo.Conn, n int) int {
	r := t.p.w.Rand()
	if r.IntN(2) == 0 {
		t.nudge(c)
	}
	if r.IntN(6) == 0 {
		c.PauseReading()
		t.deaf = true
		c.Loop().After(upTo(t.p.w, 2*time.Second), func() {
			t.deaf = false
			if !t.lost {
				c.ResumeReading()
			}
		})
	}
	if r.IntN(4) == 0 && n > 1 {
		left := 1 + r.IntN(min(n-1, 5000))
		t.got = t.seen - left
		if r.IntN(2) == 0 { // all others, even if they come in the same turn
			c.Loop().Defer(func() { t.nudge(c) })
		}
		if t.other != nil && r.IntN(2) == 0 {
			if to := t.other.total - t.got; to > left {
				t.need = left + 1 + r.IntN(to-left)
				c.Need(t.need)
			}
		}
		return n - left
	}
	t.got = t.seen
	return n
}

// nudge has others of the loop that have left something look at it again.
func (t *talker) nudge(c *rondo.Conn) {
	for _, o := range t.p.all {
		if o != t && o.made && !o.over() && !o.deaf && !o.eof && o.seen > o.got && o.conn.Loop() == c.Loop() {
			o.conn.PauseReading()
			o.conn.ResumeReading()
		}
	}
}

// whole is called when the other side has ended in good order, as far as the network knows: then all must be here.
func (t *talker) whole() {
	o := t.other
	switch {
	case o == nil && t.number < 0: // it ended before it said who it is
	case o == nil:
		if !t.client {
			t.errorf("an end from nowhere")
		}
	case o.gone() || o.overrun:
	case !o.finished && !o.drained():
		t.errorf("an end, after %d bytes, that was not said; the other has written %d of %d, ends in way %d, was lost: %v, %v, has heard the end: %v; elsewhere: %v",
			t.seen, o.written, o.total, o.how, o.lost, o.err, o.eof, o.elsewhere)
	case o.elsewhere && !o.said: // it may not have come to be written
	case t.seen != o.written && (t.need == 0 || o.written-t.got >= t.need):
		t.errorf("an end after %d bytes, and %d were sent", t.seen, o.written)
	}
}

// half is a talker that hears the end of the other, and speaks on.
type half struct{ *talker }

func (t half) EOFReceived(c *rondo.Conn) {
	defer t.enter(c, false)()
	if t.eof {
		t.errorf("EOFReceived twice")
	}
	t.eof = true
	t.whole()
	if t.finished || t.number < 0 {
		_ = c.Close()
	}
}

func (t *talker) ConnectionLost(c *rondo.Conn, err error) {
	t.enter(c, false)()
	if t.lost {
		t.errorf("ConnectionLost twice")
	}
	t.lost, t.err = true, err
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		t.finished = true
		t.whole()
		if left := t.seen > t.got; left != errors.Is(err, io.ErrUnexpectedEOF) && t.need == 0 {
			t.errorf("%v with %d bytes left", err, t.seen-t.got)
		}
	case err == nil && !t.finished && !t.drained() && t.number >= 0:
		t.errorf("it was closed by nobody")
	}
	if c.Handle().Alive() {
		t.errorf("its handle is alive")
	}
}
