package stream

import (
	"context"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Dial connects to address, on the task's loop. Networks, addresses, limits and errors are those of [rondo.Engine.Dial]. If the
// task is cancelled the attempt is given up. A shutdown of the engine does not end the stream: the task ends it
// when it has what it wants, and has until the shutdown's context ends.
func Dial(t *task.Task, network, address string) (*Stream, error) {
	return DialWith(t, rondo.Dialer{}, network, address)
}

// DialWith is [Dial] with a Dialer's configuration, whose Loop is the task's whatever it says.
func DialWith(t *task.Task, d rondo.Dialer, network, address string) (*Stream, error) {
	d.Loop = t.Loop()
	return DialBy(t, func(ctx context.Context, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
		return d.Dial(ctx, t.Engine(), network, address, p)
	})
}

// DialBy is [Dial] for connections that are made in another way: over TLS, or to an endpoint, by the Dial of an endpoint.Dialer's On(t.Loop()). Connect is called once, with the stream as the protocol of a connection that
// is to belong to the task's loop: of another loop the error is [rondo.ErrDifferentLoops]. The other errors are connect's.
func DialBy(t *task.Task, connect func(ctx context.Context, p rondo.Protocol) *rondo.Future[*rondo.Conn]) (*Stream, error) {
	s := New()
	s.owned = true
	c, err := task.Await(t, connect(context.Background(), s))
	if err == nil && c.Loop() != t.Loop() {
		c.Handle().Abort()
		return nil, rondo.ErrDifferentLoops
	}
	if err != nil {
		s.abandoned = true // it may be made in this very turn
		if s.Conn() != nil {
			s.Abort()
		}
		return nil, err
	}
	return s, nil
}
