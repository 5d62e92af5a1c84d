package rondo_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/rig"
)

// openDescriptors is how many descriptors the process has.
func openDescriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// footprint is what a test must leave as it was.
type footprint struct{ descriptors, goroutines int }

// leavesNothing notes what the process has now; the function that it returns checks that there is
// no more. Whatever the test has opened must be closed by then.
func leavesNothing(t testing.TB) (check func()) {
	t.Helper()
	runtime.GC() // what earlier tests have forgotten to close is not this one's
	before := footprint{openDescriptors(t), runtime.NumGoroutine()}
	return func() {
		t.Helper()
		var now footprint
		for end := time.Now().Add(rig.Patience); ; runtime.Gosched() {
			// A goroutine that has done its last work is counted until it is gone.
			now = footprint{openDescriptors(t), runtime.NumGoroutine()}
			if now.descriptors <= before.descriptors && now.goroutines <= before.goroutines {
				return
			}
			if time.Now().After(end) {
				break
			}
		}
		stacks := make([]byte, 64<<10)
		stacks = stacks[:runtime.Stack(stacks, true)]
		t.Errorf("%+v are left of %+v\n%s", now, before, stacks)
	}
}
