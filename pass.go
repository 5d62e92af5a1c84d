package rondo

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// FileReceiver is implemented by protocols that want the open files which a peer passes over a Unix socket. FilesReceived is called before the DataReceived of the bytes that
// they came with (and of those before them that were read at the same time), and returns how many of them it has taken, from the front; the others are closed. It may close the connection or pause it. The files are as the peer has
// opened them, blocking or not, and are not inherited by child processes. At most 253 come at a time, which is Linux's limit.
//
// A protocol without it is never given any: the kernel closes them. Nor is one over a layer. If the process has no descriptors left for what was passed, the connection ends with
// syscall.EMFILE, since nobody could say which are missing.
type FileReceiver interface {
	FilesReceived(c *Conn, files []*os.File) (taken int)
}

// maxQueuedFiles is how many files may wait to be passed, each of which takes a descriptor.
const maxQueuedFiles = 512

// passage is descriptors on their way.
type passage struct {
	before int   // bytes of the output that come before, after the passage before it
	fds    []int // ours
}

// WriteFiles is Write with open files that the peer receives with p's first byte or with bytes before it that it reads at the same time, on a Unix socket (SCM_RIGHTS, unix(7)). p must not be empty, as the kernel wants it. The files stay the
// caller's, who may close them at once. It returns [ErrClosed] as Write does, a *BufferError likewise, and an error of errors.ErrUnsupported on a connection that is no Unix socket, has a layer, or is simulated. At most 253
// files go at a time, and no more than 512 wait for a peer that does not read: then the error says so, and nothing is written.
func (c *Conn) WriteFiles(p []byte, files ...*os.File) error {
	c.own("Conn.WriteFiles", "Handle.Do")
	_, ok := c.loop.poller.(poller.Passer)
	switch {
	case c.flags&(isEnded|isClosing|hasFIN) != 0:
		return c.notWritable()
	case len(p) == 0:
		return c.opError("write", errNoBytes)
	case len(files) == 0:
		_, err := c.Write(p)
		return err
	case len(files) > sock.MaxPassed:
		return c.opError("write", fmt.Errorf("%d files: at most %d are passed at a time", len(files), sock.MaxPassed))
	case c.sendsFiles():
		return c.opError("write", errBehindFile)
	case c.flags&isUnix == 0 || c.flags&(isFile|isLayered) != 0 || !ok:
		return c.opError("write", errNoPassing)
	}
	queued := 0
	if x := c.extra; x != nil && x.rare != nil {
		for _, p := range x.rare.passing {
			queued += len(p.fds)
		}
	}
	if queued+len(files) > maxQueuedFiles {
		return c.opError("write", fmt.Errorf("%d files wait for the peer to read already, and %d may at the most", queued, maxQueuedFiles))
	}
	fds, err := duplicates(files)
	if err != nil {
		return c.opError("write", err)
	}
	x := c.setRare()
	before := 0
	if c.out != nil {
		before = c.out.pending()
	}
	for _, earlier := range x.passing {
		before -= earlier.before
	}
	if c.out == nil { // write would pass over it
		c.out = c.loop.buffers.getOutput()
		c.loop.markDirty(c)
	}
	x.passing = append(x.passing, passage{before, fds})
	_, err = c.write(p)
	return err
}

