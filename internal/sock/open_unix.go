//go:build unix

package sock

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Listen opens a non-blocking listening socket on addr, a *net.TCPAddr or *net.UnixAddr.
// Port 0 takes a free one; LocalAddr tells which.
func Listen(addr net.Addr, o Options) (fd int, err error) {
	family, sa, err := sockaddr(addr)
	if err != nil {
		return -1, err
	}
	if family == unix.AF_INET6 && isWildcard(addr) && !o.OnlyIPv6 && !haveIPv6() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: addr.(*net.TCPAddr).Port}
	}
	fd, err = socket(family)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer func(opened int) { // fd itself is -1 by then
		if err != nil {
			unix.Close(opened)
		}
	}(fd)
	if family != unix.AF_UNIX {
		// A restarted server must not wait for its predecessor's TIME_WAIT.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return -1, os.NewSyscallError("setsockopt", err)
		}
		if o.ReusePort {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
				return -1, os.NewSyscallError("setsockopt", err)
			}
		}
		if family == unix.AF_INET6 {
			// The wildcard listens to IPv4 too, wherever the system's default stands.
			v6only := 1
			if isWildcard(addr) && !o.OnlyIPv6 {
				v6only = 0
			}
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only)
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return -1, os.NewSyscallError("bind", err)
	}
	backlog := o.Backlog
	if backlog <= 0 {
		backlog = defaultBacklog
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return -1, os.NewSyscallError("listen", err)
	}
	return fd, nil
}

func isWildcard(addr net.Addr) bool {
	a, ok := addr.(*net.TCPAddr)
	return ok && (len(a.IP) == 0 || a.IP.Equal(net.IPv6unspecified))
}

func haveIPv6() bool {
	fd, err := socket(unix.AF_INET6)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet6{Addr: [16]byte(net.IPv6loopback)}) == nil
}

// Connect begins a connection to remote, from local unless that is nil. A nil error or
// EINPROGRESS comes with a descriptor: the connection stands, or will become writable when it
// does or has failed, which [SocketError] then tells. A Unix socket whose listener's backlog
// is full gives EAGAIN and no descriptor: try again later.
func Connect(remote, local net.Addr) (fd int, err error) {
	family, sa, err := sockaddr(remote)
	if err != nil {
		return -1, err
	}
	fd, err = socket(family)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if local != nil {
		lfamily, lsa, err := sockaddr(local)
		if err == nil && family == unix.AF_INET && isWildcard(local) {
			lfamily, lsa = family, &unix.SockaddrInet4{Port: local.(*net.TCPAddr).Port} // a port only
		}
		if err == nil && lfamily != family {
			err = &net.AddrError{Err: "local and remote address are of different families", Addr: local.String()}
		}
		if err == nil {
			err = os.NewSyscallError("bind", unix.Bind(fd, lsa))
		}
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
	}
	err = unix.Connect(fd, sa)
	switch err {
	case nil, unix.EINPROGRESS:
		return fd, err
	case unix.EINTR, unix.EALREADY: // it goes on by itself: connect(2), POSIX
		return fd, unix.EINPROGRESS
	}
	unix.Close(fd)
	if err == unix.EAGAIN {
		return -1, err
	}
	return -1, os.NewSyscallError("connect", err)
}

// SocketError takes the error that waits at the descriptor (SO_ERROR), nil if there is none.
func SocketError(fd int) error {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if n != 0 {
		return unix.Errno(n)
	}
	return nil
}

// CloseWrite ends the outgoing direction; the peer reads an end of file.
func CloseWrite(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

// Close closes the descriptor. What was sent is still delivered.
func Close(fd int) error {
	giveBack(fd)
	return unix.Close(fd)
}

// Reset closes the descriptor at once: what is not yet delivered is dropped and a TCP peer gets RST. A borrowed
// socket ([ShareFile]) is not ours to reset, and what is no socket cannot be: they are closed.
func Reset(fd int) error {
	if !giveBack(fd) {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 0})
	}
	return unix.Close(fd)
}

// SetNoDelay switches Nagle's algorithm off (true) or on. It does nothing on a Unix socket.
func SetNoDelay(fd int, on bool) error {
	return tcpOnly(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, btoi(on)))
}

// SetKeepAlive sends probes on a connection that has been silent for idle; zero or less
// switches them off. Seconds are the kernel's unit: idle is rounded up. It does nothing on a
// Unix socket.
func SetKeepAlive(fd int, idle time.Duration) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, btoi(idle > 0)); err != nil || idle <= 0 {
		return tcpOnly(err)
	}
	seconds := int((idle + time.Second - 1) / time.Second)
	return tcpOnly(setKeepAliveIdle(fd, seconds))
}

// tcpOnly drops the error of an option that Unix sockets do not have.
func tcpOnly(err error) error {
	if err == unix.EOPNOTSUPP || err == unix.ENOPROTOOPT {
		return nil
	}
	return err
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
