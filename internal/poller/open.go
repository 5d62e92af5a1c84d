package poller

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// backend is one way to wait.
type backend struct {
	name string
	open func() (Poller, error)
}

// Names lists the backends of this platform, the preferred one first.
func Names() []string {
	names := make([]string, len(backends))
	for i, b := range backends {
		names[i] = b.name
	}
	return names
}

// Open opens the backend of that name; the empty name probes this platform's backends in order
// and takes the first that opens.
func Open(name string) (Poller, error) {
	var failed error
	for _, b := range backends {
		if name != "" && name != b.name {
			continue
		}
		p, err := b.open()
		if err == nil {
			return p, nil
		}
		if name == "" { // what is wrong with the preferred one is wrong, not what is wrong with the last
			failed = cmp.Or(failed, fmt.Errorf("opening a poller: %w", err))
		} else {
			failed = fmt.Errorf("opening the %s poller: %w", b.name, err)
		}
	}
	switch {
	case failed != nil:
		return nil, failed
	case len(backends) == 0:
		return nil, fmt.Errorf("no poller for %s yet: rondo runs on Linux, macOS and the BSDs", runtime.GOOS)
	}
	return nil, fmt.Errorf("unknown poller %q: on %s use %s", name, runtime.GOOS, strings.Join(Names(), ", "))
}

// clock is the monotonic clock that the operating system's backends share.
type clock struct{ start time.Time }

// newClock starts a nanosecond in the past, so that no time it tells is Immediately.
func newClock() clock { return clock{time.Now().Add(-time.Nanosecond)} }

// Epoch implements Poller.
func (c clock) Epoch() time.Time { return c.start }

// Now implements Poller.
func (c clock) Now() int64 { return int64(time.Since(c.start)) }
