package sim

import (
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// The measures of a drawing for a terminal, in characters.
const (
	textWidth   = 100
	timeWidth   = 12 // to the right end of the time
	firstColumn = 18
	lastColumn  = 90
	maxSpacing  = 42
	minSpacing  = 14 // between two hosts
	maxTextName = 12
)

// Draw draws what has happened as a sequence diagram for a terminal of 100 columns: a line for each host, from the top to the bottom, and between
// them what they send, where it arrives. Long quiet stretches and what repeats itself are shortened, and of many hosts
// only those with most events are drawn. It shows all of a run only with Config.Log; without, the end of it.
func (l *Log) Draw(w io.Writer) error {
	d := l.diagram((lastColumn-firstColumn)/minSpacing + 1)
	t := &textDrawing{diagram: d, hosts: newLives(len(d.hosts))}
	t.spacing = maxSpacing
	if n := len(d.hosts); n > 1 {
		t.spacing = min(maxSpacing, (lastColumn-firstColumn)/(n-1))
	}
	t.out.WriteString(d.title + "\n")
	for _, note := range d.notes {
		t.out.WriteString(note + "\n")
	}
	if len(d.hosts) > 0 {
		t.out.WriteString("\n")
		t.names()
	}
	last := d.begin
	for i := range d.rows {
		r := &d.rows[i]
		if gap := r.At - last; gap >= d.quiet && i > 0 && r.kind != again {
			t.begin(last, "⋮ "+stretch(gap))
			t.end()
		}
		t.row(r)
		if r.kind == again || r.kind == arrow && r.What == "data" {
			last = r.until
		} else {
			last = r.At
		}
	}
	if len(d.hosts) > 0 && len(d.rows) > 8 {
		t.names()
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

// lives is how the hosts are, at one time.
type lives struct {
	down   []bool
	paused []time.Duration // until then
}

func newLives(n int) *lives { return &lives{make([]bool, n), make([]time.Duration, n)} }

// happens is what a row changes.
func (l *lives) happens(r *row) {
	if r.kind != mark {
		return
	}
	switch r.What {
	case "kill", "power off":
		l.down[r.from] = true
	case "restart":
		l.down[r.from], l.paused[r.from] = false, 0
	case "pause":
		d, _ := time.ParseDuration(r.Of)
		l.paused[r.from] = max(l.paused[r.from], r.At+d)
	}
}

type textDrawing struct {
	*diagram
	out     strings.Builder
	line    [textWidth]rune
	spacing int
	hosts   *lives
}

func (t *textDrawing) x(column int) int { return firstColumn + column*t.spacing }

// begin starts a line: the time, and the hosts' lines.
func (t *textDrawing) begin(at time.Duration, label string) {
	for i := range t.line {
		t.line[i] = ' '
	}
	t.put(timeWidth-utf8.RuneCountInString(label), label)
	for i := range t.hosts.down {
		switch {
		case t.hosts.down[i]:
		case t.hosts.paused[i] > at:
			t.line[t.x(i)] = '╎'
		default:
			t.line[t.x(i)] = '│'
		}
	}
}

func (t *textDrawing) end() {
	t.out.WriteString(strings.TrimRight(string(t.line[:]), " "))
	t.out.WriteByte('\n')
}

// put writes words, as far as there is room.
func (t *textDrawing) put(x int, s string) {
	for _, c := range s {
		if x >= 0 && x < textWidth {
			t.line[x] = c
		}
		x++
	}
}

// names writes the hosts' names over, or under, their lines.
func (t *textDrawing) names() {
	for i := range t.line {
		t.line[i] = ' '
	}
	for i, h := range t.diagram.hosts {
		name := shorten(clean(h), min(t.spacing-2, 2*maxTextName))
		t.put(max(0, t.x(i)-utf8.RuneCountInString(name)/2), name)
	}
	t.end()
}

func (t *textDrawing) row(r *row) {
	t.begin(r.At, seconds(r.At))
	labels := t.labels(r)
	switch r.kind {
	case again:
		t.begin(r.At, "⋮")
		t.put(firstColumn+2, shorten(labels[0], textWidth-firstColumn-2))
	case remark:
		t.put(firstColumn+2, shorten("» "+labels[0], textWidth-firstColumn-2))
	case mark:
		t.mark(r, labels)
	case arrow, across:
		t.arrow(r, labels)
	}
	t.end()
	t.hosts.happens(r)
}

func (t *textDrawing) mark(r *row, labels []string) {
	x := t.x(r.from)
	t.line[x] = sign(r)
	right, left := textWidth-x-2, x-timeWidth-3
	for i, s := range labels {
		n := utf8.RuneCountInString(s)
		switch {
		case n <= right:
			t.put(x+2, s)
		case n <= left:
			t.put(x-1-n, s)
		case i < len(labels)-1:
			continue
		case right >= left:
			t.put(x+2, shorten(s, right))
		default:
			t.put(x-1-left, shorten(s, left))
		}
		return
	}
}

// sign is what stands on a host's line.
func sign(r *row) rune {
	switch {
	case r.What == "kill" || r.What == "power off" || r.What == "failed":
		return '✕'
	case r.What == "restart":
		return '●'
	case r.What == "pause":
		return '‖'
	case r.What == "log":
		return '·'
	case r.bad():
		return '◆'
	}
	return '○'
}

// arrow draws what goes from one host to another, or stands between them. Words are cut rather than that they reach over an end.
func (t *textDrawing) arrow(r *row, labels []string) {
	from, to := t.x(r.from), t.x(r.to)
	a, b := min(from, to), max(from, to)
	dash := '─'
	if r.kind == across {
		dash = '╌'
	}
	for x := a + 1; x < b; x++ {
		if t.line[x] == '│' && dash == '─' {
			t.line[x] = '┼'
		} else {
			t.line[x] = dash
		}
	}
	switch {
	case r.kind == across:
	case from < to:
		t.line[a], t.line[b-1] = '├', head(r, '▶')
	default:
		t.line[b], t.line[a+1] = '┤', head(r, '◀')
	}
	if r.kind == across && r.What == "cut" {
		t.line[a+1], t.line[b-1] = '╳', '╳'
	}
	room := b - a - 7 // what is left of it: an end and two strokes on each side, and a blank
	s := labels[len(labels)-1]
	for _, one := range labels {
		if utf8.RuneCountInString(one) <= room {
			s = one
			break
		}
	}
	s = " " + shorten(s, room) + " "
	t.put((a+b+1-utf8.RuneCountInString(s))/2, s)
}

func head(r *row, tip rune) rune {
	if r.lost {
		return '✕'
	}
	return tip
}

// shorten cuts words that are longer than n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}