// duplicates are descriptors of our own, so that the files may be closed.
func duplicates(files []*os.File) ([]int, error) {
	fds := make([]int, 0, len(files))
	for _, f := range files {
		fd, err := duplicate(f)
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

var (
	errBehindFile = errors.New("a file is being sent, and files cannot be passed behind it: wait until SendFile's done is called")

	errNoBytes   = errors.New("files are passed with bytes, and there are none")
	errNoPassing = fmt.Errorf("files are passed over Unix sockets without a layer only: %w", errors.ErrUnsupported)
)

// ended is the error of a call during which the connection has ended.
func (c *Conn) ended() error {
	if c.flags&isEnded != 0 {
		return ErrClosed
	}
	return nil
}

// passFiles sends what is before the last passage, and that with the bytes after it as far as they are taken at once. It reports whether the rest of the output may be sent.
func (c *Conn) passFiles() bool {
	x := c.extra.rare
	for len(x.passing) > 0 && c.flags&blocked == 0 {
		next := &x.passing[0]
		if next.before > 0 {
			rest, err := c.send(c.out.data[c.out.sent : c.out.sent+next.before])
			if err != nil {
				return false
			}
			c.out.sent += next.before - len(rest)
			c.took(next.before - len(rest))
			next.before = len(rest)
			continue
		}
		end := len(c.out.data)
		if len(x.passing) > 1 {
			end = c.out.sent + x.passing[1].before
		} else if len(x.files) > 0 {
			end = c.out.sent + x.files[0].before
		}
		p := c.out.data[c.out.sent:end]
		if c.flags&isLimited != 0 {
			if p = p[:c.mayWrite(len(p))]; len(p) == 0 {
				return false
			}
		}
		n, err := c.loop.poller.(poller.Passer).SendFiles(int(c.fd), p, next.fds) //nolint:errcheck // WriteFiles has looked
		if c.flags&isLimited != 0 {
			c.wrote(len(p), n)
		}
		switch {
		case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
			c.flags |= blocked
			return false
		case err != nil:
			c.end(c.opError("write", err), true)
			return false
		}
		c.touch()
		c.out.sent += n
		c.took(n)
		closeAll(next.fds)
		if len(x.passing) > 1 {
			x.passing[1].before -= n
		}
		if x.passing = x.passing[1:]; len(x.passing) == 0 {
			x.passing = nil
		}
	}
	return len(x.passing) == 0
}

// dropFiles closes what was not passed.
func (c *Conn) dropFiles() {
	x := c.extra.rare
	for _, p := range x.passing {
		closeAll(p.fds)
	}
	x.passing = nil
}

// recvUnix is Recv for a Unix socket, which may bring files.
func (c *Conn) recvUnix(p []byte) (int, error) {
	l := c.loop
	receiver, wanted := c.proto.(FileReceiver)
	passer, able := l.poller.(poller.Passer)
	if !wanted || !able || c.flags&isLayered != 0 {
		return l.poller.Recv(int(c.fd), p)
	}
	n, fds, lost, err := passer.RecvFiles(int(c.fd), p)
	if lost {
		closeAll(fds)
		return 0, errFilesLost
	}
	if len(fds) == 0 {
		return n, err
	}
	offerFiles(fds, receiver, "FilesReceived", func(files []*os.File) int { return receiver.FilesReceived(c, files) })
	if c.flags&(isEnded|isClosing) != 0 {
		return 0, syscall.EAGAIN // the bytes are nobody's
	}
	if c.flags&readPaused != 0 { // they wait
		if c.in == nil {
			c.in = l.buffers.getInput()
		}
		c.in.data = append(c.in.data, p[:n]...)
		return 0, syscall.EAGAIN
	}
	return n, err
}

// offerFiles gives a method of the protocol what was passed, and closes what it does not take.
func offerFiles(fds []int, proto any, method string, take func(files []*os.File) (taken int)) {
	var files []*os.File
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "passed"))
	}
	taken := 0
	defer func() { // also if it panics
		for _, f := range files[taken:] {
			_ = f.Close()
		}
	}()
	n := take(files)
	if n < 0 || n > len(files) {
		panic(fmt.Sprintf("rondo: %s of %T returned %d for %d files: it must return how many of them it has taken", method, proto, n, len(files)))
	}
	taken = n
}

var errFilesLost = fmt.Errorf("files that the peer has passed are lost, because the process has no descriptors for them: %w", syscall.EMFILE)

// Credentials are a process, as the kernel knows it.
type Credentials struct {
	PID      int // 0 where the system does not tell (macOS, the BSDs)
	UID, GID int
}

// PeerCredentials says who is at the other end of a Unix socket: who has connected, or who has listened, at that time. It is what the kernel knows, so the peer cannot lie. The error is a
// *net.OpError, of errors.ErrUnsupported for another connection, in a simulation, and where the system does not tell. Only on the loop.
func (c *Conn) PeerCredentials() (Credentials, error) {
	c.own("Conn.PeerCredentials", "Handle.Do")
	passer, able := c.loop.poller.(poller.Passer)
	switch {
	case c.flags&isEnded != 0:
		return Credentials{}, ErrClosed
	case !able || c.flags&isUnix == 0 || c.flags&isFile != 0:
		return Credentials{}, c.opError("ask who is the peer of", fmt.Errorf("only the peers of Unix sockets are known: %w", errors.ErrUnsupported))
	}
	who, err := passer.PeerCredentials(int(c.fd))
	if err != nil {
		return Credentials{}, c.opError("ask who is the peer of", err)
	}
	return Credentials(who), nil
}
