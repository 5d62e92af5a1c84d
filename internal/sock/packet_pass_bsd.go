//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sock

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// recvControl receives a datagram as the first of b's, and what comes with it into b.control.
func (b *PacketBuffer) recvControl(fd int) (control, flags int, err error) {
	room := b.Room(0)
	n, control, flags, from, err := unix.Recvmsg(fd, room, b.control, cloexec)
	if err != nil {
		return 0, 0, err
	}
	p := &b.packets[0]
	p.Data = room[:n]
	b.decode(p, from)
	return control, flags, nil
}

// passCredentials would have a socket be told who sends, which these systems do each in a way of its own.
func passCredentials(int) error {
	return fmt.Errorf("the senders of datagrams are known on Linux only: %w", errors.ErrUnsupported)
}

func senderOf(*unix.SocketControlMessage) *Credentials { return nil }
