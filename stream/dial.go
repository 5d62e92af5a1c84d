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
	s := New()
	s.owned = true
	d.Loop = t.Loop()
	_, err := task.Await(t, d.Dial(context.Background(), t.Engine(), network, address, s))
	if err != nil {
		s.abandoned = true // it may be made in this very turn
		if s.Conn() != nil {
			s.Abort()
		}
		return nil, err
	}
	return s, nil
}
