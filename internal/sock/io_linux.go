package sock

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Recv reads what is there, at most len(p) and MaxTransfer bytes. It returns EAGAIN when
// nothing is there, and 0 with a nil error at the end of the stream.
//
// recvfrom(2) and sendto(2) are used rather than read(2) and write(2): they skip the file
// layer's bookkeeping, which is worth 5 to 10 % of a small message, and MSG_NOSIGNAL spares
// the process a SIGPIPE.
func Recv(fd int, p []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), MaxTransfer)), 0, 0, 0)
		if e == 0 {
			return int(n), nil
		}
		if e != syscall.EINTR {
			return 0, e
		}
	}
}

// Send writes what the kernel takes of p, at most MaxTransfer bytes. It returns EAGAIN when the
// kernel takes nothing.
func Send(fd int, p []byte) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(min(len(p), MaxTransfer)), unix.MSG_NOSIGNAL, 0, 0)
		if e == 0 {
			return int(n), nil
		}
		if e != syscall.EINTR {
			return 0, e
		}
	}
}

// Accept takes the next connection as a non-blocking descriptor, EAGAIN if there is none, and
// who it is from; that is the zero AddrPort for a Unix socket.
func Accept(fd int) (int, netip.AddrPort, error) {
	var sa unix.RawSockaddrInet6 // the larger of the two that matter; a Unix peer's name is cut off
	for {
		size := uint32(unsafe.Sizeof(sa))
		n, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&sa)),
			uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e == 0 {
			return int(n), peer(&sa), nil
		}
		if e != syscall.EINTR {
			return -1, netip.AddrPort{}, e
		}
	}
}

func peer(sa *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:])
	switch sa.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), port)
	case unix.AF_INET6:
		a := netip.AddrFrom16(sa.Addr).Unmap() // a dual-stack listener sees IPv4 as ::ffff:a.b.c.d
		if sa.Scope_id != 0 && a.Is6() {
			a = a.WithZone(zoneName(sa.Scope_id))
		}
		return netip.AddrPortFrom(a, port)
	}
	return netip.AddrPort{}
}

// Unsent is how many bytes were given to Send that the peer's side has not taken yet: SIOCOUTQ, which is TIOCOUTQ to
// a terminal. A pipe does not know it, but tells at either end what is in it.
func Unsent(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err == unix.ENOTTY {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
	}
	if err != nil {
		return 0
	}
	return n
}

func socket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

func setKeepAliveIdle(fd, seconds int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds)
}
