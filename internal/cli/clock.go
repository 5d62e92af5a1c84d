package cli

import "time"

// A clock is where the commands get the time from, so that a test can say what time it is.
type clock struct {
	now func() time.Time
}

var wallClock = clock{now: time.Now}
