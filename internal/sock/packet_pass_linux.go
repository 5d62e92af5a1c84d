package sock

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// recvControl receives a datagram as the first of b's, and what comes with it into b.control.
func (b *PacketBuffer) recvControl(fd int) (control, flags int, err error) {
	h := &b.in.headers[0]
	h.Control = unsafe.SliceData(b.control)
	h.SetControllen(len(b.control))
	n, _, e := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&h.Msghdr)), unix.MSG_CMSG_CLOEXEC)
	control, flags = int(h.Controllen), int(h.Flags)
	h.Control = nil // RecvPackets wants none
	h.SetControllen(0)
	if e != 0 {
		return 0, 0, e
	}
	p := &b.packets[0]
	p.Data = b.Room(0)[:n]
	b.decode(p, &b.in.addrs[0], h.Namelen)
	h.Namelen = unix.SizeofSockaddrAny
	return control, flags, nil
}

// passCredentials has a socket be told who sends: see unix(7).
func passCredentials(fd int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1))
}

// senderOf is whom a control message names, nil if it is about something else.
func senderOf(m *unix.SocketControlMessage) *Credentials {
	c, err := unix.ParseUnixCredentials(m)
	if err != nil {
		return nil
	}
	return &Credentials{int(c.Pid), int(c.Uid), int(c.Gid)}
}
