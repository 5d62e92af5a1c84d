package main

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// load is the other process: a closed loop. Each connection has one message under way, and sends the next when all
// bytes of the last are back. It goes around Go's scheduler with RawSyscall, so that it is as quick as it can be
// without a C compiler; a load slower than the server would find the server asleep each time.
func load(args []string) error {
	flags := flag.NewFlagSet("bench load", flag.ContinueOnError)
	addr := flags.String("addr", "", "the server's `address`")
	group := flags.Int("group", 0, "the server's process `group`")
	conns := flags.Int("conns", 50, "connections")
	idle := flags.Int("idle", 0, "connections beside them that stay silent after one message")
	size := flags.Int("size", 128, "bytes of a message")
	secure := flags.Bool("tls", false, "over TLS")
	udp := flags.Bool("udp", false, "send datagrams")
	pages := flags.Bool("http", false, "ask for pages")
	turn := flags.Duration("turn", time.Second, "how long to measure")
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	server, err := netip.ParseAddrPort(*addr)
	if err != nil {
		return usageError{err}
	}
	if *udp {
		l, err := newUDPLoader(server, *conns, *size)
		if err != nil {
			return err
		}
		s, err := l.measure(*group, *turn)
		if err != nil {
			return err
		}
		s.Lost = l.lost
		return json.NewEncoder(os.Stdout).Encode(s)
	}
	if _, err := hold(server, *idle, *size); err != nil {
		return fmt.Errorf("idle connections: %w", err)
	}
	l, err := newLoader(server, *conns, *size, *secure)
	if err != nil {
		return err
	}
	if *pages {
		if err := l.askForPages(server); err != nil {
			return err
		}
	}
	s, err := l.measure(*group, *turn)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}

const (
	warmUp    = 200 * time.Millisecond // what servers set up once is not measured
	patience  = 5 * time.Second        // for a single answer
	histogram = 100_000                // microseconds; slower answers count as this
)

// loader is the closed loop.
type loader struct {
	epoll  int
	peers  []peer
	sheet  sheet
	page   *page // in its place, if pages are asked for
	in     []byte
	events []unix.EpollEvent

	drive func(turn time.Duration) error // run, or that of datagrams

	start    time.Time
	messages int64
	took     [histogram + 1]int32
}

// peer is one connection.
type peer struct {
	fd   int
	got  int           // bytes of the present answer
	seq  uint32        // of the present message
	sent time.Duration // since loader.start
	tls  *tls.Conn     // nil in the clear
	wire *wire         // its descriptor
}

func (p *peer) send(message []byte) (int, error) {
	if p.tls != nil {
		return p.tls.Write(message)
	}
	n, errno := send(p.fd, message)
	if errno != 0 {
		return 0, os.NewSyscallError("send", errno)
	}
	return n, nil
}

// receive returns 0 if there is nothing yet.
func (p *peer) receive(in []byte) (int, error) {
	if p.tls != nil {
		n, err := p.tls.Read(in)
		if err == errAgain { //nolint:errorlint // ours, as it is
			err = nil
		}
		return n, err
	}
	n, errno := recv(p.fd, in)
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return 0, nil
	case errno != 0:
		return 0, os.NewSyscallError("recv", errno)
	case n == 0:
		return 0, errClosed
	}
	return n, nil
}

func newLoader(server netip.AddrPort, conns, size int, secure bool) (*loader, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	l := &loader{
		epoll:  fd,
		peers:  make([]peer, conns),
		sheet:  newSheet(size),
		in:     make([]byte, maxSize),
		events: make([]unix.EpollEvent, 1024),
		start:  time.Now(),
	}
	l.drive = l.run
	for i := range l.peers {
		p := &l.peers[i]
		if secure {
			p.wire, p.tls, err = connectTLS(server, i)
		} else {
			p.fd, err = connect(server, i)
		}
		if err != nil {
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, conns, err)
		}
		if secure {
			p.fd, p.wire.blocking = p.wire.fd, false
		}
		fd := p.fd
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, os.NewSyscallError("fcntl", err)
		}
		if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return nil, os.NewSyscallError("epoll_ctl", err)
		}
	}
	return l, nil
}

