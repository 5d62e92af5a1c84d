package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Stdin is the process's standard input as a stream: a terminal, a pipe, a socket or a file. See [OpenFile].
func Stdin(t *task.Task) (*Stream, error) { return OpenFile(t, os.Stdin) }

// Stdout is the process's standard output as a stream, whatever that is. A Write returns when the bytes have been written: so
// nothing is lost when the program ends. See [OpenFile].
func Stdout(t *task.Task) (*Stream, error) { return openOutput(t, os.Stdout) }

// Stderr is standard error likewise.
func Stderr(t *task.Task) (*Stream, error) { return openOutput(t, os.Stderr) }

// errNotForReading is what reads of an output return.
var errNotForReading = errors.New("stream: it is open for writing only")

func openOutput(t *task.Task, f *os.File) (*Stream, error) {
	s, err := OpenFile(t, f)
	if err != nil {
		return nil, err
	}
	s.ended, s.paused = errNotForReading, true
	if c := s.Conn(); c != nil {
		c.PauseReading() // a terminal is the input too, and what is typed is the input's
		_, _, limit := c.WriteLimits()
		c.SetWriteLimits(0, 0, limit)
	}
	return s, nil
}

// OpenFile makes a stream of an open file, on the task's loop. What can be polled (pipes, FIFOs, terminals, sockets) is
// read and written by the loop, and [rondo.Loop.OpenFile] says how its flags are kept as they were; regular files and the like are read and written
// by [rondo.Run], a piece at a time. f stays open and its caller's: closing the stream does not close it.
func OpenFile(t *task.Task, f *os.File) (*Stream, error) {
	s := &Stream{owned: true}
	l := t.Loop()
	_, err := l.OpenFile(f, s)
	if errors.Is(err, rondo.ErrNotPollable) {
		s.begin(&blockingFile{stream: s, file: f}, l)
		s.paused = true // until somebody reads
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// blockingFile is a transport over a file that cannot be polled. All of it is on the loop, but for the calls that block.
type blockingFile struct {
	stream  *Stream
	file    *os.File
	reading bool // a read is under way
	paused  bool // and what it brings is the last for now
	out     []byte
	writing bool // out[0:n] is being written
	ended   bool // CloseWrite was called
	ending  bool // Close was called: it ends when all is written
	dead    bool
}

const fileChunk = 32 << 10

// ResumeReading implements transport.
func (b *blockingFile) ResumeReading() {
	b.paused = false
	b.read()
}

// PauseReading implements transport.
func (b *blockingFile) PauseReading() { b.paused = true }

func (b *blockingFile) read() {
	if b.reading || b.paused || b.dead {
		return
	}
	b.reading = true
	rondo.Run(b.stream.loop, func(context.Context) ([]byte, error) {
		p := make([]byte, fileChunk)
		for {
			n, err := b.file.Read(p)
			if n > 0 || err != nil {
				return p[:n], keepBytes(n, err)
			}
		}
	}).OnDone(func(p []byte, err error) {
		b.reading = false
		s := b.stream
		switch {
		case b.dead:
		case err == io.EOF: //nolint:errorlint // as os.File returns it
			s.end(io.EOF)
		case err != nil:
			s.end(err)
		default:
			s.received(p)
			b.read()
		}
	})
}

// keepBytes leaves an error that came with bytes to the next read, which will meet it again.
func keepBytes(n int, err error) error {
	if n > 0 {
		return nil
	}
	return err
}

// Write implements transport.
func (b *blockingFile) Write(p []byte) (int, error) {
	if b.ended || b.ending || b.dead {
		return 0, rondo.ErrClosed
	}
	if len(p) == 0 {
		return 0, nil // there would be nothing to wait for
	}
	b.out = append(b.out, p...)
	b.stream.blocked = true // until it is written
	b.write()
	return len(p), nil
}

func (b *blockingFile) write() {
	if b.writing || len(b.out) == 0 {
		return
	}
	b.writing = true
	p := b.out
	b.out = nil
	rondo.Run(b.stream.loop, func(context.Context) (int, error) { return b.file.Write(p) }).OnDone(func(_ int, err error) {
		b.writing = false
		switch {
		case b.dead:
		case err != nil:
			b.lose(err)
		case len(b.out) > 0:
			b.write()
		case b.ending:
			b.lose(nil)
		default:
			b.stream.ResumeWriting(nil)
		}
	})
}

func (b *blockingFile) lose(err error) {
	if !b.dead {
		b.dead = true
		b.stream.ConnectionLost(nil, err)
	}
}

// Buffered implements transport.
func (b *blockingFile) Buffered() int { return len(b.out) }

// CloseWrite implements transport. The file is its owner's to close.
func (b *blockingFile) CloseWrite() error {
	b.ended = true
	return nil
}

// Close implements transport.
func (b *blockingFile) Close() error {
	b.ending = true
	if !b.writing && len(b.out) == 0 {
		b.stream.loop.Defer(func() { b.lose(nil) })
	}
	return nil
}

// Abort implements transport.
func (b *blockingFile) Abort() {
	b.stream.loop.Defer(func() { b.lose(rondo.ErrAborted) })
}

// LocalAddr implements transport.
func (b *blockingFile) LocalAddr() net.Addr { return fileName(b.file.Name()) }

// RemoteAddr implements transport.
func (b *blockingFile) RemoteAddr() net.Addr { return fileName(b.file.Name()) }

// fileName is the address of a file.
type fileName string

func (fileName) Network() string  { return "file" }
func (n fileName) String() string { return string(n) }
