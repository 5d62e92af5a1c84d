package sock

import (
	"golang.org/x/sys/unix"
)

// SendFile sends at most n and MaxTransfer bytes of a regular file, from offset, to a socket, and leaves the file's position alone. It returns EAGAIN when the socket takes
// nothing, and 0 with a nil error at the end of the file.
//
// It may wait for the disk, so unlike Send it is not a raw call: the scheduler knows that the thread may be gone for a while. For SIGPIPE see [Splice].
func SendFile(fd, file int, offset int64, n int) (int, error) {
	for {
		sent, err := unix.Sendfile(fd, file, &offset, min(n, MaxTransfer))
		if err != unix.EINTR { //nolint:errorlint // a system call's
			return max(sent, 0), err
		}
	}
}
