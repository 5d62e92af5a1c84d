package poetry

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteTimelineSVG draws the reports as one SVG image, which needs nothing but itself: it carries its own style, for
// light and dark surroundings, and a title and description for those who do not see it.
func WriteTimelineSVG(w io.Writer, reports ...*Report) error {
	d := newDrawing(reports, imageMargin)
	var body strings.Builder
	y := 0.0
	for _, r := range reports {
		y = d.report(&body, r, y, true)
	}
	height := y + 4
	title, desc := svgWords(reports)
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" class="rondo" role="img" aria-labelledby="rondo-t rondo-d" `+
		`viewBox="0 0 %d %s" width="%d" height="%s">`+"\n<title id=\"rondo-t\">%s</title>\n<desc id=\"rondo-d\">%s</desc>\n"+
		"<style>%s</style>\n"+`<rect class="paper" width="100%%" height="100%%" rx="6"/>`+"\n%s</svg>\n",
		drawingWidth, px(height), drawingWidth, px(height), html.EscapeString(title), html.EscapeString(desc),
		drawingStyle, body.String())
	return err
}

func svgWords(reports []*Report) (title, desc string) {
	var titles, descs []string
	for _, r := range reports {
		titles = append(titles, strings.ToLower(r.Mode.name()))
		var s strings.Builder
		fmt.Fprintf(&s, "%s, %s: %s.", r.Mode.name(), r.Mode.summary(), r.headline())
		for i := range r.Tasks {
			f := &r.Tasks[i]
			fmt.Fprintf(&s, " Task %d, %s, from %s to %s s: %s.", f.Task, f.Address, tickLabel(f.Start), tickLabel(f.End), f.outcome())
		}
		descs = append(descs, s.String())
	}
	if s := difference(reports); s != "" {
		descs = append(descs, s)
	}
	return "Timeline of fetching poetry: " + strings.Join(titles, ", "), strings.Join(descs, " ")
}

// The measures of a drawing in its own units, which are pixels at its natural size. A character of the monospaced
// labels is charWidth wide or less in every common font, which is how the columns are known not to overlap.
const (
	drawingWidth  = 960
	imageMargin   = 20.0
	charWidth     = 7.3
	maxLabelChars = 30
	gap           = 14.0
)

// A drawing is what the rows of several reports share: columns and the time scale.
type drawing struct {
	span        time.Duration
	margin      float64 // on both sides: none on a page, which has its own
	left, right float64 // of the time axis
	label       int     // characters
}

func newDrawing(reports []*Report, margin float64) *drawing {
	d := &drawing{span: spanOf(reports), margin: margin}
	outcome := 0
	for _, r := range reports {
		if r.oneThread() {
			d.label = max(d.label, len(control))
		}
		for i := range r.Tasks {
			f := &r.Tasks[i]
			d.label = max(d.label, min(maxLabelChars, utf8.RuneCountInString(taskLabel(f))))
			outcome = max(outcome, utf8.RuneCountInString(f.outcome()))
		}
	}
	d.left = margin + float64(d.label)*charWidth + gap
	d.right = drawingWidth - margin - float64(outcome)*charWidth - gap
	return d
}

// rowMeasures make the rows of many tasks lower, so that fifty still fit on a screen.
func rowMeasures(rows int) (pitch, bar float64) {
	switch {
	case rows <= 12:
		return 28, 16
	case rows <= 30:
		return 21, 12
	}
	return 17, 10
}

// report draws one report with its top at y, and returns where the next may begin. The page has headings of its own.
func (d *drawing) report(b *strings.Builder, r *Report, y float64, heading bool) float64 {
	if heading {
		y += 34
		text(b, "h", d.margin, y, fmt.Sprintf("%s: %s", r.Mode.name(), r.headline()))
		y += 20
		caption := strings.SplitAfterN(r.Mode.caption(), "model. ", 2)
		for _, line := range caption {
			text(b, "c", d.margin, y, strings.TrimSpace(line))
			y += 16
		}
	}
	y += 6
	rows := len(r.Tasks)
	if r.oneThread() {
		rows++
	}
	pitch, bar := rowMeasures(rows)
	bottom := y + pitch*float64(rows) + 4
	if r.oneThread() {
		bottom += 6
	}
	d.grid(b, y, bottom)
	for i := range r.Tasks {
		d.task(b, &r.Tasks[i], y, pitch, bar)
		y += pitch
	}
	if r.oneThread() {
		y += 6 // sets it off from the tasks, which are not like it
		d.control(b, r, y, pitch, bar)
	}
	y = bottom + 18
	if r.oneThread() {
		y = d.turns(b, r, y)
	}
	return d.legend(b, r, y)
}

func (d *drawing) task(b *strings.Builder, f *Fetch, y, pitch, bar float64) {
	middle, top := y+pitch/2, y+(pitch-bar)/2
	outcome := f.outcome()
	whole := fmt.Sprintf("Task %d, %s: %s", f.Task, f.Address, outcome)
	if f.Err != nil {
		whole = fmt.Sprintf("Task %d failed: %v", f.Task, f.Err)
	}
	fmt.Fprintf(b, "<g><title>%s</title>", html.EscapeString(whole))
	text(b, "l", d.margin, middle+4, shorten(taskLabel(f), d.label))
	from, to := d.x(f.Start), d.x(f.End)
	rect(b, "w", from, top, max(to-from, 1), bar)
	d.ticks(b, hue(f.Task), f.Pieces, top, bar)
	class := "o"
	if f.Err != nil {
		class = "o x"
		fmt.Fprintf(b, `<path class="cross" d="M%s %sl8 8m0-8l-8 8"/>`, px(to-4), px(middle-4))
	}
	text(b, class, drawingWidth-d.margin, middle+4, outcome)
	b.WriteString("</g>\n")
}

