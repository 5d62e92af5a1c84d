package poetry

import (
	"fmt"
	"time"
)

// FormatElapsed writes a duration as H:MM:SS.ffffff, rounded to a microsecond, and without the fraction when it is
// zero. From a day on, the days stand before it: "1 day, 0:00:01", "2 days, 3:04:05.000006". It is the form in which
// Python prints a timedelta, a negative one ("-1 day, 23:59:59") included. Safe from any goroutine.
func FormatElapsed(d time.Duration) string {
	const day = 24 * time.Hour
	// Rounding the magnitude keeps halves symmetrical; the largest duration would overflow, and Round then gives it back.
	d = d.Round(time.Microsecond)
	days := d / day
	rest := d % day
	if rest < 0 {
		// As in Python, only the days are negative, and the time of day counts forward from them.
		days--
		rest += day
	}
	prefix := ""
	if days != 0 {
		plural := "s"
		if days == 1 || days == -1 {
			plural = ""
		}
		prefix = fmt.Sprintf("%d day%s, ", int64(days), plural)
	}
	s := fmt.Sprintf("%s%d:%02d:%02d", prefix, int(rest/time.Hour), int(rest/time.Minute)%60, int(rest/time.Second)%60)
	if micros := rest % time.Second / time.Microsecond; micros != 0 {
		s += fmt.Sprintf(".%06d", int64(micros))
	}
	return s
}