// askForPages has the loader send requests of HTTP.
func (l *loader) askForPages(server netip.AddrPort) error {
	fd, err := connect(server, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	l.page, l.sheet = new(page), sheet(request)
	return l.page.ask(fd)
}

// measure takes the server's time between two moments at which no message is under way. The server then waits, so
// that the kernel's figures are up to date, and they belong to exactly the messages that were counted.
func (l *loader) measure(group int, turn time.Duration) (s sample, err error) {
	if err := l.drive(warmUp); err != nil {
		return s, err
	}
	l.messages, l.took = 0, [histogram + 1]int32{}

	before, err := groupUsage(group)
	if err != nil {
		return s, err
	}
	own, err := processUsage("self")
	if err != nil {
		return s, err
	}
	begin := time.Now()
	if err := l.drive(turn); err != nil {
		return s, err
	}
	s.Window = time.Since(begin)
	after, err := groupUsage(group)
	if err != nil {
		return s, err
	}
	ownAfter, err := processUsage("self")
	if err != nil {
		return s, err
	}
	used := after.minus(before)
	s.Messages = l.messages
	s.ServerRan, s.ServerWaited = used.ran, used.waited
	s.LoadWaited = ownAfter.minus(own).waited
	s.P50, s.P99 = l.percentile(50), l.percentile(99)
	return s, nil
}

// run keeps every connection busy for that long, and then waits for the last answers.
func (l *loader) run(turn time.Duration) error {
	end := time.Since(l.start) + turn
	for i := range l.peers {
		if err := l.send(i); err != nil {
			return err
		}
	}
	last := time.Since(l.start)
	for pending := len(l.peers); pending > 0; {
		n, errno := epollWait(l.epoll, l.events, 100)
		now := time.Since(l.start)
		switch {
		case errno != 0 && errno != unix.EINTR:
			return os.NewSyscallError("epoll_wait", errno)
		case n > 0:
			last = now
		case now-last > patience:
			return fmt.Errorf("the server left %d of %d connections without an answer for %v", pending, len(l.peers), patience)
		}
		for _, e := range l.events[:n] {
			i := int(e.Fd)
			whole, err := l.receive(i)
			if err != nil {
				return fmt.Errorf("connection %d of %d: %w", i+1, len(l.peers), err)
			}
			switch {
			case !whole:
			case now < end:
				if err := l.send(i); err != nil {
					return err
				}
			default:
				pending--
			}
		}
	}
	return nil
}

func (l *loader) send(i int) error {
	p := &l.peers[i]
	p.seq++
	p.got = 0
	p.sent = time.Since(l.start)
	message := l.sheet
	if l.page == nil {
		l.sheet.message(i, p.seq)
	}
	n, err := p.send(message)
	if err != nil {
		return fmt.Errorf("connection %d of %d: %w", i+1, len(l.peers), err)
	}
	if n != len(message) {
		return fmt.Errorf("connection %d of %d: %w", i+1, len(l.peers), shortWrite(n, message))
	}
	return nil
}

// receive reports whether the answer is complete.
func (l *loader) receive(i int) (whole bool, err error) {
	p := &l.peers[i]
	n, err := p.receive(l.in)
	if n == 0 {
		return false, err
	}
	answer := len(l.sheet)
	if l.page != nil {
		answer = l.page.answer
		err = l.page.check(p.got, l.in[:n])
	} else {
		err = verify(l.sheet.message(i, p.seq), p.got, l.in[:n])
	}
	if err != nil {
		return false, err
	}
	if p.got += n; p.got < answer {
		return false, nil
	}
	l.messages++
	l.took[min((time.Since(l.start)-p.sent)/time.Microsecond, histogram)]++
	return true, nil
}

// percentile is of the time that answers took, to the microsecond.
func (l *loader) percentile(percent int64) time.Duration {
	var sum int64
	for us, n := range l.took {
		if sum += int64(n); sum*100 >= l.messages*percent {
			return time.Duration(us) * time.Microsecond
		}
	}
	return histogram * time.Microsecond
}

// sheet is the paper that messages are written on: a head that no other message has, and a text in which no piece is
// like its neighbours. So an answer that was lost, doubled, shifted, or meant for somebody else is noticed.
type sheet []byte

func newSheet(size int) sheet {
	s := make(sheet, max(size, 8))
	for i := range s {
		s[i] = byte(i*i>>3 + i)
	}
	return s[:size]
}

// message writes the head; the bytes are valid until the next call.
func (s sheet) message(conn int, seq uint32) []byte {
	head := s[:8]
	binary.LittleEndian.PutUint32(head, seq)
	binary.LittleEndian.PutUint32(head[4:], uint32(conn))
	return s
}

// verify compares what came, from byte got of the message on.
func verify(message []byte, got int, piece []byte) error {
	if got+len(piece) > len(message) {
		return fmt.Errorf("the server sent %d bytes for a message of %d", got+len(piece), len(message))
	}
	if want := message[got : got+len(piece)]; !bytes.Equal(want, piece) {
		for i := range want {
			if want[i] != piece[i] {
				return fmt.Errorf("byte %d of the answer is %#02x, not %#02x", got+i, piece[i], want[i])
			}
		}
	}
	return nil
}

// None of these waits, but for epollWait, and its process has nothing else to do. recvfrom and sendto do less than read
// and write, which go through the file layer first.

func recv(fd int, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0, 0, 0)
	return count(n, e), e
}

func send(fd int, p []byte) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
	return count(n, e), e
}

func epollWait(epoll int, events []unix.EpollEvent, milliseconds int) (int, syscall.Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(milliseconds), 0, 0)
	return count(n, e), e
}

func count(n uintptr, e syscall.Errno) int {
	if e != 0 {
		return 0
	}
	return int(n)
}
