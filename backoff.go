package rondo

import (
	"cmp"
	"time"
)

// Backoff says how long a [Reconnector] waits before it dials again. The zero Backoff is a good one.
type Backoff struct {
	// Initial is the longest wait before the first attempt that follows a failure or a loss, Max before any; in between each is Factor times the one before. Zero
	// means 1 second, 1 minute, and 2. A Factor below 1 is 1.
	Initial, Max time.Duration
	Factor       float64

	// Attempts is how many in a row may fail before the Reconnector gives up. Zero means that it never does.
	Attempts int

	// Reset is how long a connection must have lasted to be a success. One that is lost sooner counts as an attempt that failed, so that a server that accepts and
	// hangs up is not dialed all the time. Zero means 10 seconds.
	Reset time.Duration
}

// Delay is how long to wait after so many failures in a row, less one: a random part, from 0 to less than 1, of the longest wait ("full jitter"). Clients that have lost
// their server at the same moment then do not all return at the same moment.
func (b Backoff) Delay(failures int, random float64) time.Duration {
	longest := float64(cmp.Or(max(b.Initial, 0), time.Second))
	limit := float64(cmp.Or(max(b.Max, 0), time.Minute))
	factor := max(cmp.Or(b.Factor, 2), 1)
	for ; failures > 0 && longest < limit && factor > 1; failures-- {
		longest *= factor
	}
	return time.Duration(random * min(longest, limit))
}
