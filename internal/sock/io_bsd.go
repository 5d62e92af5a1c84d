//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sock

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Recv reads what is there, at most len(p) and MaxTransfer bytes. It returns EAGAIN when
// nothing is there, and 0 with a nil error at the end of the stream.
//
// These systems allow system calls only through their C library, so there is no raw call here.
func Recv(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p[:min(len(p), MaxTransfer)])
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// Send writes what the kernel takes of p, at most MaxTransfer bytes. It returns EAGAIN when the
// kernel takes nothing.
func Send(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Write(fd, p[:min(len(p), MaxTransfer)])
		if err != unix.EINTR {
			return max(n, 0), err
		}
	}
}

// Accept takes the next connection as a non-blocking descriptor, EAGAIN if there is none, and
// who it is from; that is the zero AddrPort for a Unix socket.
func Accept(fd int) (int, netip.AddrPort, error) {
	for {
		var sa unix.Sockaddr
		n, err := open(func() (n int, err error) {
			n, sa, err = unix.Accept(fd)
			return n, err
		})
		if err == unix.EINTR {
			continue
		}
		if a, ok := netAddr(sa).(*net.TCPAddr); ok {
			return n, a.AddrPort(), err
		}
		return n, netip.AddrPort{}, err
	}
}

func socket(family int) (int, error) {
	return open(func() (int, error) { return unix.Socket(family, unix.SOCK_STREAM, 0) })
}

// open makes the descriptor that f returns non-blocking and closed on exec. Without accept4
// there is a moment between the two in which a fork would pass it on, so forking is held off.
func open(f func() (int, error)) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := f()
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	noSigpipe(fd)
	return fd, nil
}
