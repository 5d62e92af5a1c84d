package poller_test

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// parked is an epoll set that a goroutine waits for in the runtime, stripped to what waking it
// needs, to compare two ways of doing that.
type parked struct {
	fd     int
	file   *os.File
	raw    syscall.RawConn
	look   func(uintptr) bool
	woken  atomic.Bool
	events [1024]unix.EpollEvent
	bell   int // an eventfd in the set, or -1: then the read deadline wakes
}

func newParked(b *testing.B, eventfd bool) *parked {
	b.Helper()
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		b.Fatal(err)
	}
	p := &parked{fd: fd, file: os.NewFile(uintptr(fd), "epoll"), bell: -1}
	b.Cleanup(func() { _ = p.file.Close() })
	if p.raw, err = p.file.SyscallConn(); err != nil {
		b.Fatal(err)
	}
	p.look = func(uintptr) bool {
		n, err := unix.EpollWait(p.fd, p.events[:], 0)
		return err == nil && n > 0 || p.bell < 0 && p.woken.Load()
	}
	if eventfd {
		if p.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { unix.Close(p.bell) })
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(p.bell)}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, p.bell, &e); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

func (p *parked) wake() {
	switch {
	case p.woken.Swap(true):
	case p.bell >= 0:
		_, _ = unix.Write(p.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	default:
		_ = p.file.SetReadDeadline(time.Unix(1, 0))
	}
}

func (p *parked) wait() error {
	err := p.raw.Read(p.look)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	if p.bell >= 0 {
		var count [8]byte
		_, _ = unix.Read(p.bell, count[:]) // before the mark is cleared, as in bell.answer
	} else {
		_ = p.file.SetReadDeadline(time.Time{})
	}
	p.woken.Store(false)
	return err
}

// BenchmarkWakeBy compares the two for the decision record: an eventfd costs the waker a write
// and the loop a turn of the runtime's poller and a read; the deadline stays in the runtime.
func BenchmarkWakeBy(b *testing.B) {
	for name, eventfd := range map[string]bool{"deadline": false, "eventfd": true} {
		b.Run(name+"/parked", func(b *testing.B) {
			p := newParked(b, eventfd)
			pingPong(b, p.wake, p.wait)
		})
		b.Run(name+"/self", func(b *testing.B) { // wakes itself and goes on: no parking
			p := newParked(b, eventfd)
			b.ReportAllocs()
			for b.Loop() {
				p.wake()
				if err := p.wait(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
