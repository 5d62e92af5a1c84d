package secure

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
)

// handshake is the protocol of a connection until it is secure. What crypto/tls computes it does on a goroutine, which waits when it has nothing to
// compute, so that few of them keep the processors busy and a peer that says nothing keeps nobody waiting: see turns.
type handshake struct {
	layer    *layer
	loop     *rondo.Loop
	conn     *rondo.Conn
	server   bool
	timeout  time.Duration
	config   *tls.Config                    // of a server: those that have it are counted together
	most     int                            // of them may hold a goroutine; less than zero: all
	began    func() rondo.Protocol          // makes the protocol that follows
	pauses   rondo.WritePauser              // is told of water marks meanwhile; nil: nobody is
	ended    func(c *rondo.Conn, err error) // is told how it went; nil: nobody is
	local    net.Addr
	remote   net.Addr
	timer    rondo.Timer
	asked    bool // for the first turn
	launched bool // the goroutine
	turn     bool // it has one
	over     bool
	paused   bool // writing is

	room  *room  // where it has a place for its goroutine; nil if it has none, or needs none
	age   uint64 // when it got it, counted by the loop
	index int    // among those in the room that wait, from 1; 0: it does not

	mu      sync.Mutex
	changed sync.Cond
	in      []byte // received, not read by the goroutine
	records records
	out     []byte // written by it, not sent
	posted  bool   // the loop has been asked to send it
	state   state  // of the goroutine
	eof     bool   // there is no more to read
	err     error  // it is over
}

type state uint8

const (
	notBegun state = iota
	waiting        // for something to read
	queued         // for its turn
	running
)

// defaultTimeout is how long a handshake may take.
const defaultTimeout = 10 * time.Second

func newHandshake(cfg Config, server bool) *handshake {
	h := &handshake{
		server:  server,
		timeout: cmp.Or(cfg.HandshakeTimeout, defaultTimeout),
		config:  cfg.TLS,
		most:    cmp.Or(cfg.MaxHandshakes, defaultMost),
	}
	h.changed.L = &h.mu
	h.layer = &layer{hand: h}
	if server {
		h.layer.tls = tls.Server((*wire)(h.layer), cfg.TLS)
	} else {
		h.layer.tls = tls.Client((*wire)(h.layer), cfg.TLS)
	}
	return h
}

// ConnectionMade implements rondo.Protocol, as those below do.
func (h *handshake) ConnectionMade(c *rondo.Conn) {
	h.conn, h.loop, h.layer.conn = c, c.Loop(), c
	h.local, h.remote = c.LocalAddr(), c.RemoteAddr()
	c.SetLayer(h.layer)
	c.HoldLayer() // lest a Handle that somebody kept write into the handshake, and in the clear
	if h.timeout > 0 {
		h.timer = h.loop.After(h.timeout, func() { h.fail(os.ErrDeadlineExceeded) })
	}
	if !h.server {
		h.asked = true
		turnsOf.On(h.loop).ask(h)
	}
}

// DataReceived implements rondo.Protocol. The layer has nothing for it: these are the bytes behind those with which the protocol before has made the connection a secure one.
func (h *handshake) DataReceived(_ *rondo.Conn, p []byte) int {
	h.received(p)
	return len(p)
}

// received is what the layer has received. A server's handshake begins when the first record is whole: so a peer that sends it a byte at a time costs no
// goroutine.
func (h *handshake) received(p []byte) {
	if h.take(p) {
		h.asked = true
		turnsOf.On(h.loop).ask(h)
	}
}

// receivedEOF is the end of what arrives. With TLS 1.3 a client may have said all that it has to say before the server's handshake is over.
func (h *handshake) receivedEOF() error {
	if !h.asked {
		return io.ErrUnexpectedEOF
	}
	h.mu.Lock()
	h.eof = true
	waits := h.state == waiting
	h.mu.Unlock()
	if waits {
		turnsOf.On(h.loop).ask(h)
	}
	return rondo.ErrMore
}

// take keeps what has arrived for the goroutine. It reports whether that waits for it, or is to begin.
func (h *handshake) take(p []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.in = append(h.in, p...)
	if len(h.in) > maxAhead {
		h.conn.PauseReading() // until the handshake is over
	}
	return h.ready() && (h.state == waiting || !h.asked)
}

// ready reports whether there is a record for the goroutine, with the lock held: what is less than one it could do nothing with.
func (h *handshake) ready() bool { return h.records.left > 0 || whole(h.in) }

// maxAhead is how much is read of what a peer sends before its handshake is over. All of a handshake is much less.
const maxAhead = 256 << 10

// PauseWriting implements rondo.WritePauser: what is written during the handshake waits for its end.
func (h *handshake) PauseWriting(c *rondo.Conn) {
	if h.paused = true; h.pauses != nil {
		h.pauses.PauseWriting(c)
	}
}

// ResumeWriting implements rondo.WritePauser.
func (h *handshake) ResumeWriting(c *rondo.Conn) {
	if h.paused = false; h.pauses != nil {
		h.pauses.ResumeWriting(c)
	}
}

func (h *handshake) ConnectionLost(_ *rondo.Conn, err error) {
	if err == nil || err == io.EOF { //nolint:errorlint // documented to be bare
		err = io.ErrUnexpectedEOF
	}
	h.fail(err)
}

