package stream

import (
	"io"

	"github.com/rondo-go/rondo/task"
)

// Copy moves what comes from src to dst until src ends, and returns how many bytes that were. It reads no more than dst's peer
// takes. The end is not passed on: see [Stream.CloseWrite], and [Relay] for both directions. Where it can, on Linux between two
// sockets, the bytes do not leave the kernel (splice(2)). If it fails or is cancelled, what was read has been written, unless
// dst is lost.
func Copy(t *task.Task, dst, src *Stream) (n int64, err error) {
	for {
		p, err := src.Next(t, maxBuffered)
		if err == io.EOF { //nolint:errorlint // ours, never wrapped
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k, err := dst.Write(t, p)
		n += int64(k)
		if err != nil {
			rest, _ := dst.put(p[k:]) // cancelled: it was read, so it is written, with nobody to wait for it
			return n + int64(rest), err
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
