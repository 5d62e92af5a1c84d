package rondo

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/rondo-go/rondo/internal/sock"
)

// fileAddr is the address of a connection over a file: the file's name.
type fileAddr string

func (fileAddr) Network() string  { return "file" }
func (a fileAddr) String() string { return string(a) }

// errNotForWriting is EBADF, as from write(2), and says what is the matter.
var errNotForWriting = fmt.Errorf("it is open for reading only: %w", syscall.EBADF)

// OpenFile makes a connection of an open pipe, FIFO, terminal, stream socket, or other device that can be
// polled: of standard input, for example. p is told ConnectionMade before OpenFile returns. It panics if p is nil.
//
// The connection has a descriptor of its own. f stays open and its caller's, who may close it at once, and the other
// side hears of the connection's end only when f is closed too. A file that is open for one direction makes a
// connection of one direction: see [Conn.Write] and [Conn.CloseWrite]. The end of a file is that of a
// pipe without writers, a terminal's end-of-file character, or its hang-up. That a pipe's readers have gone
// ends the connection with syscall.EPIPE, on Linux even when nothing is being written. A socket makes
// a connection like any other, but that Abort does not reset it.
//
// On Linux a pipe, FIFO or terminal is opened anew, so that nothing changes for others who have it. Where that is
// not possible, and for all else, the open file that f names is made non-blocking until the connection
// ends, for everybody who has it: others who read or write it meanwhile, f's owner included, may be told EAGAIN,
// and if the process is killed it stays so.
//
// The error is a *fs.PathError: of [ErrNotPollable] for what cannot be polled, of syscall.EPROTOTYPE for a socket that
// is no stream's, of [ErrEngineClosed], a [*LimitError], or what the system said. Only on the loop.
func (l *Loop) OpenFile(f *os.File, p Protocol) (*Conn, error) {
	l.mustOwn("Loop.OpenFile", "Loop.Post")
	if p == nil {
		panic("rondo: Loop.OpenFile needs a protocol")
	}
	c, err := l.openFile(f, p)
	if err != nil {
		name := ""
		if f != nil {
			name = f.Name()
		}
		return nil, &fs.PathError{Op: "open on a loop", Path: name, Err: err}
	}
	// It may be another connection's callback that calls.
	before := l.current
	l.nested(c, (*Conn).begin)
	l.current = before
	return c, nil
}

func (l *Loop) openFile(f *os.File, p Protocol) (*Conn, error) {
	if l.drained {
		return nil, ErrEngineClosed
	}
	raw, err := f.SyscallConn() // f.Fd can make f blocking, for everybody who has it
	if err != nil {
		return nil, err
	}
	var file sock.File
	if raw.Control(func(fd uintptr) { file, err = l.poller.OpenFile(int(fd)) }) != nil {
		err = os.ErrClosed // the only thing that Control can fail for, and not so named by it
	}
	if err != nil {
		return nil, err
	}
	flags, peer := l.fileKind(file)
	l.load.Add(1)
	c, err := l.adopt(file.FD, peer, p, flags, &settings{rare: &rarities{file: fileAddr(f.Name()), readOnly: flags&isFile != 0 && !file.Write}})
	if err != nil {
		l.load.Add(-1)
		_ = l.poller.Close(file.FD)
		if unwatchable(err) {
			err = ErrNotPollable
		}
		return nil, err
	}
	return c, nil
}

// unwatchable reports whether a poller refuses a device as such. The words are epoll's and kqueue's.
func unwatchable(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENODEV)
}

// fileKind says what kind of connection there is over f, and to whom if it is a socket.
func (l *Loop) fileKind(f sock.File) (flags connFlags, peer netip.AddrPort) {
	if f.Socket {
		if _, ok := l.poller.LocalAddr(f.FD).(*net.UnixAddr); ok {
			flags = isUnix
		} else if a, ok := l.poller.PeerAddr(f.FD).(*net.TCPAddr); ok { // it may have left already
			peer = a.AddrPort()
		}
		return flags, peer
	}
	flags = isFile
	if !f.Write {
		// As if the outgoing direction had been ended already.
		flags |= hasFIN | sentFIN
	}
	if !f.Read {
		flags |= writeOnly
		if !f.Pipe {
			// A terminal would be readable for what is typed, which is not ours to read.
			flags |= hasEOF
		}
	}
	return flags, peer
}

// readFile is what recv does on a file. One that cannot be read is readable when its readers have gone.
func (c *Conn) readFile(p []byte) (int, error) {
	if c.flags&writeOnly != 0 {
		return 0, syscall.EPIPE
	}
	return c.loop.poller.ReadFile(int(c.fd), p)
}

// fileFailed is an error found on a file of which nothing was wanted. What can be read will say what it is when it
// is; what cannot has nothing else to say than this.
func (c *Conn) fileFailed() {
	if c.flags&writeOnly != 0 {
		c.end(c.opError("write", syscall.EPIPE), true)
	}
}

// notWritable is why Write does nothing.
func (c *Conn) notWritable() error {
	if c.flags&(isEnded|isClosing|isFile) == isFile && c.extra.rare.readOnly {
		return c.opError("write", errNotForWriting)
	}
	return ErrClosed
}

// closeWrite ends the outgoing direction, or all of a file that has no other.
func (c *Conn) closeWrite() error {
	switch {
	case c.flags&isFile == 0:
		return c.loop.poller.CloseWrite(int(c.fd))
	case c.flags&writeOnly != 0:
		c.end(nil, false)
	}
	return nil
}

func (c *Conn) fileError(op string, err error) error {
	if c.flags&writeOnly != 0 && op == "read" {
		op = "write" // see readFile
	}
	return &net.OpError{Op: op, Net: "file", Addr: c.extra.rare.file, Err: syscallError(op, err)}
}
