package cli

import (
	"errors"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdChoke waits for the first byte, by which time the command listens to signals, and then fills the pipe.
func cmdChoke(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "choke NAME FIFO COMMAND ARG...")
	fifo := ts.MkAbs(args[1])
	ours, err := os.OpenFile(fifo, os.O_RDWR, 0)
	ts.Check(err)
	ts.Defer(func() { _ = ours.Close() })
	// Opened for itself, since whether it blocks must not depend on ours.
	theirs, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	ts.Check(err)
	start(ts, args[0], theirs, args[2:])
	ts.Check(theirs.Close())

	ts.Check(ours.SetReadDeadline(time.Now().Add(patience)))
	_, err = ours.Read(make([]byte, 1))
	ts.Check(err)
	ts.Check(ours.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)))
	if n, err := ours.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		ts.Fatalf("the pipe has taken %d bytes: %v", n, err)
	}
}