// fail ends the handshake, from the loop.
func (h *handshake) fail(err error) {
	h.mu.Lock()
	if h.err == nil {
		h.err = err
		h.wake()
	}
	h.mu.Unlock()
	turnsOf.On(h.loop).leave(h) // a callback of the configuration may hang, and is not to stop the others
	h.finish(err)
}

// giveUp ends the handshake because nobody wants its result.
func (h *handshake) giveUp(reason error) {
	if h.conn != nil && !h.over {
		h.conn.Abort()
		h.fail(reason)
	}
}

// finish is the end, whatever it is.
func (h *handshake) finish(err error) {
	if h.over {
		return
	}
	h.over = true
	h.timer.Stop()
	if err != nil {
		err = &HandshakeError{Peer: h.remote, Err: err}
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ErrTooManyHandshakes) {
			h.conn.Abort()
		} else {
			h.conn.CloseBelow() // after the alert
		}
		h.loop.Engine().Logger().Debug("secure: a handshake failed", "peer", h.remote, "error", err)
		if h.ended != nil {
			h.ended(h.conn, err)
		}
		return
	}
	h.mu.Lock()
	rest := h.in
	h.mu.Unlock()
	h.layer.hand = nil
	h.layer.in, h.layer.own = rest, len(rest) > 0
	rawInput.reclaim(h.layer.tls)
	hand.reclaim(h.layer.tls)
	c := h.conn
	c.ReleaseLayer()
	p := h.began()
	if p == nil {
		_ = c.Close()
		return
	}
	told := false
	defer func() {
		if !told { // it panics, which ends the connection, as it does that of a plain one
			c.Abort()
		}
	}()
	c.SetProtocol(p)
	c.ResumeReading()
	c.WakeLayer()
	if h.paused { // p is not, for the connection: it is told again if it writes too much
		h.ResumeWriting(c)
	}
	p.ConnectionMade(c)
	told = true
	if h.ended != nil {
		h.ended(c, nil)
	}
}

// HandshakeError says that a connection has not become secure.
type HandshakeError struct {
	Peer net.Addr
	Err  error // os.ErrDeadlineExceeded, ErrTooManyHandshakes, io.ErrUnexpectedEOF, what crypto/tls says, or how the connection has ended
}

func (e *HandshakeError) Error() string {
	return fmt.Sprintf("secure: the TLS handshake with %v failed: %v", e.Peer, e.Err)
}

// Unwrap is Err.
func (e *HandshakeError) Unwrap() error { return e.Err }

// run is the goroutine.
func (h *handshake) run() {
	err := errors.New("secure: the handshake's goroutine has ended by runtime.Goexit")
	defer func() {
		if v := recover(); v != nil { // a callback of the configuration
			err = &rondo.PanicError{Value: v, Stack: debug.Stack()}
		}
		h.loop.Post(func() {
			turnsOf.On(h.loop).leave(h)
			h.flush()
			if h.err != nil {
				err = h.err
			}
			h.finish(err)
		})
	}()
	err = h.layer.tls.Handshake()
}

// read is the tls.Conn's, on the goroutine.
func (h *handshake) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.ready() && h.err == nil && !h.eof {
		h.state = waiting
		h.loop.Post(h.rest)
		h.wait(func() bool { return h.state == running || h.err != nil })
	}
	switch {
	case h.err != nil:
		return 0, h.err
	case !h.ready():
		return 0, io.ErrUnexpectedEOF
	}
	n := h.records.next(h.in, len(p))
	copy(p, h.in[:n])
	if h.in = h.in[n:]; len(h.in) == 0 {
		h.in = nil
	}
	return n, nil
}

// wait waits, with the lock held.
func (h *handshake) wait(ready func() bool) {
	for !ready() {
		h.block(ready)
		if !ready() {
			h.changed.Wait()
		}
	}
}

func (h *handshake) block(ready func() bool) {
	h.mu.Unlock()
	defer h.mu.Lock() // also when Block does not return, since the goroutine is killed
	h.loop.Engine().Block(func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return ready()
	}, h)
}

// wake has the goroutine look again, with the lock held.
func (h *handshake) wake() {
	h.changed.Broadcast()
	h.loop.Engine().Wake(h)
}

// rest is when the goroutine has begun to wait: it is another's turn. If something has come meanwhile it has been seen to.
func (h *handshake) rest() {
	h.mu.Lock()
	waits := h.state == waiting && h.err == nil
	h.mu.Unlock()
	if waits {
		turnsOf.On(h.loop).rest(h)
	}
}

// begin lets the goroutine go on.
func (h *handshake) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = running
	if !h.launched {
		h.launched = true
		h.loop.Engine().Go(h.run)
		return
	}
	h.wake()
}

// write is the tls.Conn's, on the goroutine.
func (h *handshake) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return 0, h.err
	}
	h.out = append(h.out, p...)
	if !h.posted {
		h.posted = true
		h.loop.Post(h.flush)
	}
	return len(p), nil
}

// flush sends what the goroutine has written.
func (h *handshake) flush() {
	h.mu.Lock()
	out := h.out
	h.out, h.posted = nil, false
	h.mu.Unlock()
	if len(out) > 0 && !h.over {
		_, _ = h.conn.WriteBelow(out) // an error ends the connection, and with it the handshake
	}
}
