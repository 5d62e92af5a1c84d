package poetry

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WriteTimeline draws the reports into a file, all on the same time scale, in the form that its suffix says: .svg,
// .html, .txt or .json. It draws nothing that was not measured. An unknown suffix gives a [UsageError].
func WriteTimeline(path string, reports ...*Report) error {
	draw, err := timelineForm(path)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := draw(&b, reports); err != nil {
		return fmt.Errorf("drawing the timeline %s: %w", path, err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the timeline: %w", err)
	}
	return nil
}

// CheckTimelinePath says whether WriteTimeline knows the suffix, so that a command can refuse it before it fetches
// anything.
func CheckTimelinePath(path string) error {
	_, err := timelineForm(path)
	return err
}

func timelineForm(path string) (func(*bytes.Buffer, []*Report) error, error) {
	switch suffix := filepath.Ext(path); strings.ToLower(suffix) {
	case ".svg":
		return func(b *bytes.Buffer, r []*Report) error { return WriteTimelineSVG(b, r...) }, nil
	case ".html":
		return func(b *bytes.Buffer, r []*Report) error { return WriteTimelineHTML(b, r...) }, nil
	case ".txt":
		return func(b *bytes.Buffer, r []*Report) error { return WriteTimelineText(b, DefaultTextWidth, r...) }, nil
	case ".json":
		return func(b *bytes.Buffer, r []*Report) error { return WriteTimelineJSON(b, r...) }, nil
	case "":
		return nil, usageErrorf("The timeline %s has no suffix: end it in .svg, .html, .txt or .json.", path)
	default:
		return nil, usageErrorf("No timeline can be drawn as %s: end the file name in .svg, .html, .txt or .json.", suffix)
	}
}

// A mark is a moment at which bytes of a task arrived, so at which the program worked for it.
type mark struct {
	at   time.Duration
	task int // from 1
}

// marks are all of a report's, in the order of time.
func (r *Report) marks() []mark {
	var all []mark
	for i := range r.Tasks {
		for _, p := range r.Tasks[i].Pieces {
			all = append(all, mark{p.At, r.Tasks[i].Task})
		}
	}
	slices.SortStableFunc(all, func(a, b mark) int { return cmp.Compare(a.at, b.at) })
	return all
}

// oneThread says whether the mode has one thread of control, which is then drawn as a row of its own.
func (r *Report) oneThread() bool { return r.Mode != ModeThreads }

// interleaved says whether the mode works for several tasks in turn, in its one thread of control.
func (r *Report) interleaved() bool { return r.oneThread() && r.Mode != ModeBlocking }

// turns are the tasks in the order in which the one thread of control worked for them, the first most of them: what the
// interleaved blocks of the asynchronous model's figure show. It has no time scale.
func (r *Report) turns(most int) []int {
	var turns []int
	for _, m := range r.marks() {
		if len(turns) == most {
			break
		}
		turns = append(turns, m.task)
	}
	return turns
}

// takeTurns lays marks out so that they are that far apart or more, for a drawing in which closer ones would hide each
// other: and wherever servers keep the same pace, they are closer. Marks that are too close together follow each other
// in their order, if there is room before the next ones and they are no more than most. Otherwise those tasks are shown
// that have not been for longest, so that none is hidden for good.
func takeTurns(marks []mark, apart time.Duration, most int) []mark {
	apart = max(apart, 1)
	var kept []mark
	shown := map[int]int{} // when each task was last kept, as the length of kept
	for i := 0; i < len(marks); {
		first := marks[i].at
		var tasks []int
		for ; i < len(marks) && marks[i].at < first+apart; i++ {
			if !slices.Contains(tasks, marks[i].task) {
				tasks = append(tasks, marks[i].task)
			}
		}
		room := most
		if i < len(marks) {
			room = int(min((marks[i].at-first)/apart, time.Duration(most)))
		}
		if len(tasks) > room {
			slices.SortStableFunc(tasks, func(a, b int) int { return cmp.Compare(shown[a], shown[b]) })
			tasks = tasks[:room]
		}
		for slot, task := range tasks {
			kept = append(kept, mark{first + time.Duration(slot)*apart, task})
			shown[task] = len(kept)
		}
	}
	return kept
}

func cellOf(at, span time.Duration, cells int) int {
	if span <= 0 {
		return 0
	}
	return max(0, min(int(float64(at)/float64(span)*float64(cells)), cells-1))
}

// longestSilence is the longest time in which nothing arrived for anybody, so in which the whole program only waited.
func (r *Report) longestSilence() time.Duration {
	var longest, last time.Duration
	for _, m := range r.marks() {
		longest = max(longest, m.at-last)
		last = m.at
	}
	return max(longest, r.Span()-last)
}

// spanOf is the scale that several reports share.
func spanOf(reports []*Report) time.Duration {
	var span time.Duration
	for _, r := range reports {
		span = max(span, r.Span())
	}
	return span
}

// axisTicks are round numbers of seconds from 0 to the span, at most the given number of them.
func axisTicks(span time.Duration, most int) []time.Duration {
	if span <= 0 {
		return []time.Duration{0}
	}
	least := span.Seconds() / float64(max(1, most-1))
	power := math.Pow(10, math.Floor(math.Log10(least)))
	step := 10 * power
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			step = m * power
			break
		}
	}
	interval := max(time.Duration(math.Round(step*1e9)), 1)
	var ticks []time.Duration
	for t := time.Duration(0); t <= span && len(ticks) < most; t += interval {
		ticks = append(ticks, t)
	}
	return ticks
}

// tickLabel is the tick in seconds, with as many digits as it needs and no more.
func tickLabel(t time.Duration) string { return strconv.FormatFloat(t.Seconds(), 'f', -1, 64) }

// shortSeconds is a time to three significant digits or so, for labels.
func shortSeconds(d time.Duration) string {
	s := d.Seconds()
	switch {
	case s >= 100:
		return fmt.Sprintf("%.0f s", s)
	case s >= 10:
		return fmt.Sprintf("%.1f s", s)
	case s >= 1:
		return fmt.Sprintf("%.2f s", s)
	case d >= time.Millisecond:
		return fmt.Sprintf("%.0f ms", s*1e3)
	}
	return fmt.Sprintf("%d µs", d.Microseconds())
}

// shorten cuts a text to at most n characters, in the middle, since an address is told apart by both its ends.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	if n < 3 {
		return string(r[:n])
	}
	head := (n - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}
