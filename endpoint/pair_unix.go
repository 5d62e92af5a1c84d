//go:build unix

package endpoint

import (
	"net"
	"os"
	"syscall"
)

// pair is two stream sockets that are connected to each other.
func pair() (near *os.File, far halfCloser, err error) {
	syscall.ForkLock.RLock()                                                // no child is started between the two calls
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0) //nolint:forbidigo // they become files at once
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	near = os.NewFile(uintptr(fds[0]), "standard input and output")
	other := os.NewFile(uintptr(fds[1]), "standard input and output")
	defer other.Close() // FileConn has one of its own
	c, err := net.FileConn(other)
	if err != nil {
		_ = near.Close()
		return nil, nil, err
	}
	return near, c.(*net.UnixConn), nil
}

// endOutput tells whoever reads from f that nothing follows: of a socket, which may be the input as well, that direction alone ends.
func endOutput(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	var failed error
	if raw.Control(func(fd uintptr) { failed = syscall.Shutdown(int(fd), syscall.SHUT_WR) }) == nil && failed != nil { //nolint:forbidigo // likewise
		_ = f.Close()
	}
}
