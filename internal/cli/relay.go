package cli

import (
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
)

// relay is rondo.Pipe, and counts the bytes as they pass: into fromA those that a has sent and b was given, into fromB the others. done is told why the first
// of the two was lost before its time, or nil.
func relay(a, b *rondo.Conn, fromA, fromB *atomic.Int64, done func(err error)) error {
	if err := rondo.Pipe(a, b, func(p rondo.Piped) { done(p.Err) }); err != nil {
		return err
	}
	on := loopSplices.On(a.Loop())
	a.SetProtocol(&direction{ends: a.Protocol().(ends), to: b, total: fromA, splices: on})
	b.SetProtocol(&direction{ends: b.Protocol().(ends), to: a, total: fromB, splices: on})
	return nil
}

// ends are what Pipe's protocol of a connection does beside passing bytes on: it passes the ends on, and holds back who is faster.
type ends interface {
	rondo.Protocol
	rondo.EOFReceiver
	rondo.WritePauser
	rondo.IdleReceiver
	rondo.Drainer
}

// direction passes the bytes of one connection on, and counts them.
type direction struct {
	ends
	to      *rondo.Conn
	total   *atomic.Int64
	splices *splices

	splice  *rondo.Splice // under way
	counted int64         // of its bytes
	checked int64         // counted when it was looked at last
}

// splices are those under way on a loop, whose bytes are counted when somebody asks.
type splices map[*direction]struct{}

var loopSplices = rondo.NewLocal(func(*rondo.Loop) *splices {
	s := make(splices)
	return &s
})

// spliceFrom is how much must come at once before the kernel is asked to move what follows. It is stopped when in so long no more than
// that has come, since small pieces are cheaper to copy.
const (
	spliceFrom  = 16 << 10
	spliceCheck = time.Second
)

// DataReceived implements rondo.Protocol in the place of Pipe's.
func (d *direction) DataReceived(c *rondo.Conn, p []byte) int {
	if _, err := d.to.Write(p); err != nil {
		return 0 // it is lost, and so will c be
	}
	d.total.Add(int64(len(p)))
	if len(p) >= spliceFrom {
		d.start(c)
	}
	return len(p)
}

// start has the kernel move what follows, where it can.
func (d *direction) start(c *rondo.Conn) {
	s, err := c.SpliceTo(d.to, func(n int64, _ error) { // the error is the end of a connection, which Pipe is told of, or no reason not to go on copying
		d.count(n)
		d.splice = nil
		delete(*d.splices, d)
	})
	if err != nil {
		return
	}
	d.splice, d.counted, d.checked = s, 0, 0
	(*d.splices)[d] = struct{}{}
	d.checkLater(c.Loop(), s)
}

// checkLater has a splice of which little comes stopped.
func (d *direction) checkLater(l *rondo.Loop, s *rondo.Splice) {
	l.After(spliceCheck, func() {
		if d.splice != s {
			return
		}
		d.count(s.Moved())
		if d.counted-d.checked <= spliceFrom {
			s.Stop()
			return
		}
		d.checked = d.counted
		d.checkLater(l, s)
	})
}

// count is told how many bytes the splice has moved.
func (d *direction) count(moved int64) {
	d.total.Add(moved - d.counted)
	d.counted = moved
}

// countSpliced has the bytes counted that splices have moved so far. It waits for the loops: not on one.
func countSpliced(e *rondo.Engine) {
	for _, l := range e.Loops() {
		counted := make(chan struct{})
		if !l.Post(func() {
			defer close(counted)
			for d := range *loopSplices.On(l) {
				d.count(d.splice.Moved())
			}
		}) {
			continue // it has ended, and so have they
		}
		select {
		case <-counted:
		case <-e.Done():
		}
	}
}
