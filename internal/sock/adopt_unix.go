//go:build unix

package sock

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// errNotListening is what [ShareListener] refuses.
var errNotListening = fmt.Errorf("it is not a listening stream socket of TCP or Unix: %w", unix.EPROTOTYPE)

// ShareListener makes a non-blocking descriptor of the caller's own for a listening stream socket that somebody else has opened. As with
// [ShareFile] both name one open file, which is non-blocking for all who have it until the last of our duplicates is given to [Close].
func ShareListener(fd int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, os.NewSyscallError("fstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return -1, errNotListening
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return -1, os.NewSyscallError("getsockopt", err)
	}
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 || kind != unix.SOCK_STREAM || LocalAddr(fd) == nil {
		return -1, errNotListening
	}
	return share(fd, idOf(&st))
}
