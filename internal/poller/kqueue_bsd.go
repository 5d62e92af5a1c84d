//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package poller

import (
	"os"

	"github.com/rondo-go/rondo/internal/sock"
	"golang.org/x/sys/unix"
)

// kqueue is the BSDs' and macOS's: like epoll a turn costs what is ready. It waits in the kernel and
// holds a thread; whether the runtime's own kqueue reports another one reliably differs between
// these systems. It is woken through a pipe, since EVFILT_USER is not everywhere.
type kqueue struct {
	sockets
	clock
	*bell

	kq     int
	wanted []entry // by descriptor
	kernel [MaxEvents]unix.Kevent_t
	events []Event
}

// entry is one watched descriptor. The token is kept here and not in the kernel's udata, which
// is a pointer that Go's collector must not see a number in.
type entry struct {
	token   uint64
	want    Interest
	watched bool
}

func openKqueue() (Poller, error) {
	kq, err := unix.Kqueue()
	if err != nil {
		return nil, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq)
	b, err := newBell()
	if err != nil {
		unix.Close(kq)
		return nil, err
	}
	k := &kqueue{clock: newClock(), bell: b, kq: kq}
	if err := k.change(b.fd, unix.EVFILT_READ, unix.EV_ADD); err != nil {
		_ = k.Shut()
		return nil, err
	}
	return k, nil
}

func (*kqueue) Name() string { return "kqueue" }

func (k *kqueue) change(fd, filter, flags int) error {
	var ev [1]unix.Kevent_t
	unix.SetKevent(&ev[0], fd, filter, flags)
	if _, err := unix.Kevent(k.kq, ev[:], nil, nil); err != nil {
		return os.NewSyscallError("kevent", err)
	}
	return nil
}

func (k *kqueue) Add(fd int, token uint64, want Interest) error {
	if fd < 0 {
		return os.NewSyscallError("kevent", unix.EBADF)
	}
	for fd >= len(k.wanted) {
		k.wanted = append(k.wanted, entry{})
	}
	if k.wanted[fd].watched {
		return os.NewSyscallError("kevent", unix.EEXIST)
	}
	k.wanted[fd] = entry{token: token, watched: true}
	err := k.Modify(fd, token, want)
	if err != nil {
		k.wanted[fd] = entry{}
	}
	return err
}

func (k *kqueue) Modify(fd int, token uint64, want Interest) error {
	if fd < 0 || fd >= len(k.wanted) || !k.wanted[fd].watched {
		return os.NewSyscallError("kevent", unix.ENOENT)
	}
	e := &k.wanted[fd]
	for _, d := range []struct {
		direction Interest
		filter    int
	}{{Read, unix.EVFILT_READ}, {Write, unix.EVFILT_WRITE}} {
		had, wants := e.want&d.direction != 0, want&d.direction != 0
		var err error
		switch {
		case wants && !had:
			err = k.change(fd, d.filter, unix.EV_ADD)
		case had && !wants:
			err = k.change(fd, d.filter, unix.EV_DELETE)
		}
		if err != nil {
			return err
		}
		e.want ^= (e.want ^ want) & d.direction
	}
	e.token = token
	return nil
}

func (k *kqueue) Remove(fd int) error {
	if err := k.Modify(fd, 0, 0); err != nil {
		return err
	}
	k.wanted[fd] = entry{}
	return nil
}

// Close needs no EV_DELETE: the kernel forgets a closed descriptor's filters.
func (k *kqueue) Close(fd int) error {
	k.forget(fd)
	return sock.Close(fd)
}

func (k *kqueue) Reset(fd int) error {
	k.forget(fd)
	return sock.Reset(fd)
}

func (k *kqueue) forget(fd int) {
	if fd >= 0 && fd < len(k.wanted) {
		k.wanted[fd] = entry{}
	}
}

func (k *kqueue) Wait(until int64) ([]Event, error) {
	n, err := unix.Kevent(k.kq, nil, k.kernel[:], k.timeout(k.Now(), until))
	if err != nil && err != unix.EINTR {
		return nil, os.NewSyscallError("kevent", err)
	}
	k.events = k.events[:0]
	for i := range k.kernel[:max(n, 0)] {
		ev := &k.kernel[i]
		fd := int(ev.Ident)
		if fd == k.fd {
			k.answer()
			continue
		}
		if fd >= len(k.wanted) || !k.wanted[fd].watched {
			continue
		}
		e := Event{Token: k.wanted[fd].token}
		switch int(ev.Filter) {
		case unix.EVFILT_READ:
			e.Ready = Readable
		case unix.EVFILT_WRITE:
			e.Ready = Writable
		}
		k.events = append(k.events, e)
	}
	return k.events, nil
}

// Shut implements Poller.
func (k *kqueue) Shut() error {
	_ = k.bell.Shut()
	return unix.Close(k.kq)
}
