//go:build linux || darwin || freebsd

package sock

import "golang.org/x/sys/unix"

func setMulticastInterface4(fd, iface int) error {
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(iface)})
}

func setGroup4(fd int, group [4]byte, iface int, join bool) error {
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, groupName(join), &unix.IPMreqn{Multiaddr: group, Ifindex: int32(iface)})
}
