package rondo

import (
	"errors"
	"io"
)

// Piped is what became of a pipe: see [Pipe].
type Piped struct {
	FromA, FromB int64 // bytes that either has sent and were written to the other; of one that was lost, also those that its kernel had not taken
	Err          error // nil: both directions have ended in good order; else why the first of the connections was lost
}

// ErrDifferentLoops is Pipe's for connections of two loops. What is dialed for a connection is dialed on its loop: Dialer.Loop.
var ErrDifferentLoops = errors.New("rondo: the connections belong to different loops")

// Pipe joins two connections of one loop, as a proxy does: what either receives is sent to the other, no faster than the other takes it; the end of what one sends becomes that of what the other is sent, so that a half-closed conversation
// goes on in the other direction; when both have ended both are closed; and when one is lost before, the other is aborted, so that nobody takes what is missing for an end. (A layer's peer that
// ends without saying so, as many peers of TLS do, is taken to have said all: what it has sent goes on, and then an end.) What their protocols have not consumed goes first.
// The two protocols are replaced, and not told. Layers, as TLS is one, may be below either. Timeouts and limits of the connections hold as before.
//
// Large pieces are moved by splice(2) where there is no layer, on Linux; small ones are copied, which costs less for them.
//
// done is told once, on the loop, when both connections are gone; it may be nil. The error is [ErrDifferentLoops], or [ErrClosed] if either has ended or is being closed; then nothing was done. It panics if the two are one. While the engine shuts
// down a pipe goes on until it ends, or until the shutdown's context does. Only on the loop.
func Pipe(a, b *Conn, done func(Piped)) (*Joint, error) {
	a.own("Pipe", "Handle.Do")
	switch {
	case a == b:
		panic("rondo: Pipe needs two connections")
	case a.loop != b.loop:
		return nil, ErrDifferentLoops
	case (a.flags|b.flags)&(isEnded|isClosing) != 0, (a.flags|b.flags)&hasFIN != 0:
		return nil, ErrClosed
	}
	p := &Joint{done: done}
	p.ends[0] = pipeEnd{pipe: p, conn: a, other: &p.ends[1]}
	p.ends[1] = pipeEnd{pipe: p, conn: b, other: &p.ends[0]}
	for i := range p.ends {
		p.ends[i].conn.SetProtocol(&p.ends[i])
	}
	a.ResumeReading()
	b.ResumeReading()
	return p, nil
}

// Joint is two connections that [Pipe] has joined.
type Joint struct {
	ends [2]pipeEnd
	lost int // of the two
	err  error
	done func(Piped)
}

// Moved is how many bytes either has sent and were written to the other so far, also when it is over. What the other's kernel has not taken yet (Conn.Buffered) is counted. Only on the loop.
func (j *Joint) Moved() (fromA, fromB int64) {
	j.ends[0].conn.own("Joint.Moved", "Loop.Post")
	return j.ends[0].sent(), j.ends[1].sent()
}

// pipeEnd is the protocol of one of them.
type pipeEnd struct {
	pipe   *Joint
	conn   *Conn
	other  *pipeEnd
	copied int64   // bytes received and given to other without a splice
	moved  int64   // and by splices that are over
	splice *Splice // under way
	eof    bool    // it will receive nothing more
}

// spliceFrom is how much must have come at once before the kernel is asked to move what follows; below spliceBelow, splices times in a row, it is copied again.
const (
	spliceFrom  = 16 << 10
	spliceBelow = 4 << 10
	spliceSmall = 8
)

// ConnectionMade implements Protocol, as those below do. It is not called.
func (e *pipeEnd) ConnectionMade(*Conn) {}

func (e *pipeEnd) DataReceived(c *Conn, p []byte) int {
	to := e.other.conn
	if _, err := to.Write(p); err != nil {
		return 0 // it is lost, and so will c be
	}
	e.copied += int64(len(p))
	if len(p) >= spliceFrom && c.flags&(isLayered|isFile)|to.flags&(isLayered|isFile) == 0 {
		e.startSplice()
	}
	return len(p)
}

// startSplice has the kernel move what follows, while it comes in large pieces.
func (e *pipeEnd) startSplice() {
	s, err := e.conn.SpliceTo(e.other.conn, func(n int64, err error) {
		e.splice = nil
		e.moved += n
		if err == nil { // the end, which EOFReceived is told next; or was told before
			e.pass()
		}
	})
	if err == nil {
		s.large = true
		e.splice = s
	}
}

func (e *pipeEnd) EOFReceived(*Conn) {
	e.eof = true
	if e.splice == nil {
		e.pass()
	}
}

// pass tells the other side that nothing more comes.
func (e *pipeEnd) pass() {
	if !e.eof {
		return
	}
	_ = e.other.conn.CloseWrite()
	if e.other.eof && e.other.splice == nil {
		_ = e.conn.Close()
		_ = e.other.conn.Close()
	}
}

func (e *pipeEnd) PauseWriting(*Conn)  { e.other.conn.PauseReading() }
func (e *pipeEnd) ResumeWriting(*Conn) { e.other.conn.ResumeReading() }

// Idle implements IdleReceiver: a conversation that has stopped in its midst is not to look as if it had come to its end.
func (e *pipeEnd) Idle(c *Conn) {
	if e.pipe.err == nil {
		e.pipe.err = ErrIdle
	}
	c.Abort()
}

// Drain implements Drainer: a conversation goes on to its end.
func (e *pipeEnd) Drain(*Conn) {}

func (e *pipeEnd) ConnectionLost(_ *Conn, err error) {
	p := e.pipe
	lost := err != nil && !(err == io.EOF && e.eof) //nolint:errorlint // documented to be bare
	if lost && p.err == nil {
		p.err = err
	}
	if lost && !errors.Is(err, io.ErrUnexpectedEOF) {
		e.other.conn.Abort()
	} else if !e.eof || !e.other.eof { // somebody has closed it
		_ = e.other.conn.Close()
	}
	if p.lost++; p.lost == 2 && p.done != nil {
		p.done(Piped{FromA: p.ends[0].sent(), FromB: p.ends[1].sent(), Err: p.err})
	}
}

func (e *pipeEnd) sent() int64 {
	n := e.copied + e.moved
	if e.splice != nil {
		n += e.splice.moved
	}
	return n
}
