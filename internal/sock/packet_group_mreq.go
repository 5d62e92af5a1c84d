//go:build dragonfly || netbsd || openbsd

package sock

import "golang.org/x/sys/unix"

func setMulticastInterface4(_, iface int) error {
	if iface != 0 {
		return errInterface
	}
	return nil
}

func setGroup4(fd int, group [4]byte, iface int, join bool) error {
	if iface != 0 {
		return errInterface
	}
	return unix.SetsockoptIPMreq(fd, unix.IPPROTO_IP, groupName(join), &unix.IPMreq{Multiaddr: group})
}
