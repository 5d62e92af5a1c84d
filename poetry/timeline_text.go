package poetry

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultTextWidth is how many columns a text timeline has: 72.
const DefaultTextWidth = 72

const (
	minTextWidth = 40
	arrivedCell  = "█"
	waitingCell  = "░"
)

// WriteTimelineText draws the reports as plain UTF-8 text, width columns wide (0 means DefaultTextWidth, and fewer than
// 40 are taken for 40), without colours, so that it reads the same on a terminal, in a pipe and in a file.
func WriteTimelineText(w io.Writer, width int, reports ...*Report) error {
	if width == 0 {
		width = DefaultTextWidth
	}
	t := textTimeline{width: max(width, minTextWidth), span: spanOf(reports)}
	for _, r := range reports {
		t.fitLabels(r)
	}
	for _, r := range reports {
		t.report(r)
		fmt.Fprintln(&t.b)
	}
	t.legend(reports)
	if s := difference(reports); s != "" {
		fmt.Fprintln(&t.b)
		t.paragraph(s)
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

type textTimeline struct {
	b     strings.Builder
	width int
	label int // columns of the labels
	span  time.Duration
}

// fitLabels makes the label column as wide as the longest label, but leaves the drawing two thirds of the width.
func (t *textTimeline) fitLabels(r *Report) {
	longest := 0
	if r.oneThread() {
		longest = len(control)
	}
	for i := range r.Tasks {
		longest = max(longest, utf8.RuneCountInString(taskLabel(&r.Tasks[i])))
	}
	t.label = max(t.label, min(longest, max(t.width/3, len(control))))
}

func taskLabel(f *Fetch) string { return fmt.Sprintf("%d %s", f.Task, f.Address) }

func (t *textTimeline) cells() int { return t.width - t.label - 1 }

func (t *textTimeline) report(r *Report) {
	t.paragraph(fmt.Sprintf("%s (%s)", r.Mode.name(), r.Mode.summary()))
	t.paragraph(r.headline())
	fmt.Fprintln(&t.b)
	for i := range r.Tasks {
		f := &r.Tasks[i]
		t.row(taskLabel(f), t.taskCells(f))
	}
	if r.oneThread() {
		t.row(control, t.controlCells(r))
	}
	t.axis()
	if r.interleaved() {
		t.turns(r)
	}
	for i := range r.Tasks {
		if f := &r.Tasks[i]; f.Err != nil {
			t.paragraph(fmt.Sprintf("Task %d failed: %v", f.Task, f.Err))
		}
	}
	t.paragraph(r.Mode.caption())
}

// legend explains the signs, once for all the reports, and only those that there are.
func (t *textTimeline) legend(reports []*Report) {
	if len(reports) == 0 {
		return
	}
	legend := arrivedCell + " bytes arrived, " + waitingCell + " waiting"
	if slices.ContainsFunc(reports, (*Report).oneThread) {
		legend += ", 1 2 3 worked for that task"
	}
	if slices.ContainsFunc(reports, func(r *Report) bool { return r.Failed() > 0 }) {
		legend += ", × failed"
	}
	t.paragraph(legend + ". One column is " + shortSeconds(t.span/time.Duration(t.cells())) + ".")
}

func (t *textTimeline) row(label string, cells []string) {
	label = shorten(label, t.label)
	pad := strings.Repeat(" ", t.label-utf8.RuneCountInString(label)+1)
	fmt.Fprintln(&t.b, strings.TrimRight(label+pad+strings.Join(cells, ""), " "))
}

// taskCells is a cell for each stretch of time: blank outside the task, and inside it whether anything arrived.
func (t *textTimeline) taskCells(f *Fetch) []string {
	cells := t.blank()
	from, to := t.cell(f.Start), t.cell(f.End)
	if from < to && f.End <= t.span && t.at(to) >= f.End {
		to-- // it ended exactly where this cell begins
	}
	for c := from; c <= to; c++ {
		cells[c] = waitingCell
	}
	for _, p := range f.Pieces {
		cells[t.cell(p.At)] = arrivedCell
	}
	if f.Err != nil {
		cells[to] = "×"
	}
	return cells
}

// controlCells shows which task the one thread worked for. From the 36th task on, all have the same sign.
func (t *textTimeline) controlCells(r *Report) []string {
	const signs = "123456789abcdefghijklmnopqrstuvwxyz"
	cells := t.blank()
	for c := range cells {
		if t.at(c) < r.Span() {
			cells[c] = waitingCell
		}
	}
	marks := r.marks()
	for i := range marks {
		marks[i].at = t.at(t.cell(marks[i].at)) // so that those of one cell are together, and no others
	}
	for _, m := range takeTurns(marks, 1, 1) {
		sign := "*"
		if m.task <= len(signs) {
			sign = signs[m.task-1 : m.task]
		}
		cells[t.cell(m.at+1)] = sign // the nanosecond makes up for what dividing and multiplying lost
	}
	return cells
}

func (t *textTimeline) turns(r *Report) {
	const mostTurns = 20 // fit on one line after the words
	turns := r.turns(mostTurns + 1)
	if len(turns) == 0 {
		return
	}
	var s strings.Builder
	s.WriteString("First turns:")
	for i, task := range turns {
		if i == mostTurns {
			s.WriteString(" …")
			break
		}
		fmt.Fprintf(&s, " %d", task)
	}
	t.paragraph(s.String())
}

func (t *textTimeline) axis() {
	ruler, numbers := t.blank(), t.blank()
	for c := range ruler {
		ruler[c] = "─"
	}
	const unit = " s"
	free := 0
	for _, tick := range axisTicks(t.span, max(2, t.cells()/6)) {
		c := t.cell(tick)
		ruler[c] = "┬"
		label := tickLabel(tick)
		if tick == 0 {
			label += unit
		}
		c = min(c, len(numbers)-len(label))
		if c < free {
			continue
		}
		for i, digit := range label {
			numbers[c+i] = string(digit)
		}
		free = c + len(label) + 1
	}
	t.row("", ruler)
	t.row("", numbers)
}

func (t *textTimeline) blank() []string {
	cells := make([]string, t.cells())
	for c := range cells {
		cells[c] = " "
	}
	return cells
}

func (t *textTimeline) cell(at time.Duration) int { return cellOf(at, t.span, t.cells()) }

// at is the moment at which a cell begins.
func (t *textTimeline) at(cell int) time.Duration {
	return time.Duration(float64(t.span) * float64(cell) / float64(t.cells()))
}

func (t *textTimeline) paragraph(s string) {
	column := 0
	for word := range strings.FieldsSeq(s) {
		n := utf8.RuneCountInString(word)
		if column > 0 && column+1+n > t.width {
			fmt.Fprintln(&t.b)
			column = 0
		}
		if column > 0 {
			fmt.Fprint(&t.b, " ")
			column++
		}
		fmt.Fprint(&t.b, word)
		column += n
	}
	fmt.Fprintln(&t.b)
}
