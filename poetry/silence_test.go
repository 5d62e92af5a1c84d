package poetry

import (
	"context"
	"strings"
	"testing"
	"time"
)

// TestOwnDelayIsNoSilence: the time that OnEvent takes, as a printer whose output nobody reads, is not the servers'.
func TestOwnDelayIsNoSilence(t *testing.T) {
	eachClient(t, func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report) {
		t.Parallel()
		const timeout = time.Second
		for _, kind := range []EventKind{EventStarted, EventConnected, EventPiece} {
			o := atOnce(strings.Repeat("poem", 1<<17)) // more than one read takes, so that something is left to come
			o.NumBytes = 1 << 20
			address := serveAsync(t, o)
			blocked := false
			c := Client{Timeout: timeout, OnEvent: func(e Event) {
				if e.Kind == kind && !blocked {
					blocked = true
					<-time.After(timeout + timeout/2)
				}
			}}
			for _, f := range fetch(&c, t.Context(), []Address{address, address, address}).Tasks {
				if f.Err != nil {
					t.Errorf("blocked at event %d: task %d: %v", kind, f.Task, f.Err)
				}
			}
		}
	})
}
