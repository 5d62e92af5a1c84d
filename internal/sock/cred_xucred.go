//go:build darwin || freebsd

package sock

import "golang.org/x/sys/unix"

// PeerCredentials says who is at the other end of a Unix socket.
func PeerCredentials(fd int) (Credentials, error) {
	c, err := unix.GetsockoptXucred(fd, 0 /* SOL_LOCAL */, unix.LOCAL_PEERCRED)
	if err != nil {
		return Credentials{}, err
	}
	gid := -1
	if c.Ngroups > 0 {
		gid = int(c.Groups[0])
	}
	return Credentials{0, int(c.Uid), gid}, nil
}
