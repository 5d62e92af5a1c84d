package rondo

import (
	"errors"
	"fmt"
	"os"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// UnixPacket is a datagram of a Unix socket with what has come beside its bytes: see [UnixPacketReceiver].
type UnixPacket struct {
	Packet

	// Files are the open files that its sender has passed (SCM_RIGHTS, unix(7)), 253 at the most, which is Linux's limit. They are as the sender has opened them, blocking or not, and are not
	// inherited by child processes.
	Files []*os.File

	// FilesLost says that there were files for which the process had no descriptors left: Files is then nil, since nobody could say which are missing, and those that did come were closed.
	FilesLost bool

	// Sender is the process that has sent it, as the kernel knows it, so that it cannot lie (SCM_CREDENTIALS, unix(7); a process of root's may give others than its own).
	// It is nil unless PacketConfig.Credentials is set. A process in a PID namespace that is not seen from here has the PID 0.
	Sender *Credentials
}

// UnixPacketReceiver is implemented by protocols that want more of the datagrams of a Unix socket than their bytes: the open files that are passed with them, and who has
// sent them. UnixPacketReceived is called in place of PacketReceived, and returns how many of the files it has taken, from the front; the others are closed.
//
// A protocol without it is never given any files: the kernel closes them. With it datagrams are received one by one, which costs a system call each, 64 in a turn at the most. On a socket of UDP PacketReceived
// is called; in a simulation there are no files, and no senders.
type UnixPacketReceiver interface {
	UnixPacketReceived(c *PacketConn, p UnixPacket) (taken int)
}

// WriteFiles is Write with open files that go with the datagram: see WriteFilesTo.
func (c *PacketConn) WriteFiles(p []byte, files ...*os.File) error {
	c.own("PacketConn.WriteFiles", "PacketHandle.Do")
	if !c.remote.IsValid() {
		return c.opError("write", PacketAddr{}, errNoDestination)
	}
	return c.writeFiles(p, sock.Packet{}, c.remote, files)
}

// WriteFilesTo is WriteTo with open files that go with the datagram, on a Unix socket (SCM_RIGHTS, unix(7)). p may be empty. The files stay the caller's, who may close them
// at once. At most 253 go at a time, which is Linux's limit, and no more than 512 wait for who does not receive: then the error is of [ErrPacketQueueFull]. On another socket, and in a simulation, it is of
// errors.ErrUnsupported. If the user has too many files on their way already the protocol's ErrorReceived is told syscall.ETOOMANYREFS, and the datagram is lost; a receiver that is no UnixPacketReceiver, or the like of it, has
// the kernel close them.
func (c *PacketConn) WriteFilesTo(p []byte, to PacketAddr, files ...*os.File) error {
	c.own("PacketConn.WriteFilesTo", "PacketHandle.Do")
	if c.remote.IsValid() {
		return c.opError("write", to, errConnected)
	}
	addr, err := c.address(to)
	if err != nil {
		return c.opError("write", to, err)
	}
	return c.writeFiles(p, sock.Packet{Addr: addr, Name: to.Name}, to, files)
}

var errNoPacketPassing = fmt.Errorf("files are passed over Unix sockets of the operating system only: %w", errors.ErrUnsupported)

func (c *PacketConn) writeFiles(p []byte, packet sock.Packet, to PacketAddr, files []*os.File) error {
	_, able := c.loop.poller.(poller.Passer)
	switch {
	case c.ended.Load() || c.closing:
		return ErrClosed
	case len(files) == 0:
		return c.write(p, packet, to)
	case !c.isUnix() || !able:
		return c.opError("write", to, errNoPacketPassing)
	case len(files) > sock.MaxPassed:
		return c.opError("write", to, fmt.Errorf("%d files: at most %d are passed at a time", len(files), sock.MaxPassed))
	}
	if c.passing()+len(files) > maxQueuedFiles && !c.blocked && !c.retrying {
		c.send()
	}
	if n := c.passing(); n+len(files) > maxQueuedFiles {
		c.pressed = true
		c.loop.packets.markDirty(c)
		return c.opError("write", to, fmt.Errorf("%d files wait to be passed already, and %d may at the most: %w", n, maxQueuedFiles, ErrPacketQueueFull))
	}
	rights, err := newRights(files)
	if err != nil {
		return c.opError("write", to, err)
	}
	packet.Rights = rights
	if err := c.write(p, packet, to); err != nil {
		closeAll(rights.FDs)
		return err
	}
	c.out.passing += len(files)
	return nil
}

// passing is how many files wait to be passed.
func (c *PacketConn) passing() int {
	if c.out == nil {
		return 0
	}
	return c.out.passing
}

// passed closes our descriptors of what a datagram has passed, or will not any more.
func (q *packetQueue) passed(p *sock.Packet) {
	q.passing -= len(p.Rights.FDs)
	closeAll(p.Rights.FDs)
}

// dropFiles closes what was not passed.
func (q *packetQueue) dropFiles() {
	for i := q.head; i < len(q.packets) && q.passing > 0; i++ {
		if p := &q.packets[i]; p.Rights != nil {
			q.passed(p)
		}
	}
}

// receiveUnix is receive for a protocol that is a UnixPacketReceiver.
func (c *PacketConn) receiveUnix(from poller.Passer) int {
	n, bytes := 0, 0
	for n < sock.MaxBatch && bytes < maxTransfer { // as much as a batch may bring
		r, ok := c.proto.(UnixPacketReceiver)
		if !ok {
			return n // it has given way to another
		}
		u, err := from.RecvUnixPacket(c.fd, c.loop.packets.batch(), c.config.MaxPacket)
		if err != nil {
			return n + c.receiveFailed(err)
		}
		n++
		bytes += len(u.Data)
		c.deliverUnix(r, &u)
		if c.ended.Load() || c.closing || c.readPaused {
			return n
		}
	}
	return n
}

// deliverUnix gives the protocol a datagram, and closes the files that it does not take.
func (c *PacketConn) deliverUnix(r UnixPacketReceiver, u *sock.UnixPacket) {
	p := UnixPacket{Packet: Packet{u.Data, PacketAddr{u.Addr, u.Name}, u.Truncated}, FilesLost: u.Lost}
	if u.Sender != nil {
		p.Sender = &Credentials{u.Sender.PID, u.Sender.UID, u.Sender.GID}
	}
	if u.Lost {
		closeAll(u.FDs)
		u.FDs = nil
	}
	offerFiles(u.FDs, r, "UnixPacketReceived", func(files []*os.File) int {
		p.Files = files
		return r.UnixPacketReceived(c, p)
	})
}

// deliverSimulated gives the protocol a datagram of a world in which nothing comes beside the bytes.
func (c *PacketConn) deliverSimulated(p *sock.Packet) {
	if r, ok := c.proto.(UnixPacketReceiver); ok {
		c.deliverUnix(r, &sock.UnixPacket{Packet: *p})
	} else { // it has given way to another
		c.proto.PacketReceived(c, Packet{p.Data, PacketAddr{p.Addr, p.Name}, p.Truncated})
	}
}
