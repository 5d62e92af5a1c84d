package poetry

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/descriptors"
)

// Why a task failed: what [errors.Is] finds in a [Failure].
var (
	ErrRefused   = errors.New("connection refused")
	ErrReset     = errors.New("connection reset")
	ErrStalled   = errors.New("no bytes within the timeout")
	ErrCancelled = errors.New("fetch cancelled")
	ErrTooLong   = errors.New("poem longer than the limit")
)

// A Failure is why one task got no whole poem. Its text is one sentence that names the address. [errors.Is] finds both
// the reason, if it is one of the five above, and the cause.
type Failure struct {
	Address string
	Bytes   int   // how many had arrived
	Reason  error // ErrRefused, ErrReset, ErrStalled, ErrCancelled or ErrTooLong; nil for any other cause
	Cause   error // as the system or the engine had it; may be nil

	connected bool
	timeout   time.Duration
}

// Error returns the sentence.
func (f *Failure) Error() string {
	after := fmt.Sprintf("after %d bytes", f.Bytes)
	switch {
	case errors.Is(f.Reason, ErrRefused):
		return f.Address + " refused the connection: is a poetry server running there?"
	case errors.Is(f.Reason, ErrReset):
		return fmt.Sprintf("%s reset the connection %s.", f.Address, after)
	case errors.Is(f.Reason, ErrStalled):
		if !f.connected {
			return fmt.Sprintf("%s did not answer within %v.", f.Address, f.timeout)
		}
		return fmt.Sprintf("%s sent nothing more within %v, %s.", f.Address, f.timeout, after)
	case errors.Is(f.Reason, ErrCancelled):
		return fmt.Sprintf("cancelled %s from %s.", after, f.Address)
	case errors.Is(f.Reason, ErrTooLong):
		return fmt.Sprintf("%s sent more than %s, the most that a poem may have.", f.Address, size(f.Bytes))
	}
	if !f.connected {
		return fmt.Sprintf("could not connect to %s: %v%s", f.Address, bare(f.Cause), descriptors.Hint(f.Cause)+TrustHint(f.Cause))
	}
	return fmt.Sprintf("reading from %s failed %s: %v", f.Address, after, bare(f.Cause))
}

// TrustHint is what to add to the text of an error, which is nothing unless a server's certificate could not be checked
// for want of an authority that is trusted: how the commands' options say whom to trust.
func TrustHint(err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return ": give the certificate to trust with --ca, or --insecure to check nothing"
	}
	return ""
}

// size is a number of bytes as one says it.
func size(n int) string {
	if n > 0 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// bare is the error without the operation and the addresses that package net puts before it: the sentence has them.
func bare(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}

// Unwrap returns the reason and the cause, as far as they are known.
func (f *Failure) Unwrap() []error {
	var errs []error
	for _, err := range []error{f.Reason, f.Cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Windows' own numbers, which package syscall does not equate with ECONNREFUSED and ECONNRESET. No other system has
// numbers as high, so they need no file of their own.
const (
	windowsReset   = syscall.Errno(10054)
	windowsRefused = syscall.Errno(10061)
)

// reasonFor sorts what a client ran into. A timeout is this client's own: it must have seen to it that a context which
// has ended is ErrCancelled already.
func reasonFor(err error) error {
	for _, reason := range []error{ErrRefused, ErrReset, ErrStalled, ErrCancelled, ErrTooLong} {
		if errors.Is(err, reason) {
			return reason
		}
	}
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, windowsRefused):
		return ErrRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, windowsReset):
		return ErrReset
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), isNet && netErr.Timeout():
		return ErrStalled
	case errors.Is(err, context.Canceled):
		return ErrCancelled
	}
	return nil
}
