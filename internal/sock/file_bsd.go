//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sock

import "golang.org/x/sys/unix"

// reopen never succeeds: where these systems have /dev/fd, opening an entry is dup(2) again.
func reopen(int, int, *unix.Stat_t) (int, bool) { return -1, false }

// pollable takes terminals alone of all devices. What kqueue makes of the others differs from system to system.
func pollable(fd int) error {
	if _, err := unix.IoctlGetTermios(fd, unix.TIOCGETA); err != nil {
		return ErrNotPollable
	}
	return nil
}
