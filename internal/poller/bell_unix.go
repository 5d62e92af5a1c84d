//go:build unix

package poller

import (
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// bell wakes a poller that waits in the kernel: a pipe whose read end is among the watched.
type bell struct {
	fd   int         // watch it for reading, and answer when it is readable
	rung atomic.Bool // rung and not answered yet: ringing again would be a wasted call

	left unix.Timespec // the last timeout, kept here to allocate nothing

	mu    sync.Mutex // held while writing, so that a late Wake cannot reach a descriptor reused after Shut
	write int        // -1 after Shut
}

func newBell() (*bell, error) {
	// Go's runtime opens its own poller when the process first sets a timer, and ends the process if it gets no
	// descriptor for that then. A loop that waits in the kernel needs none of it, but the program around
	// it will: have it opened now, while there are descriptors.
	time.AfterFunc(time.Hour, func() {}).Stop() //nolint:forbidigo // it is not for its time

	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	b := &bell{fd: fds[0], write: fds[1]}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			_ = b.Shut()
			return nil, os.NewSyscallError("fcntl", err)
		}
	}
	return b, nil
}

// Wake implements Poller.
func (b *bell) Wake() {
	if b.rung.Swap(true) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.write >= 0 {
		_, _ = unix.Write(b.write, []byte{1})
	}
}

// answer empties the pipe before it clears the mark: in the other order a ring between the two
// would be swallowed with its mark left set. A ring in between is answered by this very Wait.
func (b *bell) answer() {
	var buf [16]byte
	_, _ = unix.Read(b.fd, buf[:])
	b.rung.Store(false)
}

// Shut implements Poller for the backends that have nothing else to close.
func (b *bell) Shut() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.write < 0 {
		return nil
	}
	_ = unix.Close(b.write)
	b.write = -1
	return unix.Close(b.fd)
}

// timeout is what is left, at the time now, until the clock reaches until; nil is for ever.
func (b *bell) timeout(now, until int64) *unix.Timespec {
	var left int64
	switch until {
	case Forever:
		return nil
	case Immediately:
	default:
		// The kernel refuses or wraps what does not fit its clocks; 68 years is for ever enough.
		left = min(max(0, until-now), math.MaxInt32*int64(1e9))
	}
	b.left = unix.NsecToTimespec(left)
	return &b.left
}
