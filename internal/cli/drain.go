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
		open := e.Conns()
		if err := e.Close(); err != nil {
			return err
		}
		fmt.Fprintln(out, "Ended at once.")
		if open > 0 {
			fmt.Fprintf(p.errs, "%s cut off.\n", were(open, "connection"))
		}
		return nil
	}
	fmt.Fprintf(out, "Draining for up to %v; Ctrl-C, INT or TERM ends it at once.\n", patience)
	timeout, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	limit, cutOff := context.WithCancelCause(context.Background())
	defer cutOff(nil)
	over := make(chan struct{})
	open, counted := 0, make(chan struct{})
	go func() {
		defer close(counted)
		reason := errNoPatience
		select {
		case <-over:
			return
		case <-timeout.Done():
		case <-p.hurry:
			reason = errHurried
		}
		open = e.Conns() // before they are cut off: afterwards there are none
		cutOff(reason)
	}()
	err := e.Shutdown(limit)
	close(over)
	<-counted
	switch {
	case err == nil || open == 0:
		fmt.Fprintln(out, "Drained.")
	case context.Cause(limit) == errHurried: //nolint:errorlint // our own, bare
		fmt.Fprintf(p.errs, "Ended at once: %s cut off.\n", were(open, "connection"))
	default:
		fmt.Fprintf(p.errs, "Not everything had finished after %v: %s cut off.\n", patience, were(open, "connection"))
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
