package poller

import (
	"math/bits"
	"os"

	"github.com/rondo-go/rondo/internal/sock"
	"golang.org/x/sys/unix"
)

// selectLimit is FD_SETSIZE: the width of the kernel interface's bit sets.
const selectLimit = unix.FD_SETSIZE

// selector is select(2), the oldest: three bit sets go to the kernel and come back each turn. A turn
// costs what the highest descriptor's number is, and descriptors from 1024 on cannot be watched at
// all: Add refuses them with a LimitError. Like poll's, its wait holds a thread.
type selector struct {
	sockets
	clock
	*bell

	read, write unix.FdSet
	tokens      [selectLimit]uint64
	watched     unix.FdSet
	width       int // the highest watched descriptor + 1, at least
	events      []Event
}

func openSelect() (Poller, error) {
	b, err := newBell()
	if err != nil {
		return nil, err
	}
	if b.fd >= selectLimit {
		_ = b.Shut()
		return nil, &LimitError{"select", b.fd, selectLimit}
	}
	s := &selector{clock: newClock(), bell: b, width: b.fd + 1}
	s.read.Set(b.fd)
	return s, nil
}

func (*selector) Name() string { return "select" }

func (s *selector) Add(fd int, token uint64, want Interest) error {
	switch {
	case fd < 0:
		return os.NewSyscallError("select", unix.EBADF)
	case fd >= selectLimit:
		return &LimitError{"select", fd, selectLimit}
	case s.watched.IsSet(fd):
		return os.NewSyscallError("select", unix.EEXIST)
	}
	s.watched.Set(fd)
	s.width = max(s.width, fd+1)
	return s.Modify(fd, token, want)
}

func (s *selector) Modify(fd int, token uint64, want Interest) error {
	if fd < 0 || fd >= selectLimit || !s.watched.IsSet(fd) {
		return os.NewSyscallError("select", unix.ENOENT)
	}
	s.tokens[fd] = token
	mark(&s.read, fd, want&Read != 0)
	mark(&s.write, fd, want&Write != 0)
	return nil
}

func mark(set *unix.FdSet, fd int, on bool) {
	if on {
		set.Set(fd)
	} else {
		set.Clear(fd)
	}
}

func (s *selector) Remove(fd int) error {
	if err := s.Modify(fd, 0, 0); err != nil {
		return err
	}
	s.watched.Clear(fd)
	for s.width > s.fd+1 && !s.watched.IsSet(s.width-1) {
		s.width--
	}
	return nil
}

func (s *selector) Close(fd int) error {
	_ = s.Remove(fd) // it may never have been added
	return sock.Close(fd)
}

func (s *selector) Reset(fd int) error {
	_ = s.Remove(fd)
	return sock.Reset(fd)
}

func (s *selector) Wait(until int64) ([]Event, error) {
	read, write := s.read, s.write // the kernel overwrites them
	n, err := unix.Pselect(s.width, &read, &write, nil, s.timeout(s.Now(), until), nil)
	if err != nil && err != unix.EINTR {
		return nil, os.NewSyscallError("select", err)
	}
	s.events = s.events[:0]
	if n <= 0 {
		return s.events, nil // after EINTR the sets are undefined
	}
	if read.IsSet(s.fd) {
		read.Clear(s.fd)
		s.answer()
	}
	for i := range read.Bits {
		for both := uint64(read.Bits[i] | write.Bits[i]); both != 0; both &= both - 1 {
			fd := i*unix.NFDBITS + bits.TrailingZeros64(both)
			e := Event{Token: s.tokens[fd]}
			if read.IsSet(fd) {
				e.Ready |= Readable
			}
			if write.IsSet(fd) {
				e.Ready |= Writable
			}
			s.events = append(s.events, e)
		}
	}
	return s.events, nil
}
