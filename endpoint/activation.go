package endpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Activated is a descriptor that systemd, or whoever does as it does, has passed to this process (sd_listen_fds(3)).
type Activated struct {
	Name string // from LISTEN_FDNAMES; "unknown" if it was not given
	File *os.File
}

// firstPassed is the first such descriptor.
const firstPassed = 3

// maxPassed is how many there may be. More are not believed.
const maxPassed = 1024

var activation struct {
	once  sync.Once
	files []Activated
	err   error
}

// Activation returns the descriptors that were passed to this process, in their order, none if there are none. They are not inherited by child processes, which do not
// find the variables LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES either. The same files are returned each time; they are not to be closed by who does not know who else has asked. The error says
// what is wrong with the variables. Any goroutine may call it.
func Activation() ([]Activated, error) {
	activation.once.Do(func() { activation.files, activation.err = readActivation() })
	return slices.Clone(activation.files), activation.err
}

func readActivation() ([]Activated, error) {
	pid, fds, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	if pid == "" || fds == "" {
		return nil, nil
	}
	if n, err := strconv.Atoi(pid); err != nil || n != os.Getpid() {
		return nil, nil //nolint:nilerr // they are another process's
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 || n > maxPassed {
		return nil, fmt.Errorf("endpoint: LISTEN_FDS is %q: it must be a number from 0 to %d", fds, maxPassed)
	}
	var named []string
	if names != "" {
		if named = strings.Split(names, ":"); len(named) != n {
			return nil, fmt.Errorf("endpoint: LISTEN_FDNAMES has %d names, and LISTEN_FDS is %d", len(named), n)
		}
	}
	var files []Activated
	for i := range n {
		a := Activated{Name: "unknown"}
		if named != nil {
			a.Name = named[i]
		}
		fd := firstPassed + i
		closeOnExec(fd)
		a.File = os.NewFile(uintptr(fd), "LISTEN_FD_"+strconv.Itoa(fd)+" ("+a.Name+")")
		files = append(files, a)
	}
	return files, nil
}

// activatedBy is the one of that name or number, from 0; or the only one.
func activatedBy(which string) (*os.File, error) {
	all, err := Activation()
	if err != nil {
		return nil, err
	}
	refuse := func(format string, args ...any) error {
		return &SyntaxError{"systemd:" + which, fmt.Sprintf(format, args...)}
	}
	switch {
	case len(all) == 0:
		return nil, refuse("no socket was passed to this process (LISTEN_FDS)")
	case which == "" && len(all) > 1:
		return nil, refuse("%d sockets were passed: say which, by name or by number from 0", len(all))
	case which == "":
		return all[0].File, nil
	}
	if n, err := strconv.Atoi(which); err == nil {
		if n < 0 || n >= len(all) {
			return nil, refuse("%d sockets were passed, with numbers from 0", len(all))
		}
		return all[n].File, nil
	}
	for _, a := range all {
		if a.Name == which {
			return a.File, nil
		}
	}
	return nil, refuse("no socket of that name was passed")
}
