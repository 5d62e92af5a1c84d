package rondo

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/rondo-go/rondo/internal/poller"
)

// ErrSendStopped is what done is told of a file whose FileTransfer was stopped.
var ErrSendStopped = errors.New("rondo: sending a file was stopped")

// FileTransfer is a file on its way to a connection's peer: see [Conn.SendFile]. Only code on the connection's loop may use it.
type FileTransfer struct {
	conn   *Conn
	file   fs.File
	done   func(sent int64, err error)
	before int   // bytes of the output that come before, after the transfer before it
	offset int64 // of the next byte to be read
	left   int64 // bytes; below 0: to the end
	sent   int64

	kernel  poller.FileSender // nil: what is sent is copied
	raw     syscall.RawConn   // of a file for the kernel
	regular bool              // it is read on the loop
	at      io.ReaderAt       // it is read where we say; nil: where it is
	room    []byte            // to read into; nil until something was read
	read    []byte            // and not sent
	reading *Future[int]      // what is being read off the loop; nil if nothing is
	ended   bool              // there is nothing more to read

	over bool
	err  error
}

const (
	// fileBudget is how much of files a connection sends before others have their turn, in bytes: what one read or write may move.
	fileBudget = maxTransfer
	// fileChunk is how much of a file is read at a time where the kernel does not send it, and so what each such transfer keeps in memory.
	fileChunk = 64 << 10
)

// SendFile sends n bytes of f, beginning with the one at offset; with n below 0 all to the end, as it is when it is reached. What was written before goes out first, and what is written from now on waits until the file
// is sent, within the water marks and the limit for writes. Several files may be sent one after the other. A file is read only as fast as the peer takes it. Close and CloseWrite wait for it as for what was written, and
// so does a shutdown; Abort does not.
//
// On Linux sendfile(2) sends a regular [*os.File] over a connection without a layer: its bytes do not pass through the program, and f's own position stays as it is. They are taken from the file as they are
// when the network wants them, some of that after done was called. Regular files are otherwise read on the loop too, 64 KiB at a time: what is not in the page cache makes the loop wait for the disk.
// Anything else, such as a file of another fs.FS, a pipe or a device, is read by [Run], since it may block; it needs to be an io.ReaderAt or an io.Seeker unless offset is 0, in which case it is read
// from where it is. One turn of the loop sends at most 256 KiB of files on one connection.
//
// done is called once, on the loop, never from within SendFile, Stop or another callback; it may be nil. sent is how many bytes the kernel (or the layer) was given. The error is nil when that was all; [ErrSendStopped]; or what has ended the
// connection, ErrClosed if it was closed without a reason. If f gives an error or fewer than n bytes, the connection is reset, so that the peer does not take what it has for the whole: done and
// ConnectionLost are told a *fs.PathError, of io.ErrUnexpectedEOF for a file that is too short. f stays the caller's, who closes it in done or later. A Read of f that runs off the loop may still be under way
// in done if err is not nil; its result is dropped.
//
// SendFile returns ErrClosed when Write would, and a *fs.PathError if f cannot be asked what it is, or not be read from offset. It panics if f is nil or offset is negative. Only on the loop.
func (c *Conn) SendFile(f fs.File, offset, n int64, done func(sent int64, err error)) (*FileTransfer, error) {
	c.own("Conn.SendFile", "Handle.Do")
	if f == nil || offset < 0 {
		panic("rondo: Conn.SendFile needs a file, and an offset of 0 or more")
	}
	if c.flags&(isEnded|isClosing|hasFIN) != 0 {
		return nil, c.notWritable()
	}
	t := &FileTransfer{conn: c, file: f, done: done, offset: offset, left: n}
	if err := t.open(); err != nil {
		return nil, err
	}
	c.queueFile(t)
	return t, nil
}

// open finds out how the file is to be read.
func (t *FileTransfer) open() error {
	info, err := t.file.Stat()
	if err != nil {
		return t.fileError(err)
	}
	t.at, _ = t.file.(io.ReaderAt)
	f, ok := t.file.(*os.File)
	if ok && info.Mode().IsRegular() {
		t.regular = true
		if k, able := t.conn.loop.poller.(poller.FileSender); able && t.conn.flags&(isLayered|isFile) == 0 {
			if t.raw, err = f.SyscallConn(); err != nil {
				return t.fileError(err)
			}
			t.kernel = k
		}
		return nil
	}
	if t.offset == 0 || ok {
		t.at = nil // pipes and devices have ReadAt, and it does not work
	}
	if t.offset == 0 || t.at != nil {
		return nil
	}
	s, ok := t.file.(io.Seeker)
	if !ok {
		return t.fileError(errNoOffset)
	}
	if _, err := s.Seek(t.offset, io.SeekStart); err != nil {
		return t.fileError(err)
	}
	return nil
}

var errNoOffset = errors.New("it is neither an io.ReaderAt nor an io.Seeker, so it can be sent from its beginning only")

// Sent is how many bytes the kernel (or the layer) has been given so far. Only on the loop.
func (t *FileTransfer) Sent() int64 {
	t.conn.own("FileTransfer.Sent", "Loop.Post")
	return t.sent
}

// Stop sends no more of the file, unless it is over: done is told ErrSendStopped, and what was written behind it goes out next. A peer that waits for the rest must be told, or the connection aborted.
// Only on the loop.
func (t *FileTransfer) Stop() {
	t.conn.own("FileTransfer.Stop", "Loop.Post")
	t.finish(ErrSendStopped)
}

