package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rondo-go/rondo"
)

// Why a server's connections are cut off.
var (
	errNoPatience = errors.New("the time for connections to finish is over")
	errHurried    = errors.New("interrupted again")
)

// drain ends the engine of a server, and says on out that it has, or how many connections were cut off for want of time. The second signal is the end of it.
func (p *program) drain(e *rondo.Engine, patience time.Duration, out io.Writer) error {
	if patience == 0 {
		if err := e.Close(); err != nil {
			return err
		}
		fmt.Fprintln(out, "Ended at once.")
		if n := e.CutOff(); n > 0 {
			fmt.Fprintf(p.errs, "%s cut off.\n", were(n, "connection"))
		}
		return nil
	}
	fmt.Fprintf(out, "Draining for up to %v; Ctrl-C, INT or TERM ends it at once.\n", patience)
	limit, cutOff := context.WithCancelCause(context.Background())
	defer cutOff(nil)
	timeout := time.AfterFunc(patience, func() { cutOff(errNoPatience) }) //nolint:forbidigo // a signal's, and no simulation's
	defer timeout.Stop()
	go func() {
		select {
		case <-p.hurry:
			cutOff(errHurried)
		case <-limit.Done():
		}
	}()
	_ = e.Shutdown(limit) // what is not nil is limit's
	switch n := e.CutOff(); {
	case n == 0:
		fmt.Fprintln(out, "Drained.")
	case context.Cause(limit) == errHurried: //nolint:errorlint // our own, bare
		fmt.Fprintf(p.errs, "Ended at once: %s cut off.\n", were(n, "connection"))
	default:
		fmt.Fprintf(p.errs, "Not everything had finished after %v: %s cut off.\n", patience, were(n, "connection"))
	}
	return nil
}

// were is n things that something was done to.
func were(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " was"
	}
	return count(n, thing) + " were"
}
