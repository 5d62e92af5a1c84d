package rondo

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"

	"github.com/rondo-go/rondo/internal/poller"
)

// Errors that a caller may want to tell apart. Compare with [errors.Is].
var (
	// ErrClosed is returned by operations on a connection that has ended or is being closed, and
	// on a handle whose connection is gone. It is also net.ErrClosed.
	ErrClosed = fmt.Errorf("rondo: %w", net.ErrClosed)

	// ErrAborted is what ConnectionLost gets after Conn.Abort.
	ErrAborted = errors.New("rondo: connection aborted")

	// ErrEngineClosed is returned once Shutdown or Close has been called, and is what ConnectionLost
	// gets when the time that Shutdown was given has run out.
	ErrEngineClosed = errors.New("rondo: engine closed")

	// ErrExecutorFull is returned by Run when Config.MaxQueued functions are waiting already.
	ErrExecutorFull = errors.New("rondo: too much blocking work is queued")

	// ErrPending is returned by Future.Result before there is one.
	ErrPending = errors.New("rondo: future is pending")

	// ErrOnLoop is returned by calls that wait, when they are made on the very loop that they
	// would wait for.
	ErrOnLoop = errors.New("rondo: this call waits for the loop that it is made on")

	// ErrNotPollable is in Loop.OpenFile's error for a file that cannot be waited for: a regular file, a folder, a
	// device like /dev/null. Reading and writing it is blocking work, for Run.
	ErrNotPollable = poller.ErrNotPollable

	// ErrNoSplice is Conn.SpliceTo's where the kernel cannot move bytes from the one connection to the other:
	// the program copies them.
	ErrNoSplice = errors.New("rondo: the kernel cannot splice these connections")

	// ErrSpliceStopped is the reason of a splice that Splice.Stop has ended.
	ErrSpliceStopped = errors.New("rondo: splice stopped")

	errGoexit = errors.New("rondo: runtime.Goexit in a callback (a test's FailNow must be called by the test's goroutine)")
)

// LimitError is returned when the poller cannot watch one more descriptor: select's are below 1,024. It is
// in Dial's error and in the log when accepting pauses for it.
type LimitError = poller.LimitError

// BufferError ends a connection of which one buffer has grown past its limit: the peer does not
// read what is written, or the protocol does not consume what is read.
type BufferError struct {
	Op       string // "write" or "read"
	Buffered int    // bytes that would have been held
	Limit    int    // bytes allowed
}

func (e *BufferError) Error() string {
	if e.Op == "read" {
		return fmt.Sprintf("rondo: %d bytes would be kept for the protocol and the limit is %d (Config.MaxReadBuffer)", e.Buffered, e.Limit)
	}
	return fmt.Sprintf("rondo: the peer has not read %d bytes and the limit is %d (Conn.SetWriteLimits)", e.Buffered, e.Limit)
}

// PanicError is a panic in a callback. It ends the connection whose callback it was, not the loop.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // the goroutine's stack where it happened
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("rondo: panic in a callback: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap gives the error that was given to panic, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// IsOnly reports whether err is reason, perhaps wrapped, and nothing else beside it: what is left of work that
// was cancelled for that reason, and whose cleaning up has not failed as well.
func IsOnly(err, reason error) bool {
	if !errors.Is(err, reason) {
		return false
	}
	for next := errors.Unwrap(err); next != nil && errors.Is(next, reason); next = errors.Unwrap(err) {
		err = next
	}
	many, ok := err.(interface{ Unwrap() []error })               //nolint:errorlint // it is unwrapped
	if !ok || reflect.TypeOf(err).Comparable() && err == reason { //nolint:errorlint // likewise
		return true
	}
	return !slices.ContainsFunc(many.Unwrap(), func(err error) bool { return !IsOnly(err, reason) })
}
