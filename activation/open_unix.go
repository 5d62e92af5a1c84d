//go:build unix

package activation

import (
	"errors"
	"os"
	"syscall"
)

var errNoSocket = errors.New("it is no socket")

// check refuses what is no socket.
func check(fd int) error {
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return errNoSocket
	}
	return nil
}

// open makes a file of a descriptor that was passed.
func open(fd int, name string) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}
