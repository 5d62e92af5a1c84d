package sock

import "golang.org/x/sys/unix"

func noSigpipe(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NOSIGPIPE, 1) }

// Unsent is how many bytes were given to Send that the peer's side has not taken yet (SO_NWRITE).
func Unsent(fd int) int {
	const soNWrite = 0x1024 // <sys/socket.h>; not in x/sys
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, soNWrite)
	if err != nil {
		return 0
	}
	return n
}

func setKeepAliveIdle(fd, seconds int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPALIVE, seconds)
}
