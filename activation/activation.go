// Package activation takes over the sockets that a service manager has opened for this program: socket activation, as sd_listen_fds(3) describes it.
//
// The manager (systemd, or systemd-socket-activate) binds the addresses, starts the program when somebody connects, and tells it in its environment of descriptors 3 and following:
// LISTEN_PID whom they are for, LISTEN_FDS how many they are, LISTEN_FDNAMES what they are called. [rondo.ListenConfig.BindFile] makes a listener of each; the endpoint
// "systemd:" (package endpoint) does both.
package activation

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// first is the first descriptor that is passed: SD_LISTEN_FDS_START.
const first = 3

// MaxSockets is how many sockets are taken over at the most. A larger number is an error: descriptors that nobody has opened would be taken for sockets.
const MaxSockets = 1024

// Socket is one that was passed.
type Socket struct {
	Name string // the unit's FileDescriptorName, by default the name of the .socket unit; "unknown" if the manager does not say
	File *os.File
}

// ErrNone is returned when no sockets were passed to this process.
var ErrNone = errors.New("activation: no sockets were passed to this process: start it from a .socket unit, or by systemd-socket-activate")

// Sockets returns the sockets that were passed, in the manager's order. The first call takes them out of the environment, so that programs which this one starts do not take them for theirs,
// and marks them close-on-exec; later calls return the same. They stay open for as long as the process lives: while they are, connections can be made. The error is
// [ErrNone] if there are none, or says what is wrong with the environment. Any goroutine may call it.
func Sockets() ([]Socket, error) { return inherited() }

var inherited = sync.OnceValues(func() ([]Socket, error) {
	e := environment{os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")}
	names, err := e.parse(os.Getpid())
	if errors.Is(err, errOthers) {
		return nil, ErrNone // and the environment is left to whom it is for
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	if err != nil {
		return nil, err
	}
	for i, name := range names { // before anything is done to one of them: what was not passed may be the Go runtime's
		if err := check(first + i); err != nil {
			return nil, fmt.Errorf("activation: taking over descriptor %d (%s), one of %d that were passed: %w", first+i, name, len(names), err)
		}
	}
	sockets := make([]Socket, len(names))
	for i, name := range names {
		sockets[i] = Socket{name, open(first+i, name)}
	}
	return sockets, nil
})

// environment is what the manager says.
type environment struct{ pid, fds, names string }

// errOthers says that the sockets are another process's: a parent's, whose environment was handed on.
var errOthers = errors.New("activation: the sockets are for another process")

// parse returns the names of the descriptors that are there for the process of that number.
func (e environment) parse(pid int) ([]string, error) {
	if e.pid == "" && e.fds == "" {
		return nil, ErrNone
	}
	of, err := strconv.Atoi(e.pid)
	if err != nil || of <= 0 {
		return nil, fmt.Errorf("activation: LISTEN_PID is %q: it must be the number of a process", e.pid)
	}
	if of != pid {
		return nil, errOthers
	}
	n, err := strconv.Atoi(e.fds)
	if err != nil || n < 0 || n > MaxSockets {
		return nil, fmt.Errorf("activation: LISTEN_FDS is %q: it must be a number from 0 to %d", e.fds, MaxSockets)
	}
	if n == 0 {
		return nil, ErrNone
	}
	names := make([]string, n)
	for i := range names {
		names[i] = "unknown" // as sd_listen_fds_with_names(3) has it
	}
	if e.names == "" {
		return names, nil
	}
	given := strings.Split(e.names, ":")
	if len(given) != n {
		return nil, fmt.Errorf("activation: LISTEN_FDNAMES is %q, which is %d names, and LISTEN_FDS says %d: there must be as many", e.names, len(given), n)
	}
	copy(names, given)
	return names, nil
}
