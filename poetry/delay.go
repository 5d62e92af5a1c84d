package poetry

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseDelay reads a duration that is not negative: seconds, as in "0.1" and "5", or a Go duration, as in "100ms".
// A mistake gives a [UsageError]. Safe from any goroutine.
func ParseDelay(s string) (time.Duration, error) {
	d, ok := parseSeconds(s)
	if !ok {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			return 0, usageErrorf("The delay %q is no time: give seconds like 0.1, or a duration like 100ms.", s)
		}
	}
	if d < 0 {
		return 0, usageErrorf("The delay %s is negative: give 0 or more.", s)
	}
	return d, nil
}

func parseSeconds(s string) (time.Duration, bool) {
	// ParseFloat also takes hexadecimal, underscores, Inf and NaN, none of which anybody means by a delay.
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }) {
		return 0, false
	}
	seconds, err := strconv.ParseFloat(s, 64)
	nanos := math.Round(seconds * 1e9)
	if err != nil || math.Abs(nanos) >= math.MaxInt64 {
		return 0, false
	}
	return time.Duration(nanos), true
}
