package stream

import (
	"io"

	"github.com/rondo-go/rondo/task"
)

// Copy moves what comes from src to dst until src ends, and returns how many bytes that were. It reads no more than dst's peer
// takes. The end is not passed on: see [Stream.CloseWrite], and [Relay] for both directions. Where it can, on Linux between two
// sockets, the bytes do not leave the kernel (splice(2)). If it fails or is cancelled, what was taken from src has been written to dst,
// unless that is lost; the rest can still be read from src.
func Copy(t *task.Task, dst, src *Stream) (n int64, err error) {
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
	}
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
