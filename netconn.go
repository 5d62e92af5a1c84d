package rondo

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// netBuffer is how many bytes a net.Conn holds in each direction: what has come and was not Read, and
// what was written and the loop has not taken.
const netBuffer = 64 << 10

// NetConn makes c a net.Conn, for libraries that want one. It replaces the protocol; from then on the
// net.Conn alone has the connection, and any goroutine may use it, several at a time, as the
// interface says. Its goroutines block, the loop does not. Only on c's loop; for connections that are
// to be net.Conns from the start there are [Engine.DialContext] and [Engine.ListenNet].
//
// Write returns when its bytes are buffered, so an error may show only in a later call. Close sends
// what is buffered, for which a peer that does not read is given Config.CloseTimeout. The net.Conn has
// the methods CloseWrite, SetLinger and ReadFrom too, as a net.TCPConn has. While the engine shuts down it stays
// open until it is closed or the time is up.
func NetConn(c *Conn) net.Conn {
	n := newNetConn(c.loop.engine)
	c.SetProtocol(n)
	n.ConnectionMade(c)
	c.ResumeReading()
	if c.flags&isEnded != 0 {
		n.lost, n.dead = ErrClosed, ErrClosed
	}
	return n
}

// netConn is a protocol that keeps what it hears for goroutines that Read.
type netConn struct {
	made func(*netConn) // called on the loop when the connection stands; may be nil

	// The loop's side.
	conn   *Conn
	paused bool // the loop has enough to write

	mu      sync.Mutex
	changed cond  // something below has
	loop    *Loop // nil until the connection is made
	local   net.Addr
	remote  net.Addr
	in      []byte // received, not Read
	out     []byte // written, not taken by the loop
	posted  bool   // the loop has been asked to come
	full    bool   // reading is paused
	finish  bool   // CloseWrite was called
	closed  bool   // Close was called
	abort   bool   // SetLinger(0) was: Close resets
	lost    error  // the connection has ended, or its incoming direction (io.EOF)
	dead    error  // why it has ended altogether
	read    deadline
	write   deadline
	file    *netFile // which is being sent; nil if none is
	writing bool     // a Write is under way: one at a time, so that none is torn apart
}

func newNetConn(e *Engine) *netConn {
	n := new(netConn)
	n.changed.init(e, &n.mu)
	return n
}

// wake tells the goroutines that wait, and has the loop let them run.
func (n *netConn) wake() {
	n.changed.broadcast()
	if n.conn != nil {
		n.conn.loop.woke = true
	}
}

// locker implements timed.
func (n *netConn) locker() *sync.Mutex { return &n.mu }

// ConnectionMade implements Protocol.
func (n *netConn) ConnectionMade(c *Conn) {
	n.conn = c
	// Its own, whatever the engine's are: what it writes at once fits below the limit, and a pause is all that
	// ever happens to its goroutines.
	c.SetWriteLimits(netBuffer/4, netBuffer, c.Buffered()+4*netBuffer)
	n.mu.Lock()
	n.loop, n.local, n.remote = c.loop, c.LocalAddr(), c.RemoteAddr()
	n.mu.Unlock()
	n.run(c.loop)
	if n.made != nil {
		n.made(n)
	}
}

// DataReceived implements Protocol.
func (n *netConn) DataReceived(c *Conn, p []byte) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.in = append(n.in, p...)
	if len(n.in) >= netBuffer {
		n.full = true
		c.PauseReading()
	}
	n.wake()
	return len(p)
}

// EOFReceived implements EOFReceiver.
func (n *netConn) EOFReceived(*Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost = io.EOF
	n.wake()
}

// ConnectionLost implements Protocol.
func (n *netConn) ConnectionLost(_ *Conn, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead = err
	if err == nil || err == io.EOF { //nolint:errorlint // documented to be bare
		n.dead = ErrClosed
	}
	if n.lost == nil {
		n.lost = n.dead
	}
	n.read.timer.Stop()
	n.write.timer.Stop()
	n.wake()
}

