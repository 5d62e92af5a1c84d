//go:build unix

package sock

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// RecvFiles is [Recv] for a Unix socket, with the descriptors that were passed with the bytes it reads; they are the caller's to close. Descriptors that there was no
// room for in the process are lost, and lost says so.
func RecvFiles(fd int, p []byte) (n int, fds []int, lost bool, err error) {
	var control [256 * 4 * 2]byte // CmsgSpace of MaxPassed, and to spare
	for {
		var got, flags int
		n, got, flags, _, err = unix.Recvmsg(fd, p[:min(len(p), MaxTransfer)], control[:], cloexec)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, nil, false, err
		}
		messages, err := unix.ParseSocketControlMessage(control[:got])
		if err != nil {
			return n, nil, true, nil //nolint:nilerr // they cannot be found
		}
		for _, m := range messages {
			if rights, err := unix.ParseUnixRights(&m); err == nil {
				fds = append(fds, rights...)
			}
		}
		closeOnExec(fds)
		return n, fds, flags&unix.MSG_CTRUNC != 0, nil
	}
}

// SendFiles is [Send] for a Unix socket, with descriptors that go with the first byte if any is sent. There must be one, and at most 253 descriptors.
func SendFiles(fd int, p []byte, fds []int) (int, error) {
	rights := unix.UnixRights(fds...)
	for {
		n, err := unix.SendmsgN(fd, p[:min(len(p), MaxTransfer)], rights, nil, noSignal)
		if err == unix.EINTR {
			continue
		}
		return max(n, 0), err
	}
}

// Duplicate gives a file another descriptor, which is closed on exec.
func Duplicate(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	failed := raw.Control(func(of uintptr) {
		fd, err = unix.FcntlInt(of, syscall.F_DUPFD_CLOEXEC, 0)
	})
	if failed != nil {
		return -1, os.ErrClosed
	}
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}
