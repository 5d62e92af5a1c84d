package rondo

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/rondo-go/rondo/internal/poller"
)

// Splice moves what one connection receives to another, inside the kernel. Only code on their loop may use it.
type Splice struct {
	src, dst *Conn
	done     func(n int64, err error)
	kernel   poller.Splicer
	pipes    *pipes

	pipe   pipe  // none unless it holds bytes, but for the time of a step
	held   int   // how many
	moved  int64 // bytes that are dst's
	eof    bool  // src has had its end
	told   bool  // and its protocol has been told
	drains bool  // the engine shuts down: what has arrived is the last
	spare  int   // bytes that may still arrive then
	large  bool  // it is stopped when what comes is small
	small  int   // how often in a row it has been
	err    error // why it is over
	over   bool
}

// splices are those that a connection takes part in.
type splices struct {
	from, into *Splice // nil if it is not an isSource, an isSink
	drainLater bool    // the engine shuts down, and the connection's turn comes when they are over
}

// SpliceTo moves all that c receives to dst, to the end of c's stream, without the bytes ever being seen by the program. It works on
// Linux, between two sockets of one loop, TCP or Unix; otherwise the error is [ErrNoSplice], and the caller
// copies. It is that too when dst is being spliced into already, and when there are no descriptors left for a pipe. A connection that
// has ended, or is being closed, gives [ErrClosed]. Only on the loop.
//
// What was written to dst before goes out first, then what c's protocol has not consumed (also of a DataReceived that is
// calling), then what arrives. From now on c's DataReceived is not called, and c is read only as fast as dst takes it. All
// else goes on: c can be written to, and what dst receives goes to dst's protocol, or by a second splice to c. PauseReading on c
// pauses the splice. What is written to dst meanwhile goes out as soon as it can, between any two bytes of the stream.
//
// When the stream has ended and dst's kernel has taken all n bytes of it, done is called with a nil error. That is all that c's
// end of file does: c is not closed for it, though its protocol's EOFReceived is called next, if it has one. It is for done to
// pass the end on with dst.CloseWrite, or to close both.
//
// If it is over sooner, done is told how many bytes dst was given, and why: [ErrSpliceStopped]; ErrClosed when either was closed here, or
// dst by CloseWrite; ErrEngineClosed; [ErrNoSplice] when there were no descriptors left for a pipe, and the caller goes
// on by copying; or the error that ended a connection, whose ConnectionLost follows. Unless dst has ended, it has been given
// all that was taken from c, and what c still receives goes to its protocol again.
//
// done is called once, on the loop, never from within SpliceTo, Stop or another callback; it may be nil. If it panics, c ends.
//
// When the engine shuts down, what has arrived by then is still moved (8 MiB at the most) unless c's protocol is a [Drainer], whose
// task it then is to close c.
func (c *Conn) SpliceTo(dst *Conn, done func(n int64, err error)) (*Splice, error) {
	c.own("Conn.SpliceTo", "Handle.Do")
	l := c.loop
	kernel, ok := l.poller.(poller.Splicer)
	if !ok || dst.loop != l || (c.flags|dst.flags)&(isFile|isLayered) != 0 {
		return nil, ErrNoSplice
	}
	switch {
	case c.flags&(isEnded|isClosing) != 0 || dst.flags&(isEnded|isClosing|hasFIN) != 0:
		return nil, ErrClosed
	case c.flags&isSource != 0:
		return nil, errSpliced
	case dst.flags&isSink != 0:
		return nil, ErrNoSplice
	}
	s := &Splice{src: c, dst: dst, done: done, kernel: kernel, pipes: loopPipes.On(l), spare: drainBudget}
	if !s.takePipe() {
		return nil, s.err
	}
	s.givePipe() // it was to see whether there is one
	s.eof = c.flags&hasEOF != 0
	s.told = s.eof
	c.splices().from, dst.splices().into = s, s
	c.flags |= isSource
	dst.flags |= isSink
	for _, x := range []*Conn{c, dst} {
		if x.flags&isDraining != 0 {
			x.flags &^= isDraining
			x.drainSplices()
		}
	}
	c.again(0)
	return s, nil
}

