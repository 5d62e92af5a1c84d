package sock

import "golang.org/x/sys/unix"

const (
	cloexec  = unix.MSG_CMSG_CLOEXEC
	noSignal = unix.MSG_NOSIGNAL
)

func closeOnExec([]int) {}

// PeerCredentials says who is at the other end of a Unix socket.
func PeerCredentials(fd int) (Credentials, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{int(c.Pid), int(c.Uid), int(c.Gid)}, nil
}
