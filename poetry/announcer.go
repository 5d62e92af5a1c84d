package poetry

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// An announcer prints what a server does, in the words of the slow poetry server, one whole line for each Write. Safe
// from any goroutine, so that the loops of one server can share it.
type announcer struct {
	mu  sync.Mutex
	out io.Writer
}

func newAnnouncer(out io.Writer) *announcer {
	if out == nil {
		out = io.Discard
	}
	return &announcer{out: out}
}

// serving is the one line that must arrive: without it nobody learns the port.
func (a *announcer) serving(name string, addr net.Addr) error {
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		port = addr.String() // a simulated network's address may have no port
	}
	if _, err := fmt.Fprintf(a.out, "Serving %s on port %s.\n", name, port); err != nil {
		return fmt.Errorf("saying which port it serves on: %w", err)
	}
	return nil
}

func (a *announcer) somebody(addr net.Addr) { a.printf("Somebody at %s wants poetry!\n", addr) }

func (a *announcer) sending(n int) { a.printf("Sending %d bytes\n", n) }

// trouble is for what the documents' server does not have: a poem that cannot be read any more, a failed handshake.
func (a *announcer) trouble(addr net.Addr, err error) { a.printf("No poetry for %s: %v\n", addr, err) }

func (a *announcer) printf(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// A reader of this output that has gone away is no reason to stop serving.
	_, _ = fmt.Fprintf(a.out, format, args...)
}