var errSpliced = errors.New("rondo: the connection is being spliced already")

// Moved is how many bytes dst has been given so far. Only on the loop.
func (s *Splice) Moved() int64 {
	s.src.own("Splice.Moved", "Loop.Post")
	return s.moved
}

// Stop ends the splice, unless it is over: done is told ErrSpliceStopped. What was taken from c is written to dst, as by Write. Only
// on the loop.
func (s *Splice) Stop() {
	s.src.own("Splice.Stop", "Loop.Post")
	s.end(ErrSpliceStopped)
}

func (c *Conn) splices() *splices {
	x := c.setRare()
	if x.splices == nil {
		x.splices = new(splices)
	}
	return x.splices
}

// spliceReadable is readable of a source, and what again has asked for.
func (c *Conn) spliceReadable() {
	if c.flags&(readPaused|isClosing|isEnded|sourceWaits) == 0 {
		c.extra.rare.splices.from.step(true)
	}
}

// spliceSettled is the beginning of settle for a sink. It reports whether there is anything else to settle.
func (c *Conn) spliceSettled() bool {
	if c.flags&isEnded != 0 {
		return false
	}
	switch s := c.extra.rare.splices.into; {
	case c.flags&(isClosing|hasFIN) != 0:
		s.end(ErrClosed)
	case s.src.flags&sourceWaits != 0:
		s.step(false)
	}
	return c.flags&isEnded == 0
}

// endSplices is told that the connection has ended.
func (c *Conn) endSplices(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	x := c.extra.rare.splices
	for _, s := range []*Splice{x.from, x.into} {
		if s != nil {
			s.end(reason)
		}
	}
}

// drainSplices puts off a connection's draining until its splices are over, and has the one that takes from it end when
// all that has arrived is moved. It reports false if the protocol knows better.
func (c *Conn) drainSplices() bool {
	if _, ok := c.proto.(Drainer); ok {
		return false
	}
	x := c.extra.rare.splices
	x.drainLater = true
	if s := x.from; s != nil {
		s.drains = true
		if c.flags&readPaused != 0 { // nothing more is wanted
			s.end(ErrEngineClosed)
		} else {
			c.again(0)
		}
	}
	return true
}

// step moves what it can: what waits, and what one more read gives. That is a turn's budget, as it is for other
// connections. Reading waits until all is sent, so the pipe is empty then, and EAGAIN means one thing only. ready says that
// src is readable, so that there must be something, and that nobody uses the loop's read buffer.
func (s *Splice) step(ready bool) {
	src, dst := s.src, s.dst
	if dst.flags&(isClosing|hasFIN) != 0 {
		s.end(ErrClosed)
		return
	}
	s.push()
	if !s.over && s.held == 0 && dst.out == nil && src.flags&(readPaused|isClosing) == 0 {
		switch {
		case src.in != nil:
			in := src.in
			src.in = nil
			s.write(in.data)
			s.push() // nobody else would, if it is dst that is being settled
			src.loop.buffers.putInput(in)
		case !s.eof && (src.flags&readWaits == 0 || s.drains):
			s.pull(ready)
		}
	}
	if !s.over {
		s.arrange()
	}
}

// push sends what waits.
func (s *Splice) push() {
	dst := s.dst
	if s.over || dst.out != nil && (dst.flags&blocked != 0 || dst.sendOutput() != nil || dst.out != nil) {
		return // it is before us, or dst has ended and so have we
	}
	if s.held == 0 || dst.flags&blocked != 0 {
		return
	}
	n := s.held
	if dst.flags&isLimited != 0 {
		if n = dst.mayWrite(n); n == 0 {
			return
		}
	}
	may := n
	n, err := s.kernel.Splice(s.pipe.r, int(dst.fd), n)
	if dst.flags&isLimited != 0 {
		dst.wrote(may, n)
	}
	if err != nil && err != syscall.EAGAIN { //nolint:errorlint // bare by the poller's contract
		dst.end(dst.opError("write", err), true)
		return
	}
	s.held -= n
	s.moved += int64(n)
	dst.touch()
	if s.held > 0 {
		dst.flags |= blocked
		return
	}
	s.givePipe()
}