// step sends some of the file, at most budget bytes, and returns how many. None are sent if the kernel takes none now, the file is over, or it is being read.
func (t *FileTransfer) step(budget int) int {
	if t.left == 0 || t.ended && len(t.read) == 0 {
		if t.left > 0 {
			t.fail(io.ErrUnexpectedEOF)
		} else {
			t.finish(nil)
		}
		return 0
	}
	if t.left > 0 {
		budget = int(min(int64(budget), t.left))
	}
	if t.kernel != nil {
		return t.sendKernel(budget)
	}
	if len(t.read) == 0 && !t.fetch(budget) {
		return 0
	}
	p := t.read[:min(len(t.read), budget)]
	n := t.pass(p)
	t.read = t.read[n:]
	t.progress(n)
	return n
}

// progress counts what was sent.
func (t *FileTransfer) progress(n int) {
	t.sent += int64(n)
	if t.left > 0 {
		t.left -= int64(n)
	}
	if !t.over && t.conn.flags&isEnded == 0 {
		t.conn.setRare().filesSent += int64(n)
	}
}

// pass gives the connection, or its layer, bytes of the file and returns how many were taken.
func (t *FileTransfer) pass(p []byte) int {
	c := t.conn
	if c.flags&isLayered != 0 {
		if err := c.extra.layer.Write(p); err != nil {
			c.end(err, true)
			return 0
		}
		return len(p)
	}
	rest, err := c.send(p)
	if err != nil {
		return 0
	}
	return len(p) - len(rest)
}

// sendKernel has the kernel send.
func (t *FileTransfer) sendKernel(budget int) int {
	c := t.conn
	if c.flags&isLimited != 0 {
		if budget = c.mayWrite(budget); budget == 0 {
			return 0
		}
	}
	var n int
	var err error
	gone := t.raw.Control(func(fd uintptr) { n, err = t.kernel.SendFile(int(c.fd), int(fd), t.offset, budget) })
	if c.flags&isLimited != 0 {
		c.wrote(budget, n)
	}
	switch {
	case gone != nil:
		t.fail(os.ErrClosed) // the only thing that Control can fail for, and not so named by it
	case n > 0:
		t.offset += int64(n)
		t.progress(n)
		c.touch()
		if n < budget {
			c.flags |= blocked // or the file is shorter, and the next call says so
		}
	case err == nil:
		t.ended = true
	case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
		c.flags |= blocked
	case errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM):
		t.kernel = nil // some file systems cannot, or a sandbox forbids it
	case errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ESTALE):
		t.fail(err)
	default:
		c.end(c.opError("write", err), true)
	}
	return n
}

// fetch reads from the file, on the loop or off it. It reports whether there is something to be sent now.
func (t *FileTransfer) fetch(most int) bool {
	if t.reading != nil {
		return false
	}
	if t.room == nil {
		t.room = make([]byte, min(most, fileChunk))
	}
	room := t.room[:min(most, len(t.room))]
	if t.regular {
		n, err := readSome(t.file, t.at, t.offset, room)
		t.fetched(room, n, err)
		return len(t.read) > 0
	}
	c := t.conn
	t.reading = readOff(c.loop, t.file, t.at, t.offset, room)
	t.reading.OnDone(func(n int, err error) {
		if t.over {
			return
		}
		t.reading = nil
		t.fetched(room, n, err)
		c.again(0)
	})
	return false
}

// fetched is what was read.
func (t *FileTransfer) fetched(room []byte, n int, err error) {
	t.read = room[:n]
	t.offset += int64(n)
	switch {
	case err == io.EOF || err == nil && n == 0: //nolint:errorlint // io.Reader's is bare
		t.ended = true
	case err != nil:
		t.fail(err)
	}
}

// readSome reads at least a byte, unless there is none.
func readSome(f fs.File, at io.ReaderAt, offset int64, p []byte) (n int, err error) {
	if at != nil {
		return at.ReadAt(p, offset)
	}
	for range 100 { // as bufio does
		if n, err = f.Read(p); n != 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// fail ends the connection, since the peer cannot be given what it was to have.
func (t *FileTransfer) fail(err error) { t.conn.end(t.fileError(err), true) }

func (t *FileTransfer) fileError(err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	e := &fs.PathError{Op: "send", Err: err}
	if f, ok := t.file.(*os.File); ok {
		e.Path = f.Name()
	} else if info, failed := t.file.Stat(); failed == nil {
		e.Path = info.Name()
	}
	return e
}

// finish takes the transfer out of the line; done is told at the end of the turn.
func (t *FileTransfer) finish(err error) {
	if t.over {
		return
	}
	t.over, t.err = true, err
	t.room, t.read = nil, nil
	c := t.conn
	c.unqueueFile(t)
	if t.reading != nil {
		t.reading.Cancel(ErrSendStopped)
		t.reading = nil
	}
	c.loop.ended = append(c.loop.ended, ending{file: t})
	if c.flags&isEnded == 0 {
		c.again(0)
	}
}

// tell is done's turn.
func (t *FileTransfer) tell() {
	if t.done == nil {
		return
	}
	c := t.conn
	if c.flags&isEnded != 0 {
		t.done(t.sent, t.err)
		return
	}
	l := c.loop
	l.current = c
	t.done(t.sent, t.err)
	c.settle()
	l.current = nil
}

// readOff reads off the loop. The end of the file comes with the bytes before it, or as an error of its own.
func readOff(l *Loop, f fs.File, at io.ReaderAt, offset int64, p []byte) *Future[int] {
	return Run(l, func(context.Context) (int, error) {
		n, err := readSome(f, at, offset, p)
		if n > 0 && (err == nil || err == io.EOF) { //nolint:errorlint // io.Reader's is bare
			return n, nil
		}
		return 0, cmp.Or(err, io.EOF)
	})
}
