package sim

import (
	"fmt"
	"strings"
)

// How much Diff shows of what two logs have in common, before they differ, and of each after that.
const (
	diffBefore = 5
	diffAfter  = 3
)

// Diff says where two logs begin to differ: at which event and time, with what came before, and what follows in a, after a minus sign, and in b, after a
// plus. It is empty if they do not differ. Of logs that are not kept whole it can compare only the end.
func Diff(a, b *Log) string {
	if a.count == b.count && a.sum == b.sum {
		return ""
	}
	x, y := a.Entries(), b.Entries()
	lostX, lostY := a.count-len(x), b.count-len(y) // events that are not kept
	lost := max(lostX, lostY)
	i, n := lost, min(a.count, b.count)
	for i < n && x[i-lostX] == y[i-lostY] {
		i++
	}
	var out strings.Builder
	switch {
	case lost > 0 && (i == lost || i == n && a.count == b.count):
		fmt.Fprintf(&out, "the logs differ at event %s, the first that is kept of both, or before: Config.Log keeps all\n", thousands(lost+1))
		if i != lost || lost >= n {
			return out.String()
		}
	default:
		fmt.Fprintf(&out, "the logs differ from event %s on%s, of %s and %s events\n", thousands(i+1), firstTimes(x, y, i-lostX, i-lostY),
			thousands(a.count), thousands(b.count))
	}
	for _, e := range x[max(lost, i-diffBefore)-lostX : i-lostX] {
		fmt.Fprintln(&out, " ", e)
	}
	x, y = x[i-lostX:], y[i-lostY:]
	sent := len(x) > 0 && len(y) > 0 && x[0].String() == y[0].String() // they differ in what is not shown otherwise
	writeSide(&out, "-", x, sent)
	writeSide(&out, "+", y, sent)
	return out.String()
}

// firstTimes says when the first events that differ were.
func firstTimes(x, y []Entry, i, j int) string {
	switch {
	case i >= len(x) || j >= len(y):
		return ""
	case x[i].At == y[j].At:
		return fmt.Sprintf(", at %s s", seconds(x[i].At))
	}
	return fmt.Sprintf(", at %s s and %s s", seconds(x[i].At), seconds(y[j].At))
}

func writeSide(out *strings.Builder, mark string, rest []Entry, sent bool) {
	if len(rest) == 0 {
		fmt.Fprintln(out, mark, "           (it ends here)")
		return
	}
	for _, e := range rest[:min(diffAfter, len(rest))] {
		if sent {
			fmt.Fprintf(out, "%s %v, sent at %s s\n", mark, e, seconds(e.Sent))
		} else {
			fmt.Fprintln(out, mark, e)
		}
	}
}
