package poetry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// name is the mode as a heading has it.
func (m Mode) name() string {
	switch m {
	case ModeBlocking:
		return "Blocking"
	case ModeThreads:
		return "Threads"
	case ModeAsync:
		return "Asynchronous"
	case ModeTask:
		return "Tasks"
	}
	return string(m)
}

// summary is the mode's way of working in a few words.
func (m Mode) summary() string {
	switch m {
	case ModeBlocking:
		return "one after the other"
	case ModeThreads:
		return "a thread of control for each"
	case ModeAsync:
		return "all at once, one thread of control"
	case ModeTask:
		return "a coroutine for each, one thread of control"
	}
	return ""
}

// caption says which figure of the slow poetry documents this is, drawn from measurements.
func (m Mode) caption() string {
	switch m {
	case ModeBlocking:
		return "Figures 1 and 4: the synchronous model. Each task is done before the next begins; in the grey stretches " +
			"the whole program waits."
	case ModeThreads:
		return "Figure 2: the threaded model. Each task has a thread of control of its own, and waits in it alone."
	case ModeAsync, ModeTask:
		return "Figure 3: the asynchronous model. The tasks are interleaved in one thread of control, which waits only " +
			"when no task can go on."
	}
	return ""
}

// headline is what the report came to.
func (r *Report) headline() string {
	s := fmt.Sprintf("%s, %s in %s", count(r.Poems(), "poem"), count(r.Bytes(), "byte"), shortSeconds(r.Total()))
	if n := r.Failed(); n > 0 {
		s += fmt.Sprintf(", %d failed", n)
	}
	return s
}

// outcome is what one task came to, short enough for the end of its row.
func (f *Fetch) outcome() string {
	if f.Err != nil {
		return fmt.Sprintf("failed at %d bytes", f.Bytes)
	}
	return fmt.Sprintf("%s · %s", count(f.Bytes, "byte"), shortSeconds(f.Elapsed()))
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// difference says in a sentence or two what the reports came to beside each other; nothing for fewer than two.
func difference(reports []*Report) string {
	if len(reports) < 2 {
		return ""
	}
	slow, fast := reports[0], reports[0]
	var parts []string
	for _, r := range reports {
		if r.Total() > slow.Total() {
			slow = r
		}
		if r.Total() < fast.Total() {
			fast = r
		}
		parts = append(parts, fmt.Sprintf("the %s client took %s", r.Mode.adjective(), shortSeconds(r.Total())))
	}
	s := sentence(parts)
	if slow.Mode != ModeBlocking || fast.Mode == ModeBlocking || fast.Total() <= 0 {
		return s
	}
	ratio := float64(slow.Total()) / float64(fast.Total())
	if ratio < 1.05 {
		return s
	}
	return s + fmt.Sprintf(" One after the other costs the sum of the tasks, all at once only the longest of them (%s): "+
		"%.1f times as fast, with nothing done faster, only less waited for.", shortSeconds(fast.Longest()), ratio)
}

func (m Mode) adjective() string {
	switch m {
	case ModeThreads:
		return "threaded"
	case ModeTask:
		return "task"
	}
	return strings.ToLower(m.name())
}

func sentence(parts []string) string {
	s := strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1] + "."
	return strings.ToUpper(s[:1]) + s[1:]
}

// control is the label of the row that shows the one thread of control.
const control = "the one thread"

// figures are the rows of the small table: a name, and a value for each report.
var figures = []struct {
	name  string
	value func(*Report) string
}{
	{"Poems got", func(r *Report) string { return fmt.Sprintf("%d of %d", r.Poems(), len(r.Tasks)) }},
	{"Bytes", func(r *Report) string { return fmt.Sprint(r.Bytes()) }},
	{"Total time", func(r *Report) string { return FormatElapsed(r.Total()) }},
	{"Tasks added up", func(r *Report) string { return FormatElapsed(r.Sum()) }},
	{"Longest task", func(r *Report) string { return FormatElapsed(r.Longest()) }},
	{"Longest silence of the whole program", func(r *Report) string { return FormatElapsed(r.longestSilence()) }},
	{"Tasks at a time, on average", func(r *Report) string {
		return fmt.Sprintf("%.1f", r.Sum().Seconds()/max(r.Total().Seconds(), 1e-9))
	}},
	{"Tasks at a time, at most", func(r *Report) string { return fmt.Sprint(r.mostAtOnce()) }},
}

// mostAtOnce is how many tasks were under way at the same time, at most.
func (r *Report) mostAtOnce() int {
	type change struct {
		at time.Duration
		by int
	}
	var changes []change
	for i := range r.Tasks {
		f := &r.Tasks[i]
		changes = append(changes, change{f.Start, 1}, change{max(f.End, f.Start), -1})
	}
	// An end and a start in the same microsecond are one after the other, so the end comes first.
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	most, n := 0, 0
	for _, c := range changes {
		n += c.by
		most = max(most, n)
	}
	return most
}
