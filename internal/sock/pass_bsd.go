//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sock

import "golang.org/x/sys/unix"

const (
	cloexec  = 0
	noSignal = 0 // sockets are made with SO_NOSIGPIPE, or package os ignores it
)

// closeOnExec does what recvmsg has no flag for here: a fork in between inherits them.
func closeOnExec(fds []int) {
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
}