// ticks are one path for the whole row, with at most one tick for each pixel, so that a long poem is no large file.
func (d *drawing) ticks(b *strings.Builder, class string, pieces []Piece, top, bar float64) {
	if len(pieces) == 0 {
		return
	}
	const width = 1.5
	fmt.Fprintf(b, `<path class="%s" d="`, class)
	last := -1
	for _, p := range pieces {
		x := d.x(p.At)
		if int(x) == last {
			continue
		}
		last = int(x)
		// Within the bar, also at its ends.
		x = max(d.left, min(x, d.right-width))
		fmt.Fprintf(b, "M%s %sh%sv%sh-%sz", px(x), px(top), px(width), px(bar), px(width))
	}
	b.WriteString(`"/>`)
}

// control is the one thread of control: whom it worked for, and in grey where the whole program waited.
func (d *drawing) control(b *strings.Builder, r *Report, y, pitch, bar float64) {
	middle, top := y+pitch/2, y+(pitch-bar)/2
	fmt.Fprint(b, "<g><title>The one thread of control: which task it worked for, and where it waited</title>")
	text(b, "l s", d.margin, middle+4, control)
	rect(b, "w", d.left, top, max(d.x(r.Span())-d.left, 1), bar)
	const apart, width, most = 2.2, 1.5, 6
	paths := map[string]*strings.Builder{}
	for _, m := range takeTurns(r.marks(), time.Duration(apart/(d.right-d.left)*float64(d.span)), most) {
		class := hue(m.task)
		if paths[class] == nil {
			paths[class] = new(strings.Builder)
		}
		x := max(d.left, min(d.x(m.at), d.right-width))
		fmt.Fprintf(paths[class], "M%s %sh%sv%sh-%sz", px(x), px(top), px(width), px(bar), px(width))
	}
	for i := 1; i <= hues; i++ {
		if p := paths[hue(i)]; p != nil {
			fmt.Fprintf(b, `<path class="%s" d="%s"/>`, hue(i), p)
		}
	}
	text(b, "o", drawingWidth-d.margin, middle+4, count(len(r.marks()), "turn"))
	b.WriteString("</g>\n")
}

// turns are the first blocks of work in their order: the picture of the model, without a scale.
func (d *drawing) turns(b *strings.Builder, r *Report, y float64) float64 {
	const mostTurns, block, height = 24, 20.0, 16.0
	turns := r.turns(min(mostTurns, int((d.right-d.left)/block)))
	if len(turns) == 0 {
		return y
	}
	y += 8
	fmt.Fprint(b, "<g><title>The first pieces, in the order in which the one thread worked for them; not to scale</title>")
	text(b, "l s", d.margin, y+12, "first turns")
	for i, task := range turns {
		x := d.left + block*float64(i)
		rect(b, hue(task), x, y, block-2, height)
		text(b, "n", x+block/2-1, y+12, fmt.Sprint(task))
	}
	text(b, "o", drawingWidth-d.margin, y+12, "not to scale")
	b.WriteString("</g>\n")
	return y + height + 8
}

func (d *drawing) legend(b *strings.Builder, r *Report, y float64) float64 {
	y += 16
	x := d.left
	rect(b, hue(1), x, y-9, 3, 11)
	text(b, "c", x+10, y, "bytes arrived")
	rect(b, "w", x+110, y-9, 22, 11)
	text(b, "c", x+138, y, "waiting")
	if r.Failed() > 0 {
		fmt.Fprintf(b, `<path class="cross" d="M%s %sl8 8m0-8l-8 8"/>`, px(x+206), px(y-8))
		text(b, "c", x+220, y, "failed")
	}
	return y + 14
}

// grid is the time axis: hairlines down to the bottom, and the seconds under them.
func (d *drawing) grid(b *strings.Builder, top, bottom float64) {
	for _, t := range axisTicks(d.span, 11) {
		x := d.x(t)
		label := tickLabel(t)
		if t == 0 {
			label += " s"
		}
		fmt.Fprintf(b, `<path class="g" d="M%s %sV%s"/>`, px(x), px(top), px(bottom))
		text(b, "a", x, bottom+14, label)
	}
	b.WriteString("\n")
}

func (d *drawing) x(at time.Duration) float64 {
	if d.span <= 0 {
		return d.left
	}
	return d.left + (d.right-d.left)*max(0, min(1, float64(at)/float64(d.span)))
}

// hues is how many colours there are for tasks, which then repeat.
const hues = 8

func hue(task int) string { return fmt.Sprintf("t%d", (task-1)%hues+1) }

func rect(b *strings.Builder, class string, x, y, w, h float64) {
	fmt.Fprintf(b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="1"/>`, class, px(x), px(y), px(w), px(h))
}

func text(b *strings.Builder, class string, x, y float64, s string) {
	fmt.Fprintf(b, `<text class="%s" x="%s" y="%s">%s</text>`, class, px(x), px(y), html.EscapeString(s))
}

// px is a length to a tenth of a unit, so that the same records give the same bytes on every machine.
func px(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }
