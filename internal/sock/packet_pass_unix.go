//go:build unix

package sock

import "golang.org/x/sys/unix"

// NewRights has descriptors go with a datagram, at most [MaxPassed].
func NewRights(fds []int) *Rights { return &Rights{fds, unix.UnixRights(fds...)} }

// maxControl is room for MaxPassed descriptors and for credentials, and to spare.
const maxControl = 256 * 4 * 2

// RecvUnixPacket receives one datagram of at most size bytes, with what comes beside them. It is the buffer's, valid until the next call. It returns EAGAIN when there
// is none.
//
// It takes one at a time: the descriptors of many could be more than the process has room for, though those of each are not.
func RecvUnixPacket(fd int, b *PacketBuffer, size int) (UnixPacket, error) {
	b.Lay(size)
	if b.control == nil {
		b.control = make([]byte, maxControl)
	}
	got, flags, err := b.recvControl(fd)
	for err == unix.EINTR {
		got, flags, err = b.recvControl(fd)
	}
	if err != nil {
		return UnixPacket{}, err
	}
	u := UnixPacket{Packet: b.packets[0], Lost: flags&unix.MSG_CTRUNC != 0}
	u.Truncated = flags&unix.MSG_TRUNC != 0
	messages, err := unix.ParseSocketControlMessage(b.control[:got])
	if err != nil {
		u.Lost = true // they cannot be found
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			u.FDs = append(u.FDs, fds...)
		} else if who := senderOf(&messages[i]); who != nil {
			u.Sender = who
		}
	}
	closeOnExec(u.FDs)
	return u, nil
}
