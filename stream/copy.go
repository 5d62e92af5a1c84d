package stream

import (
	"errors"
	"fmt"
	"io"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Copy moves what comes from src to dst until src ends, and returns how many bytes that were. It reads no more than dst's peer
// takes. The end is not passed on: see [Stream.CloseWrite], and [Relay] for both directions. Where it can, on Linux between two
// sockets, the bytes do not leave the kernel (splice(2)). If it fails or is cancelled, what was taken from src has been written to dst,
// unless that is lost; the rest can still be read from src.
func Copy(t *task.Task, dst, src *Stream) (n int64, err error) {
	splices := true
	for {
		p, err := src.look(t)
		if err == io.EOF { //nolint:errorlint // ours, never wrapped
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k, err := dst.Write(t, p)
		n += int64(k)
		src.taken += k // only now: if it was cancelled in its turn among the writers, it can be read again
		if err != nil {
			return n, err
		}
		if len(p) >= spliceFrom && splices && src.Buffered() == 0 {
			moved, err := splice(t, dst, src)
			n += moved
			switch {
			case errors.Is(err, rondo.ErrNoSplice):
				splices = false
			case errors.Is(err, rondo.ErrSpliceStopped): // by a shutdown: what is left is the end
			default:
				return n, err
			}
		}
	}
}

// spliceFrom is how much must come at once before the kernel is asked to move the rest. What comes in small pieces costs the
// same either way, and a pipe for it could be in the way.
const spliceFrom = 16 << 10

// splice moves what comes from src to dst within the kernel, until src ends.
func splice(t *task.Task, dst, src *Stream) (int64, error) {
	src.settle()
	from, to := src.Conn(), dst.Conn()
	if from == nil || to == nil || from == to || src.ended != nil {
		return 0, rondo.ErrNoSplice
	}
	if src.busy() {
		return 0, ErrBusy
	}
	x := &splicing{task: t, src: src}
	var err error
	if x.splice, err = from.SpliceTo(to, x.done); err != nil {
		return 0, err
	}
	src.splice = x.splice
	if src.paused {
		src.resume()
	}
	err = t.Park(x)
	src.splice = nil
	if err != nil { // cancelled, perhaps before it began to wait
		x.splice.Stop()
		return x.splice.Moved(), err
	}
	return x.n, x.err
}

// splicing is a task that waits for a splice.
type splicing struct {
	task   *task.Task
	src    *Stream
	splice *rondo.Splice
	n      int64
	err    error
}

// done is called by the loop, once.
func (x *splicing) done(n int64, err error) {
	if x.src.splice != x.splice {
		return // the task has been cancelled
	}
	x.n, x.err, x.src.splice = n, err, nil
	x.task.Unpark()
}

// Abandon implements task.Parking.
func (x *splicing) Abandon(error) { x.src.splice = nil }

// String implements task.Parking.
func (x *splicing) String() string {
	return fmt.Sprintf("the end of what %v sends", x.src.RemoteAddr())
}

// Relay moves what comes from either to the other, until both have ended, and returns how many bytes went each way. An
// end is passed on, so that a half-closed conversation goes on in the other direction. When one direction fails the other
// is given up. It closes neither stream.
func Relay(t *task.Task, a, b *Stream) (fromA, fromB int64, err error) {
	err = task.WithGroup(t, func(t *task.Task, g *task.Group) error {
		g.Go(func(t *task.Task) (err error) {
			fromB, err = pass(t, a, b)
			return err
		})
		fromA, err = pass(t, b, a)
		return err
	})
	return fromA, fromB, err
}

func pass(t *task.Task, dst, src *Stream) (int64, error) {
	n, err := Copy(t, dst, src)
	if err != nil {
		return n, err
	}
	return n, dst.CloseWrite()
}
