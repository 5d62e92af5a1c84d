//go:build dragonfly || freebsd || netbsd

package sock

import "golang.org/x/sys/unix"

func setKeepAliveIdle(fd, seconds int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds)
}
