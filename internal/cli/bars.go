package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/rondo-go/rondo/poetry"
)

// bars show on a terminal how the poems come, one bar for each task, in the place of the lines for each piece.
//
// Nobody knows how long a poem will be, so no bar can say how much is missing. Their lengths are the bytes so far, on one
// scale for all of them that shrinks as the longest grows: one sees who moves and who waits.
type bars struct {
	progress *mpb.Progress
	clock    clock
	colours  colours

	mu      sync.Mutex
	rows    []*bar
	longest int // bytes of the longest poem
}

type bar struct {
	*mpb.Bar
	name     string
	bytes    int
	began    time.Time // zero before the task has
	elapsed  time.Duration
	outcome  string // empty while it goes on
	finished bool   // and with the whole poem
}

// newBars draws on w, a terminal, until wait is called.
func newBars(w io.Writer, c clock, addresses []poetry.Address) *bars {
	b := &bars{clock: c, colours: colours{off: os.Getenv("NO_COLOR") != ""}}
	b.progress = mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(80*time.Millisecond), mpb.WithQueueLen(len(addresses)+1))
	names := 0
	for _, a := range addresses {
		names = max(names, len(a.String()))
	}
	// All rows before the first bar, since drawing begins with it.
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range addresses {
		b.rows = append(b.rows, &bar{name: fmt.Sprintf("%*d %-*s", len(fmt.Sprint(len(addresses))), i+1, names, a)})
	}
	for _, r := range b.rows {
		r.Bar = b.progress.MustAdd(0, mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
			_, err := io.WriteString(w, b.line(r, s.AvailableWidth))
			return err
		}),
			mpb.PrependDecorators(decor.Name(r.name)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.figures(r) })),
		)
	}
	return b
}

// event is a poetry.Client's OnEvent.
func (b *bars) event(e poetry.Event) {
	b.mu.Lock()
	r := b.rows[e.Task-1]
	switch e.Kind {
	case poetry.EventStarted:
		r.began = b.clock.now()
	case poetry.EventPiece:
		r.bytes += e.Bytes
		b.longest = max(b.longest, r.bytes)
	case poetry.EventFinished:
		r.outcome, r.finished, r.elapsed = "✓", true, e.Elapsed
	case poetry.EventFailed:
		r.outcome, r.elapsed = "✗", e.Elapsed
	}
	over := r.outcome != ""
	b.mu.Unlock()
	// Without the lock, which drawing takes too.
	if over {
		r.SetTotal(-1, true)
	}
}

// wait returns when all tasks are over and drawn.
func (b *bars) wait() { b.progress.Wait() }

// line is the bar itself.
func (b *bars) line(r *bar, width int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	width = max(width, 0)
	scale := 16 // bytes to a column; it doubles, so that the bars do not shrink all the time
	for b.longest > scale*width && width > 0 {
		scale *= 2
	}
	cells := min((r.bytes+scale-1)/scale, width)
	line, rest := strings.Repeat("━", cells), strings.Repeat(" ", width-cells)
	switch {
	case r.finished:
		line = b.colours.good(line)
	case r.outcome != "":
		line = b.colours.bad(line)
	}
	return line + rest
}

// figures stand behind the bar, always as wide.
func (b *bars) figures(r *bar) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	elapsed, mark := r.elapsed, r.outcome
	switch {
	case r.began.IsZero():
		return b.colours.soft(fmt.Sprintf("%*s", figuresWidth, "waits its turn  "))
	case mark == "":
		elapsed, mark = b.clock.now().Sub(r.began), " "
	}
	text := fmt.Sprintf("%*s", figuresWidth-2, fmt.Sprintf("%s %5.1f s", count(r.bytes, "byte"), elapsed.Seconds()))
	switch {
	case r.finished:
		return text + " " + b.colours.good(mark)
	case r.outcome != "":
		return text + " " + b.colours.bad(mark)
	}
	return text + " " + mark
}

const figuresWidth = 24
