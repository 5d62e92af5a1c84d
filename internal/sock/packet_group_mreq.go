//go:build dragonfly || netbsd || openbsd

package sock

import (
	"errors"

	"golang.org/x/sys/unix"
)

// errInterface is returned where a network interface cannot be chosen by its number.
var errInterface = errors.New("this system does not choose the interface of an IPv4 group by its number")

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
