//go:build unix

package sock

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// loan is an open file that was made non-blocking though others have it too, and our duplicates of it. Standard
// input and output are often one open file: it is given back when the last of them is closed.
type loan struct {
	id     fileID
	fds    []int
	blocks bool // it did, and will again
}

// fileID names what was opened, not the open file.
type fileID struct{ dev, ino, rdev uint64 }

func idOf(st *unix.Stat_t) fileID {
	return fileID{uint64(st.Dev), uint64(st.Ino), uint64(st.Rdev)}
}

// loans are those of the whole process, since two loops can have one open file.
var loans struct {
	open atomic.Int32 // duplicates; nearly always 0, and then Close costs no lock
	mu   sync.Mutex
	list []*loan
}

// share duplicates fd and makes the open file non-blocking.
func share(fd int, id fileID) (int, error) {
	loans.mu.Lock()
	defer loans.mu.Unlock()
	// Not 0, 1 or 2, which programs take for standard input, output and error, and Go's runtime too.
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	flags, err := unix.FcntlInt(uintptr(dup), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK == 0 {
		_, err = unix.FcntlInt(uintptr(dup), unix.F_SETFL, flags|unix.O_NONBLOCK)
	}
	if err != nil {
		unix.Close(dup)
		return -1, os.NewSyscallError("fcntl", err)
	}
	i := slices.IndexFunc(loans.list, func(l *loan) bool { return l.id == id && oneFile(l.fds[0], dup) })
	if i < 0 {
		i = len(loans.list)
		loans.list = append(loans.list, &loan{id: id, blocks: flags&unix.O_NONBLOCK == 0})
	}
	loans.list[i].fds = append(loans.list[i].fds, dup)
	loans.open.Add(1)
	return dup, nil
}

// oneFile reports whether a and b are one open file: whether a flag that is changed at the one changes at the
// other. O_APPEND means nothing to what can be polled. Where it cannot be told, they are.
func oneFile(a, b int) bool {
	flagsA, errA := unix.FcntlInt(uintptr(a), unix.F_GETFL, 0)
	flagsB, errB := unix.FcntlInt(uintptr(b), unix.F_GETFL, 0)
	if errA != nil || errB != nil {
		return true
	}
	if _, err := unix.FcntlInt(uintptr(b), unix.F_SETFL, flagsB^unix.O_APPEND); err != nil {
		return true
	}
	after, err := unix.FcntlInt(uintptr(a), unix.F_GETFL, 0)
	_, _ = unix.FcntlInt(uintptr(b), unix.F_SETFL, flagsB)
	return err != nil || after != flagsA
}

// giveBack reports whether fd is borrowed, and if it is the last duplicate puts the open file's flag back.
func giveBack(fd int) bool {
	if loans.open.Load() == 0 {
		return false
	}
	loans.mu.Lock()
	defer loans.mu.Unlock()
	i := slices.IndexFunc(loans.list, func(l *loan) bool { return slices.Contains(l.fds, fd) })
	if i < 0 {
		return false
	}
	l := loans.list[i]
	loans.open.Add(-1)
	l.fds = slices.DeleteFunc(l.fds, func(n int) bool { return n == fd })
	if len(l.fds) > 0 {
		return true
	}
	loans.list = slices.Delete(loans.list, i, i+1)
	if l.blocks {
		// Only this flag: what others have changed meanwhile is theirs.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err == nil {
			_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_NONBLOCK)
		}
	}
	return true
}