// pull reads once, and sends what it gets.
func (s *Splice) pull(ready bool) {
	src := s.src
	if !s.takePipe() {
		s.end(s.err)
		return
	}
	may := maxTransfer
	limited := src.flags&isLimited != 0 && !s.drains
	if limited {
		if may = src.mayRead(may); may == 0 {
			s.givePipe()
			return
		}
	}
	n, err := s.kernel.Splice(int(src.fd), s.pipe.w, may)
	if limited {
		src.didRead(may, n)
	}
	switch {
	case n > 0:
		s.held = n
		src.touch()
		s.arrived(n)
		s.push()
		if s.small++; n >= spliceBelow {
			s.small = 0
		} else if s.large && s.small >= spliceSmall && s.held == 0 {
			s.end(ErrSpliceStopped)
		}
	case err == nil || err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
		s.givePipe()
		if ready {
			s.recv()
		}
	case errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM):
		s.end(noSplice(os.NewSyscallError("splice", err))) // some kinds of socket cannot, or a sandbox forbids it
	default:
		src.end(src.opError("read", err), true)
	}
}

// recv reads what splice has not: the end of the stream, or what stands behind TCP's urgent data, at which splice stops for
// ever, though the socket is readable.
func (s *Splice) recv() {
	src := s.src
	l := src.loop
	p := l.read
	limited := src.flags&isLimited != 0 && !s.drains
	if limited {
		if p = p[:src.mayRead(len(p))]; len(p) == 0 {
			return
		}
	}
	n, err := l.poller.Recv(int(src.fd), p)
	if limited {
		src.didRead(len(p), n)
	}
	switch {
	case n > 0:
		src.touch()
		s.arrived(n)
		s.write(l.read[:n])
		s.push()
	case err == nil:
		s.eof = true
	case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
		if s.drains {
			s.end(ErrEngineClosed)
		}
	default:
		src.end(src.opError("read", err), true)
	}
}

// arrived counts what comes while the engine shuts down.
func (s *Splice) arrived(n int) {
	if s.drains {
		s.spare -= n
	}
}

// write gives dst bytes that did not stay in the kernel.
func (s *Splice) write(p []byte) {
	s.moved += int64(len(p))
	_, _ = s.dst.Write(p) // an error has ended dst, and so the splice
}

// arrange decides what is waited for, or that it is over.
func (s *Splice) arrange() {
	src, dst := s.src, s.dst
	waits := s.held > 0 || dst.out != nil
	switch {
	case s.eof && !waits && src.in == nil:
		src.flags |= hasEOF
		s.end(nil)
		return
	case s.drains && (s.spare <= 0 || src.flags&readPaused != 0):
		if s.spare <= 0 {
			src.setRare().drained = drainBudget // so that it counts as cut off
		}
		s.end(ErrEngineClosed)
		return
	case waits:
		src.flags |= sourceWaits
	default:
		src.flags &^= sourceWaits
	}
	src.watch()
	if !s.over {
		dst.watch()
	}
	if !s.over && !waits && src.flags&readPaused == 0 && (s.drains || s.eof || src.in != nil) {
		src.again(0) // no event will come for it
	}
}

