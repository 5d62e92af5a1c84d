package poetry

import (
	"context"
	"time"

	"github.com/rondo-go/rondo"
)

// writeSliceBytes is how much of a large piece is written at a time. The rest waits where it is, in the poem that all
// clients share, and not in a copy for each client that reads slowly.
const writeSliceBytes = 32 << 10

// A recital is one client of the asynchronous server, as a protocol: the delivery's steps, each called by an event where
// the blocking server would wait. The client is heard of, the poem has been read, the request is complete, a piece is
// written, its wait is over.
type recital struct {
	server   *AsyncServer
	conn     *rondo.Conn
	delivery *delivery
	timer    rondo.Timer // the one thing that is waited for: a request, a client that does not read, or the next piece

	rest  []byte        // of what is being written
	wait  time.Duration // once that is written
	after func()        // and what comes then

	phase    recitalPhase
	heard    int  // bytes that have come since all was sent
	full     bool // the connection has enough to send
	halfway  bool // the client has ended its direction
	draining bool // the engine shuts down
}

type recitalPhase int

const (
	fetching   recitalPhase = iota // the poem is being read
	requesting                     // the request is not complete
	sending
	stalling // nothing more will come
	leaving  // all is sent, and the client is heard out
	gone
)

func (r *recital) ConnectionMade(c *rondo.Conn) {
	r.conn = c
	r.server.say.somebody(c.RemoteAddr())
	// Until the poem is there, nothing that the client sends is of interest.
	c.PauseReading()
	read := func(context.Context) ([]byte, error) { return r.server.read() }
	rondo.Run(c.Loop(), read).OnDone(r.begin)
}

// begin is called when the poem has been read.
func (r *recital) begin(poem []byte, err error) {
	if r.phase == gone {
		return
	}
	if err != nil {
		r.server.say.trouble(r.conn.RemoteAddr(), err)
		r.conn.Abort() // an end in good order would pass for an empty poem
		return
	}
	r.delivery = newDelivery(poem, &r.server.options)
	r.phase = requesting
	if r.delivery.request(nil) {
		r.send()
	} else if r.draining {
		_ = r.conn.Close()
	} else {
		r.at(handshakeTimeout, func() { _ = r.conn.Close() })
	}
	r.conn.ResumeReading()
}

// DataReceived leaves an incomplete request where it is, and takes no interest in anything else.
func (r *recital) DataReceived(_ *rondo.Conn, p []byte) int {
	if r.phase == requesting {
		if !r.delivery.request(p) {
			return 0
		}
		r.send()
	}
	if r.phase == leaving {
		if r.heard += len(p); r.heard >= farewellBytes {
			_ = r.conn.Close()
		}
	}
	return len(p)
}

// send begins to send.
func (r *recital) send() {
	r.phase = sending
	r.timer.Stop()
	r.write(r.delivery.begin(), 0, r.next)
}

// next sends the next piece.
func (r *recital) next() {
	wire, n, wait, ok := r.delivery.next()
	if !ok {
		r.finish()
		return
	}
	if n > 0 {
		r.server.say.sending(n)
	}
	r.write(wire, wait, func() { r.at(r.wait, r.next) })
}

func (r *recital) finish() {
	wire, end := r.delivery.finish()
	r.write(wire, 0, func() { r.end(end) })
}

func (r *recital) end(end End) {
	switch end {
	case EndClose:
		// Closing while the client still sends would reset the connection, and a reset may overtake the end of the poem.
		r.phase = leaving
		if r.halfway || r.conn.CloseWrite() != nil {
			_ = r.conn.Close()
			return
		}
		r.at(farewell, func() { _ = r.conn.Close() })
	case EndReset:
		r.conn.Abort()
	case EndStall:
		r.phase = stalling
		switch {
		case r.draining:
			r.conn.Abort() // an end in good order would pass for the poem's
		case r.halfway:
			_ = r.conn.Close()
		}
	}
}

// write writes p as fast as the client reads it, and goes on with after.
func (r *recital) write(p []byte, wait time.Duration, after func()) {
	r.rest, r.wait, r.after = p, wait, after
	r.push()
}

func (r *recital) push() {
	for len(r.rest) > 0 && !r.full {
		p := r.rest[:min(len(r.rest), writeSliceBytes)]
		r.rest = r.rest[len(p):]
		if _, err := r.conn.Write(p); err != nil {
			return // ConnectionLost has been, or will be, told
		}
	}
	if len(r.rest) == 0 && !r.full && r.after != nil {
		after := r.after
		r.after = nil
		after()
	}
}

// PauseWriting implements rondo.WritePauser. It may be called from within Conn.Write.
func (r *recital) PauseWriting(*rondo.Conn) {
	r.full = true
	r.at(writeTimeout, r.conn.Abort)
}

// ResumeWriting implements rondo.WritePauser.
func (r *recital) ResumeWriting(*rondo.Conn) {
	r.full = false
	r.timer.Stop()
	r.push()
}

func (r *recital) at(d time.Duration, fn func()) {
	r.timer.Stop()
	r.timer = r.conn.Loop().After(d, fn)
}

// EOFReceived implements rondo.EOFReceiver: a client that has only ended its own direction still gets its poem, as
// from the blocking server. One that has left altogether is found out by the next piece.
func (r *recital) EOFReceived(c *rondo.Conn) {
	r.halfway = true
	if r.phase == requesting || r.phase == stalling || r.phase == leaving {
		_ = c.Close()
	}
}

// Drain implements rondo.Drainer: a poem that is being sent goes on, but nobody waits for a client that does not ask, or
// for one that gets nothing more.
func (r *recital) Drain(c *rondo.Conn) {
	r.draining = true
	switch r.phase {
	case requesting:
		_ = c.Close()
	case stalling:
		c.Abort() // an end in good order would pass for the poem's
	default:
	}
}

func (r *recital) ConnectionLost(*rondo.Conn, error) {
	r.phase = gone
	r.timer.Stop()
	r.delivery, r.rest, r.after = nil, nil, nil
}