// PauseWriting implements WritePauser. It may be called from within Conn.Write, and so with the lock held.
func (n *netConn) PauseWriting(*Conn) { n.paused = true }

// ResumeWriting implements WritePauser.
func (n *netConn) ResumeWriting(c *Conn) {
	n.paused = false
	n.run(c.loop)
}

// Drain implements Drainer: the connection is its user's to close.
func (n *netConn) Drain(*Conn) {}

// ask has the loop come, with the lock held.
func (n *netConn) ask() {
	if n.loop != nil && !n.posted && n.dead == nil {
		n.posted = true
		n.loop.add(n)
	}
}

// run is the loop, come to do what goroutines have asked for.
func (n *netConn) run(l *Loop) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.posted = false
	c := n.conn
	if n.dead != nil || c.flags&isEnded != 0 {
		return
	}
	if n.closed && n.abort {
		c.Abort()
		return
	}
	n.read.arm(n, l)
	n.write.arm(n, l)
	if n.full && len(n.in) < netBuffer/2 {
		n.full = false
		c.ResumeReading()
	}
	if len(n.out) > 0 && (!n.paused || n.closed) {
		_, _ = c.Write(n.out) // an error ends the connection
		if n.out = n.out[:0]; cap(n.out) > minRead {
			n.out = nil // an idle connection keeps no large buffer
		}
		n.wake()
	}
	if n.file != nil {
		n.sendFile()
	}
	if len(n.out) == 0 && n.finish && c.flags&hasFIN == 0 {
		_ = c.CloseWrite()
	}
	if n.closed {
		_ = c.Close()
	}
}

// SetLinger says, with 0 seconds, that Close drops what was not sent and resets the connection. With
// any other number Close sends it, and does not wait: that is the default.
func (n *netConn) SetLinger(seconds int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return n.opError("set", net.ErrClosed)
	}
	n.abort = seconds == 0
	return nil
}

// Read implements net.Conn.
func (n *netConn) Read(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case n.closed:
			return 0, n.opError("read", net.ErrClosed)
		case n.read.expired:
			return 0, n.opError("read", os.ErrDeadlineExceeded)
		case len(p) == 0:
			return 0, nil
		case len(n.in) > 0:
			k := copy(p, n.in)
			n.in = n.in[k:]
			if len(n.in) == 0 {
				n.in = nil
			}
			if n.full && len(n.in) < netBuffer/2 {
				n.ask()
			}
			return k, nil
		case n.lost == io.EOF: //nolint:errorlint // ours, never wrapped
			return 0, io.EOF
		case n.lost != nil:
			return 0, n.opError("read", n.lost)
		}
		n.changed.wait()
	}
}

// Write implements net.Conn.
func (n *netConn) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.writing {
		n.changed.wait()
	}
	n.writing = true
	defer func() {
		n.writing = false
		n.changed.broadcast()
	}()
	written := 0
	for {
		switch {
		case n.closed || n.finish:
			return written, n.opError("write", net.ErrClosed)
		case n.write.expired:
			return written, n.opError("write", os.ErrDeadlineExceeded)
		case n.dead != nil:
			return written, n.opError("write", n.dead)
		case len(p) == 0:
			return written, nil
		}
		if room := netBuffer - len(n.out); room > 0 {
			k := min(room, len(p))
			n.out = append(n.out, p[:k]...)
			p = p[k:]
			written += k
			n.ask()
			continue
		}
		n.changed.wait()
	}
}

// CloseWrite ends the outgoing direction once what was written is sent.
func (n *netConn) CloseWrite() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || n.dead != nil {
		return n.opError("close", net.ErrClosed)
	}
	n.finish = true
	n.changed.broadcast()
	n.ask()
	return nil
}

// Close implements net.Conn.
func (n *netConn) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return n.opError("close", net.ErrClosed)
	}
	n.closed = true
	n.in = nil
	n.changed.broadcast()
	n.ask()
	return nil
}

// LocalAddr implements net.Conn.
func (n *netConn) LocalAddr() net.Addr { return n.local }