// end ends the splice. If dst is there, what was taken from src goes to it.
func (s *Splice) end(err error) {
	if s.over {
		return
	}
	s.over, s.err = true, err
	src, dst := s.src, s.dst
	if s.held > 0 && dst.flags&isEnded == 0 {
		s.spill()
	}
	s.givePipe()
	src.flags &^= isSource | sourceWaits
	dst.flags &^= isSink
	src.extra.rare.splices.from, dst.extra.rare.splices.into = nil, nil
	l := src.loop
	l.ended = append(l.ended, ending{splice: s})
	if src.flags&isEnded == 0 {
		var f connFlags
		if src.in != nil && len(src.in.data) > 0 {
			f |= mustRedeliver
		}
		src.again(f)
	}
	for _, c := range []*Conn{src, dst} {
		if x := c.extra.rare.splices; x.drainLater && c.flags&(isEnded|isSource|isSink) == 0 {
			x.drainLater = false
			l.queue = append(l.queue, runFunc(c.drain))
		}
	}
}

// spill moves what is in the pipe to dst's buffer.
func (s *Splice) spill() {
	dst := s.dst
	l := dst.loop
	p := make([]byte, s.held)
	for got := 0; got < len(p); {
		n, err := l.poller.ReadFile(s.pipe.r, p[got:])
		if n <= 0 { // it is all there, and nobody else has it
			l.engine.report("rondo: reading a pipe failed", err)
			return
		}
		got += n
		s.held -= n
	}
	if dst.flags&(isClosing|hasFIN) == 0 {
		s.write(p)
		return
	}
	// It is as if they had been written before that.
	s.moved += int64(len(p))
	if dst.out == nil {
		dst.out = l.buffers.getOutput()
		l.markDirty(dst)
	}
	dst.out.append(p)
}

// tell is done's turn, and then that of c's protocol.
func (s *Splice) tell() {
	c := s.src
	if c.flags&isEnded != 0 {
		if s.done != nil {
			s.done(s.moved, s.err)
		}
		return
	}
	l := c.loop
	l.current = c
	if s.done != nil {
		s.done(s.moved, s.err)
	}
	// SetProtocol lets the new protocol know of the end by itself.
	if s.err == nil && !s.told && c.flags&(hasEOF|isEnded|isClosing) == hasEOF && c.flags&hearsEOF != 0 {
		c.proto.(EOFReceiver).EOFReceived(c) //nolint:errcheck // hearsEOF says so
	}
	c.settle()
	l.current = nil
}

// pipe is both ends of one; zero if there is none.
type pipe struct{ r, w int }

// pipes are those of a loop that nobody uses. All are empty.
type pipes struct {
	loop *Loop
	free []pipe
}

// maxFreePipes are kept. A pipe is in use only while its bytes wait for a slow reader.
const maxFreePipes = 8

var loopPipes = NewLocal(func(l *Loop) *pipes {
	p := &pipes{loop: l}
	l.OnEnd(func() {
		for _, free := range p.free {
			p.close(free)
		}
		p.free = nil
	})
	return p
})

func (p *pipes) close(which pipe) {
	_ = p.loop.poller.Close(which.r)
	_ = p.loop.poller.Close(which.w)
}

// takePipe sees to it that there is one, or says in s.err why there is not.
func (s *Splice) takePipe() bool {
	if s.pipe != (pipe{}) {
		return true
	}
	p := s.pipes
	if last := len(p.free) - 1; last >= 0 {
		s.pipe, p.free = p.free[last], p.free[:last]
		return true
	}
	r, w, err := s.kernel.OpenPipe()
	if err != nil {
		s.err = noSplice(err)
		return false
	}
	s.pipe = pipe{r, w}
	return true
}

// givePipe gives it back, or closes it if there is something in it that nobody wants.
func (s *Splice) givePipe() {
	if s.pipe == (pipe{}) {
		return
	}
	if p := s.pipes; s.held == 0 && len(p.free) < maxFreePipes {
		p.free = append(p.free, s.pipe)
	} else {
		p.close(s.pipe)
	}
	s.pipe, s.held = pipe{}, 0
}

func noSplice(err error) error { return fmt.Errorf("%w: %w", ErrNoSplice, err) }
