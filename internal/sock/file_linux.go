package sock

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// reopen opens what fd names once more, by its name in /proc, with flags of our own. It reports false where that
// cannot be done: no /proc, no permission (a terminal after su), a pipe without readers, a terminal that was hung
// up; and where it would give something else.
func reopen(fd, flags int, st *unix.Stat_t) (int, bool) {
	// Opening a device can mean anything: a new one each time (/dev/ptmx, /dev/net/tun), or a tape that rewinds.
	if st.Mode&unix.S_IFMT != unix.S_IFIFO && !isTerminal(fd) {
		return -1, false
	}
	n, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), flags&(unix.O_ACCMODE|unix.O_DIRECT)|
		unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return -1, false
	}
	// A FIFO that is opened when its writers have gone already does not report their end: poll(2) would wait for
	// the next writer, where the open file that we were given has reached its end.
	var opened unix.Stat_t
	if err := unix.Fstat(n, &opened); err != nil || idOf(&opened) != idOf(st) || hungUp(fd) && !hungUp(n) {
		unix.Close(n)
		return -1, false
	}
	return n, true
}

// isTerminal reports whether fd is a terminal's near side.
func isTerminal(fd int) bool {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return false
	}
	_, err := unix.IoctlGetInt(fd, unix.TIOCGPTN) // only the far side of a pseudoterminal knows its number
	return err != nil
}

func hungUp(fd int) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	for {
		_, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return p[0].Revents&unix.POLLHUP != 0
		}
	}
}

// pollable asks epoll, which alone refuses a device that has no poll function: to poll and select it is always
// ready. That none of them accepts what another refuses is part of their contract.
func pollable(fd int) error {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	defer unix.Close(ep)
	switch err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}); err {
	case nil:
		return nil
	case unix.EPERM:
		return ErrNotPollable
	default:
		return os.NewSyscallError("epoll_ctl", err)
	}
}
