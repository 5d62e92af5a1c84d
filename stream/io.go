package stream

import (
	"io"

	"github.com/rondo-go/rondo/task"
)

// IO is a stream and the task that uses it, as the io package's interfaces: for bufio, fmt, encoding/json and all that take a
// reader or a writer. Make one with [Stream.IO]. Its methods wait, so only that task may call them.
type IO struct {
	task   *task.Task
	stream *Stream
}

var _ interface {
	io.ReadWriteCloser
	io.ByteReader
	io.WriterTo
	io.ReaderFrom
	io.StringWriter
} = IO{}

// IO is s for task t.
func (s *Stream) IO(t *task.Task) IO { return IO{t, s} }

// Read implements io.Reader.
func (x IO) Read(p []byte) (int, error) { return x.stream.Read(x.task, p) }

// Write implements io.Writer.
func (x IO) Write(p []byte) (int, error) { return x.stream.Write(x.task, p) }

// WriteString implements io.StringWriter.
func (x IO) WriteString(s string) (int, error) { return x.stream.Write(x.task, []byte(s)) }

// ReadByte implements io.ByteReader.
func (x IO) ReadByte() (byte, error) {
	p, err := x.stream.Next(x.task, 1)
	if err != nil {
		return 0, err
	}
	return p[0], nil
}

// WriteTo implements io.WriterTo: everything up to the end of the stream is written to w.
func (x IO) WriteTo(w io.Writer) (n int64, err error) {
	if to, ok := w.(IO); ok {
		return Copy(x.task, to.stream, x.stream)
	}
	for {
		p, err := x.stream.Next(x.task, maxBuffered)
		if err == io.EOF { //nolint:errorlint // ours, never wrapped
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k, err := w.Write(p)
		n += int64(k)
		if err == nil && k < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
}

// ReadFrom implements io.ReaderFrom: everything up to the end of r is written to the stream. r must not block; another
// stream's IO is read as Copy does.
func (x IO) ReadFrom(r io.Reader) (n int64, err error) {
	if from, ok := r.(IO); ok {
		return Copy(x.task, x.stream, from.stream)
	}
	buf := make([]byte, maxBuffered/2)
	for {
		k, err := r.Read(buf)
		if k > 0 {
			written, failed := x.stream.Write(x.task, buf[:k])
			n += int64(written)
			if failed != nil {
				return n, failed
			}
		}
		if err == io.EOF { //nolint:errorlint // as io.Copy does
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Close implements io.Closer; it does not wait.
func (x IO) Close() error { return x.stream.Close() }
