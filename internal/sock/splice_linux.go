package sock

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipeSize is what OpenPipe asks for, as much as Splice moves at a time. A pipe holds as many pieces as it has pages, however
// small they are: with the usual 16 that is some 20 KiB of a network's packets.
const pipeSize = MaxTransfer

// OpenPipe opens a pipe for [Splice].
func OpenPipe() (r, w int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return -1, -1, os.NewSyscallError("pipe2", err)
	}
	// A user without privileges may have only so much in pipes. A smaller one will do.
	_, _ = unix.FcntlInt(uintptr(p[1]), unix.F_SETPIPE_SZ, pipeSize)
	return p[0], p[1], nil
}

// Splice moves at most n and MaxTransfer bytes from a socket into a pipe, or from a pipe to a socket, by handing over
// the pages that they are in. It returns EAGAIN when there is nothing to move or no room, and 0 with a nil error at the
// end of the stream; for TCP's urgent data, EAGAIN too, until Recv has passed it over.
//
// The kernel raises SIGPIPE when the socket's peer has gone, since there is no MSG_NOSIGNAL here. Go's runtime takes it and does
// nothing, for the descriptor is neither 1 nor 2 (os/signal).
func Splice(from, to, n int) (int, error) {
	for {
		moved, _, e := syscall.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0,
			uintptr(min(n, MaxTransfer)), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		if e == 0 {
			return int(moved), nil
		}
		if e != syscall.EINTR {
			return 0, e
		}
	}
}
