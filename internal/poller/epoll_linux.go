package poller

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/rondo-go/rondo/internal/sock"
	"golang.org/x/sys/unix"
)

// epoll is Linux's own: a turn costs what is ready, however many descriptors are watched.
//
// It does not wait in epoll_wait. An epoll descriptor can itself be polled, so it is given to
// the Go runtime as a file: a loop with nothing to do is an ordinary parked goroutine, and no
// thread sits in the kernel for it. The file's read deadline is the loop's next timer, and
// moving that deadline into the past is how other goroutines wake the loop, which needs no
// system call at all (docs/decisions/0002 has the measurements).
//
// The runtime watches the file edge-triggered. That is safe because of the order in which
// RawConn.Read works: it arms first, then calls look, and only then parks.
type epoll struct {
	sockets
	clock

	fd   int
	file *os.File // owns fd
	raw  syscall.RawConn
	look func(uintptr) bool // lookFrom, bound once so that Wait allocates nothing

	found  int   // what the last look found
	failed error // or why it could not
	looks  int   // looks since RawConn.Read was called: more than one means that it parked

	deadline int64       // the file's read deadline by our clock; Forever is none, 0 is not known
	woken    atomic.Bool // a Wake has not been answered yet
	parked   bool        // the last Wait found nothing at its first look

	kernel [MaxEvents]unix.EpollEvent
	events [MaxEvents]Event
}

var longAgo = time.Unix(1, 0)

func openEpoll() (Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // makes os.NewFile hand it to the runtime
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &epoll{clock: newClock(), fd: fd, file: os.NewFile(uintptr(fd), "epoll"), deadline: Forever}
	p.look = p.lookFrom
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails if the runtime did not take the file
	}
	if err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

func (*epoll) Name() string { return "epoll" }

// flags translates what is wanted. EPOLLERR and EPOLLHUP are always on, and level-triggered they
// would be reported for ever to a caller that wants nothing; EPOLLONESHOT makes that once.
func flags(want Interest) uint32 {
	if want == 0 {
		return unix.EPOLLONESHOT
	}
	var f uint32
	if want&Read != 0 {
		f |= unix.EPOLLIN
	}
	if want&Write != 0 {
		f |= unix.EPOLLOUT
	}
	return f
}

func (p *epoll) ctl(op, fd int, token uint64, want Interest) error {
	e := unix.EpollEvent{Events: flags(want), Fd: int32(token), Pad: int32(token >> 32)}
	_, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(&e)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("epoll_ctl", errno)
	}
	return nil
}

func (p *epoll) Add(fd int, token uint64, want Interest) error {
	return p.ctl(unix.EPOLL_CTL_ADD, fd, token, want)
}

func (p *epoll) Modify(fd int, token uint64, want Interest) error {
	return p.ctl(unix.EPOLL_CTL_MOD, fd, token, want)
}

func (p *epoll) Remove(fd int) error { return p.ctl(unix.EPOLL_CTL_DEL, fd, 0, 0) }

// Close makes the kernel forget the descriptor first. Closing alone would do so only with the
// last copy, and where a child process holds one, its events would come for ever, under a token
// that nobody knows and with no descriptor left to remove.
func (p *epoll) Close(fd int) error {
	_ = p.Remove(fd) // it may never have been added
	return sock.Close(fd)
}

func (p *epoll) Reset(fd int) error {
	_ = p.Remove(fd)
	return sock.Reset(fd)
}

func (p *epoll) Wait(until int64) ([]Event, error) {
	// A busy loop will find something at once; one that just parked will park again, and the
	// look that RawConn.Read makes after arming is then the only one needed.
	if !p.parked || until == Immediately {
		if p.lookFrom(0) || until == Immediately {
			p.parked = false
			return p.take()
		}
	}
	if until < p.deadline || p.deadline == 0 {
		p.setDeadline(until)
	} // a deadline that is too early costs one spurious wake, less than moving it each turn
	p.looks, p.found, p.failed = 0, 0, nil
	err := p.raw.Read(p.look)
	if err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		p.deadline = 0
		p.lookFrom(0) // a deadline that has passed keeps RawConn.Read from looking at all
		p.woken.Store(false)
	}
	p.parked = p.looks != 1
	return p.take()
}

// lookFrom is one epoll_wait that does not wait. It reports whether there is something to return.
func (p *epoll) lookFrom(uintptr) bool {
	n, _, errno := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.kernel[0])), MaxEvents, 0, 0, 0)
	p.looks++
	p.found, p.failed = int(n), nil
	if errno != 0 {
		p.found = 0
		if errno != syscall.EINTR {
			p.failed = os.NewSyscallError("epoll_wait", errno)
			return true
		}
	}
	if p.woken.Load() {
		p.deadline = 0 // the waker has moved it, or is about to
		p.woken.Store(false)
		return true
	}
	return p.found > 0
}

func (p *epoll) take() ([]Event, error) {
	if p.failed != nil {
		return nil, p.failed
	}
	for i := range p.kernel[:p.found] {
		k, e := &p.kernel[i], &p.events[i]
		e.Token = uint64(uint32(k.Fd)) | uint64(uint32(k.Pad))<<32
		e.Ready = 0
		if k.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			e.Ready |= Readable
		}
		if k.Events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			e.Ready |= Writable
		}
		if k.Events&unix.EPOLLERR != 0 {
			e.Ready |= Failed
		}
	}
	return p.events[:p.found], nil
}

func (p *epoll) setDeadline(until int64) {
	var t time.Time
	if until != Forever {
		t = p.start.Add(time.Duration(until))
	}
	p.deadline = until
	_ = p.file.SetReadDeadline(t) // was tried when the poller was opened
}

// Wake marks first and moves the deadline second. Whatever a Wait is doing meanwhile, one of the
// two reaches it: it looks at the mark after it has set its own deadline. A move that comes late
// costs a spurious wake.
func (p *epoll) Wake() {
	if !p.woken.Swap(true) {
		_ = p.file.SetReadDeadline(longAgo)
	}
}

func (p *epoll) Shut() error { return p.file.Close() }
