//go:build unix

package sock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// AdoptListener makes a non-blocking descriptor of a listening stream socket that the process was given. It names the same open file as f, which stays open.
func AdoptListener(f *os.File) (fd int, err error) {
	if fd, err = Duplicate(f); err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return -1, errors.New("it is no socket")
	}
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	switch {
	case kind != unix.SOCK_STREAM:
		return -1, errors.New("it is a socket for datagrams, and no listening stream socket")
	case err == nil && listens == 0: // OpenBSD does not tell
		return -1, errors.New("it is a socket that does not listen")
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}
