// Package stream is connections as tasks see them: code that reads and writes from top to bottom, and waits where it
// must, on a loop.
//
//	ln, err := engine.Listen("tcp", "127.0.0.1:7000", stream.Handle(func(t *task.Task, s *stream.Stream) error {
//		for {
//			line, err := s.ReadLine(t, 1024)
//			if err != nil {
//				return err
//			}
//			if _, err := s.Write(t, append(line, '\n')); err != nil {
//				return err
//			}
//		}
//	}))
//
// A [Stream] is a [rondo.Protocol] that keeps what it hears for tasks that read. It holds a buffer only while
// there is something in it; a connection whose task waits costs the task (some 3 KB) and the connection (0.2 KB).
//
// All methods belong to the stream's loop, and those that wait take the task that waits first. One task may read while others
// write; several that write take turns, and several that read at the same time are a mistake, which the second is told of.
//
// Messages of a framing (netstrings, length prefixes: package frame) come by [Stream.ReadFrame] and go by [Stream.WriteFrame].
//
// # The end of a stream
//
// Reads return io.EOF once the peer has ended its direction and all that came before has been read; one that was promised
// more returns io.ErrUnexpectedEOF. When the engine shuts down, the stream ends likewise, after what has arrived: a handler need
// not know the difference, but can ask [Stream.Draining]. A stream that was dialed or opened does not, so that a handler which asks
// elsewhere gets whole answers to the last. After an error of the network every call returns that.
package stream
