//go:build unix

package sock

import (
	"os"

	"golang.org/x/sys/unix"
)

// OpenFile makes a non-blocking descriptor of the caller's own for what fd names: a pipe, a FIFO, a terminal,
// another device that can be polled, or a stream socket. What cannot be polled gives [ErrNotPollable], another
// kind of socket EPROTOTYPE. fd stays open and its owner's.
//
// The flags of an open file belong to everybody who has it, the shell that started us included: a program
// that makes its standard input non-blocking and forgets it leaves a shell that cannot read. So what can be
// opened anew is, and nothing shared changes; for the rest [ShareFile] borrows the file.
func OpenFile(fd int) (File, error) {
	return openFile(fd, reopen)
}

// ShareFile is OpenFile on a duplicate of fd. Both name one open file, which is non-blocking for all who have
// it until the last of its duplicates is given to [Close] or [Reset].
func ShareFile(fd int) (File, error) {
	return openFile(fd, func(int, int, *unix.Stat_t) (int, bool) { return -1, false })
}

// openFile asks anew first, and borrows what that does not give.
func openFile(fd int, anew func(fd, flags int, st *unix.Stat_t) (int, bool)) (File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return File{}, os.NewSyscallError("fstat", err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return File{}, os.NewSyscallError("fcntl", err)
	}
	f := File{
		Read:  flags&unix.O_ACCMODE != unix.O_WRONLY,
		Write: flags&unix.O_ACCMODE != unix.O_RDONLY,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK, unix.S_IFLNK:
		return File{}, ErrNotPollable
	case unix.S_IFSOCK:
		f.Socket = true
		if err := streams(fd); err != nil {
			return File{}, err
		}
	case unix.S_IFIFO:
		f.Pipe = true
	default:
		if err := pollable(fd); err != nil {
			return File{}, err
		}
	}
	var ok bool
	if f.FD, ok = anew(fd, flags, &st); !ok {
		f.FD, err = share(fd, idOf(&st))
	}
	return f, err
}

// streams refuses sockets that do not carry a stream: datagrams have edges, and a listener has no bytes.
func streams(fd int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	listens, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if kind != unix.SOCK_STREAM || listens != 0 {
		return unix.EPROTOTYPE
	}
	return nil
}

// ReadFile is [Recv] with read(2), for what is not a socket. A terminal that was hung up says EIO where others
// say 0: it is the end too.
//
// Read and write go by way of Go's scheduler. Whoever else has a borrowed file can make it blocking again, and
// drivers exist that never heard of O_NONBLOCK: a raw call would then hold a processor for as long.
func ReadFile(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p[:min(len(p), MaxTransfer)])
		switch err {
		case unix.EINTR:
			continue
		case unix.EIO:
			return 0, nil
		}
		return max(n, 0), err
	}
}

// WriteFile is [Send] with write(2), for what is not a socket. The kernel raises SIGPIPE when a pipe's reader has
// gone; Go's runtime takes it and does nothing, since the descriptor is neither 1 nor 2 (os/signal).
func WriteFile(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Write(fd, p[:min(len(p), MaxTransfer)])
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}
