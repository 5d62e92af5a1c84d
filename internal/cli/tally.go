package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/rondo-go/rondo/poetry"
)

// A tally is one bar for all tasks, when they are too many for a row each: how many of them are over.
type tally struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	clock    clock
	began    time.Time
	what     string // is counted

	mu                      sync.Mutex
	tasks, got, lost, bytes int
}

func newTally(w io.Writer, c clock, tasks int) *tally {
	t := &tally{clock: c, began: c.now(), what: "poem", tasks: tasks}
	t.progress = mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(80*time.Millisecond))
	t.bar = t.progress.MustAdd(0, mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		_, err := io.WriteString(w, t.line(s.AvailableWidth))
		return err
	}), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return t.figures() })))
	return t
}

// event is a poetry.Client's OnEvent.
func (t *tally) event(e poetry.Event) {
	t.mu.Lock()
	switch e.Kind {
	case poetry.EventPiece:
		t.bytes += e.Bytes
	case poetry.EventFinished:
		t.got++
	case poetry.EventFailed:
		t.lost++
	}
	over := t.got+t.lost == t.tasks
	t.mu.Unlock()
	// Without the lock, which drawing takes too.
	if over {
		t.bar.SetTotal(-1, true)
	}
}

func (t *tally) wait() { t.progress.Wait() }

func (t *tally) line(width int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	width = max(width, 0)
	cells := width * (t.got + t.lost) / t.tasks
	return strings.Repeat("━", cells) + strings.Repeat(" ", width-cells)
}

func (t *tally) figures() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := fmt.Sprintf("%d of %s, %s", t.got, count(t.tasks, t.what), count(t.bytes, "byte"))
	if t.lost > 0 {
		s += fmt.Sprintf(", %d failed", t.lost)
	}
	return fmt.Sprintf("%s %5.1f s", s, t.clock.now().Sub(t.began).Seconds())
}