// RemoteAddr implements net.Conn.
func (n *netConn) RemoteAddr() net.Addr { return n.remote }

// SetDeadline implements net.Conn.
func (n *netConn) SetDeadline(t time.Time) error { return n.setDeadlines(t, &n.read, &n.write) }

// SetReadDeadline implements net.Conn.
func (n *netConn) SetReadDeadline(t time.Time) error { return n.setDeadlines(t, &n.read) }

// SetWriteDeadline implements net.Conn.
func (n *netConn) SetWriteDeadline(t time.Time) error { return n.setDeadlines(t, &n.write) }

func (n *netConn) setDeadlines(t time.Time, ds ...*deadline) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return n.opError("set", net.ErrClosed)
	}
	n.loop.engine.world.Deadline(t)
	for _, d := range ds {
		d.set(t, n.loop)
		if d.at != 0 && (d.armed == 0 || d.armed > d.at) {
			n.ask()
		}
	}
	n.changed.broadcast()
	return nil
}

func (n *netConn) opError(op string, err error) error {
	if inner, ok := err.(*net.OpError); ok { //nolint:errorlint // only to not wrap twice
		err = inner.Err // the connection's own reason, which another call has met
	}
	e := &net.OpError{Op: op, Net: "tcp", Source: n.local, Addr: n.remote, Err: err}
	if n.local != nil {
		e.Net = n.local.Network()
	}
	return e
}

// deadline is one direction's. All of it is under the lock, but for the timer, which is the loop's.
type deadline struct {
	at      int64 // on the poller's clock; 0 for none
	expired bool
	armed   int64  // when timer fires; 0 if it does not
	fire    func() // what timer calls
	timer   Timer  // fires too early rather than being moved at each call: see arm
}

// timed is what has deadlines.
type timed interface {
	locker() *sync.Mutex
	wake()
}

func (d *deadline) set(t time.Time, l *Loop) {
	d.at, d.expired = 0, false
	if t.IsZero() {
		return
	}
	left := t.Sub(l.Now())
	if left <= 0 {
		d.expired = true
		return
	}
	d.at = max(0, l.poller.Now()+int64(left)) // what overflows is as good as never
}

// arm sees to it, on the loop, that the timer fires no later than the deadline. One that would fire
// earlier is left alone: most deadlines are moved on before they pass.
func (d *deadline) arm(n timed, l *Loop) {
	if d.at == 0 || d.armed != 0 && d.armed <= d.at {
		return
	}
	d.armed = d.at
	left := time.Duration(d.at - l.poller.Now())
	if d.timer.Reset(left) {
		return
	}
	if d.fire == nil {
		d.fire = func() { d.passed(n, l) }
	}
	d.timer = l.After(left, d.fire)
}

// passed is called when the timer fires, which need not be the deadline any more.
func (d *deadline) passed(n timed, l *Loop) {
	n.locker().Lock()
	defer n.locker().Unlock()
	d.armed = 0
	if d.at != 0 && l.poller.Now() >= d.at {
		d.at, d.expired = 0, true
		n.wake()
	}
	d.arm(n, l)
}

// DialContext connects to address and returns a net.Conn on the engine. It has the signature that
// http.Transport and database drivers take. It blocks until the connection stands: do not call it
// on a loop. See [Engine.Dial] for networks, addresses and errors, and [NetConn] for the connection.
func (e *Engine) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return Dialer{}.DialContext(ctx, e, network, address)
}

// DialContext is [Engine.DialContext] with this configuration.
func (cfg Dialer) DialContext(ctx context.Context, e *Engine, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n := newNetConn(e)
	dial := cfg.Dial(ctx, e, network, address, n)
	if _, err := dial.Wait(ctx); err != nil {
		dial.loop.Post(dial.Ignore)           // who has ended ctx knows why it will fail
		_ = n.Close()                         // it may have been made in the same moment
		if _, ok := err.(*net.OpError); !ok { //nolint:errorlint // only to not wrap twice
			err = &net.OpError{Op: "dial", Net: network, Addr: name(address), Err: err}
		}
		return nil, err
	}
	return n, nil
}
