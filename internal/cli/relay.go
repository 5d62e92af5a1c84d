package cli

import (
	"sync/atomic"

	"github.com/rondo-go/rondo"
)

// relay is two connections that are joined, and where the bytes are counted that have passed: when they have ended, and when somebody asks.
type relay struct {
	pipe         *rondo.Joint
	fromA, fromB *atomic.Int64
	a, b         int64 // counted so far
}

// relays are those of a loop.
type relays map[*relay]struct{}

var loopRelays = rondo.NewLocal(func(*rondo.Loop) *relays {
	r := make(relays)
	return &r
})

// join is rondo.Pipe, and counts what a has sent and b was given into fromA, and the others into fromB. done is told why the first
// of the two was lost before its time, or nil.
func join(a, b *rondo.Conn, fromA, fromB *atomic.Int64, done func(err error)) error {
	all := *loopRelays.On(a.Loop())
	r := &relay{fromA: fromA, fromB: fromB}
	pipe, err := rondo.Pipe(a, b, func(p rondo.Piped) {
		r.count()
		delete(all, r)
		done(p.Err)
	})
	if err != nil {
		return err
	}
	r.pipe = pipe
	all[r] = struct{}{}
	return nil
}

func (r *relay) count() {
	a, b := r.pipe.Moved()
	r.fromA.Add(a - r.a)
	r.fromB.Add(b - r.b)
	r.a, r.b = a, b
}

// countRelays counts what those under way have moved so far. It waits for the loops: not on one.
func countRelays(e *rondo.Engine) {
	for _, l := range e.Loops() {
		counted := make(chan struct{})
		if !l.Post(func() {
			defer close(counted)
			for r := range *loopRelays.On(l) {
				r.count()
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
