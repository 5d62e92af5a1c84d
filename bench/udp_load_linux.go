package main

import (
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// udpWindow is how many datagrams are under way at the most: the server's socket has room for some 270 of them by default, and drops others.
	udpWindow = 192
	// udpBurst is how many a client sends at once. The kernel cuts them from one piece (UDP_SEGMENT), so that the load is quicker than the server.
	udpBurst = 4
	// udpLost is how long an answer is waited for until its client begins anew.
	udpLost = 250 * time.Millisecond
)

// udpLoader is a closed loop: so many clients as the window has room for have a burst under way, and when one has all its answers, it is
// another client's turn.
type udpLoader struct {
	*loader
	clients []udpClient
	next    int
	out     []byte // a burst
	in      *messages
	lost    int64
}

type udpClient struct {
	seq  uint32 // of the first datagram of the burst
	left int    // of its answers
	seen [udpBurst]bool
	sent time.Duration
}

func newUDPLoader(server netip.AddrPort, sockets, size int) (*udpLoader, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &udpLoader{
		loader:  &loader{epoll: epoll, peers: make([]peer, sockets), sheet: newSheet(size), events: make([]unix.EpollEvent, 1024), start: time.Now()},
		clients: make([]udpClient, sockets), out: make([]byte, udpBurst*size), in: newMessages(2*udpBurst, size, false),
	}
	for i := range l.peers {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, os.NewSyscallError("socket", err)
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}); err != nil {
			return nil, os.NewSyscallError("connect", err)
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, size); err != nil {
			return nil, os.NewSyscallError("setsockopt", err)
		}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return nil, os.NewSyscallError("epoll_ctl", err)
		}
		l.peers[i].fd = fd
	}
	l.drive = l.run
	return l, nil
}

// run keeps the window full for that long, and then waits for the last answers.
func (l *udpLoader) run(turn time.Duration) error {
	end := time.Since(l.start) + turn
	active := 0
	for ; active < min(len(l.clients), udpWindow/udpBurst); active++ {
		if err := l.burst(); err != nil {
			return err
		}
	}
	for last := time.Since(l.start); active > 0; {
		n, errno := epollWait(l.epoll, l.events, 10)
		now := time.Since(l.start)
		switch {
		case errno != 0 && errno != unix.EINTR:
			return os.NewSyscallError("epoll_wait", errno)
		case n > 0:
			last = now
		case now-last > patience:
			return fmt.Errorf("the server has not answered for %v", patience)
		}
		done := 0
		for _, e := range l.events[:n] {
			whole, err := l.receive(int(e.Fd))
			if err != nil {
				return fmt.Errorf("client %d of %d: %w", e.Fd+1, len(l.clients), err)
			}
			if whole {
				done++
			}
		}
		if n == 0 {
			done += l.giveUp(now)
		}
		for range done {
			if now < end {
				if err := l.burst(); err != nil {
					return err
				}
			} else {
				active--
			}
		}
	}
	return nil
}

// burst has the next client that is idle send.
func (l *udpLoader) burst() error {
	for l.clients[l.next].left > 0 {
		l.next = (l.next + 1) % len(l.clients)
	}
	i := l.next
	l.next = (l.next + 1) % len(l.clients)
	c := &l.clients[i]
	size := len(l.sheet)
	for k := range udpBurst {
		copy(l.out[k*size:], l.sheet.message(i, c.seq+uint32(k)))
	}
	c.left, c.seen, c.sent = udpBurst, [udpBurst]bool{}, time.Since(l.start)
	n, errno := send(l.peers[i].fd, l.out)
	if errno != 0 || n != len(l.out) {
		return fmt.Errorf("client %d of %d: sending %d bytes: %d, %w", i+1, len(l.clients), len(l.out), n, errno)
	}
	return nil
}

// receive reports whether the client has all its answers.
func (l *udpLoader) receive(i int) (whole bool, err error) {
	c := &l.clients[i]
	n, errno := l.in.recv(l.peers[i].fd, unix.MSG_DONTWAIT)
	if errno == unix.EAGAIN || errno == unix.EINTR {
		return false, nil
	}
	if errno != 0 {
		return false, os.NewSyscallError("recvmmsg", errno)
	}
	for k := range n {
		p := l.in.data(k)
		seq := uint32(0)
		if len(p) >= 4 {
			seq = uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24
		}
		at := seq - c.seq
		if at >= udpBurst || c.left == 0 {
			continue // an answer that came late: its burst was given up
		}
		want := l.sheet.message(i, seq)
		if err := verify(want, 0, p); err != nil {
			return false, err
		}
		if len(p) != len(want) || c.seen[at] {
			return false, fmt.Errorf("an answer of %d bytes, for the second time: %v", len(p), c.seen[at])
		}
		c.seen[at] = true
		c.left--
		l.messages++
	}
	if n == 0 || c.left > 0 {
		return false, nil
	}
	l.took[min((time.Since(l.start)-c.sent)/time.Microsecond, histogram)]++
	c.seq += udpBurst
	return true, nil
}

// giveUp counts what has not come for too long, and has others go on.
func (l *udpLoader) giveUp(now time.Duration) (done int) {
	for i := range l.clients {
		c := &l.clients[i]
		if c.left > 0 && now-c.sent > udpLost {
			l.lost += int64(c.left)
			c.left = 0
			c.seq += udpBurst
			done++
		}
	}
	return done
}

// messages is what recvmmsg and sendmmsg are given.
type messages struct {
	headers []mmsghdr
	vectors []unix.Iovec
	names   []unix.RawSockaddrInet4
	memory  []byte
	size    int
	named   bool
}

type mmsghdr struct {
	unix.Msghdr
	got uint32
}

func newMessages(n, size int, named bool) *messages {
	m := &messages{headers: make([]mmsghdr, n), vectors: make([]unix.Iovec, n), names: make([]unix.RawSockaddrInet4, n), memory: make([]byte, n*size), size: size, named: named}
	for i := range m.headers {
		m.vectors[i].Base = &m.memory[i*size]
		m.headers[i].Iov = &m.vectors[i]
		m.headers[i].SetIovlen(1)
		if named {
			m.headers[i].Name = (*byte)(unsafe.Pointer(&m.names[i]))
		}
		m.ready(i)
	}
	return m
}

func (m *messages) ready(i int) {
	m.vectors[i].SetLen(m.size)
	if m.named {
		m.headers[i].Namelen = unix.SizeofSockaddrInet4
	}
}

func (m *messages) data(i int) []byte { return m.memory[i*m.size : i*m.size+int(m.headers[i].got)] }

func (m *messages) recv(fd, flags int) (int, syscall.Errno) {
	for i := range m.headers {
		if m.headers[i].got == 0 {
			break
		}
		m.headers[i].got = 0
		m.ready(i)
	}
	n, _, e := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.headers[0])), uintptr(len(m.headers)), uintptr(flags), 0, 0)
	return count(n, e), e
}

// send sends back what was received, from one number to before another.
func (m *messages) send(fd, from, to int) (int, syscall.Errno) {
	for i := from; i < to; i++ {
		m.vectors[i].SetLen(int(m.headers[i].got))
	}
	n, _, e := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.headers[from])), uintptr(to-from), 0, 0, 0)
	return count(n, e), e
}
