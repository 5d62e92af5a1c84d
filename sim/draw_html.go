package sim

import (
	"fmt"
	"html"
	"io"
	"math"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// The measures of the picture on a page, in pixels at its natural size.
const (
	pageWidth   = 1120.0
	pageLeft    = 190.0 // the first host; the time is to the left of it
	pageRight   = 900.0 // the last, at most; marks have their words to the right of them
	pageSpacing = 560.0
	pageTop     = 52.0
	pitch       = 24.0 // from one row to the next
	quietHeight = 34.0
	maxPageName = 22
	charWidth   = 7.3 // of the labels, or less, in every common font

	noteRoom     = 125 // characters of a note
	maxPageHosts = 8
	maxPageRows  = 4000 // more make a page that no browser likes
)

// WriteHTML draws what [Log.Draw] draws as a page that needs nothing but itself, for light and dark surroundings. Arrows go from the time
// when something was sent to that when it arrived.
func (l *Log) WriteHTML(w io.Writer) error {
	d := l.diagram(maxPageHosts)
	if n := len(d.rows) - maxPageRows; n > 0 {
		d.rows = d.rows[:maxPageRows]
		d.notes = append(d.notes, fmt.Sprintf("the last %s left out, after %s s", count(n, "row"), seconds(d.rows[maxPageRows-1].At)))
	}
	p := &page{diagram: d, spacing: pageSpacing}
	if n := len(d.hosts); n > 1 {
		p.spacing = min(pageSpacing, (pageRight-pageLeft)/float64(n-1))
	}
	p.layOut()
	p.draw()

	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"+
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n<meta name=\"color-scheme\" content=\"light dark\"/>\n"+
		"<title>%s: rondo sim</title>\n<style>%s</style>\n</head>\n<body class=\"rondo\">\n<main>\n<h1>What happened</h1>\n<p class=\"lead\">%s.</p>\n",
		html.EscapeString(d.title), pageStyle, html.EscapeString(d.title))
	for _, note := range d.notes {
		fmt.Fprintf(&b, "<p class=\"sum\">%s.</p>\n", html.EscapeString(note))
	}
	fmt.Fprintf(&b, "<figure>\n<div class=\"scroll\"><svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"t1\" viewBox=\"0 0 %g %s\">\n"+
		"<title id=\"t1\">Sequence diagram: %s</title>\n%s</svg></div>\n", pageWidth, px(p.height), html.EscapeString(d.title), p.out.String())
	fmt.Fprintf(&b, "<figcaption>Time goes down, not to scale, in seconds. Arrows lead from when something was sent to when it arrived; a line is dotted while its "+
		"host is down, and grey while it is paused; the ground is red between hosts that are cut off.</figcaption>\n</figure>\n"+
		"<footer>Drawn only from the log of the simulation. Made by rondo.</footer>\n</main>\n</body>\n</html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// page is the picture while it is drawn.
type page struct {
	*diagram
	out     strings.Builder
	words   strings.Builder // which lie over all lines
	spacing float64
	y       []float64 // of each row
	quiets  []quietRow
	height  float64
}

// quietRow is a long quiet stretch.
type quietRow struct {
	y  float64
	of time.Duration
}

func (p *page) x(column int) float64 { return pageLeft + float64(column)*p.spacing }

// layOut finds where each row is.
func (p *page) layOut() {
	y, last := pageTop, p.begin
	for i := range p.rows {
		r := &p.rows[i]
		if gap := r.At - last; gap >= p.quiet && i > 0 && r.kind != again {
			p.quiets = append(p.quiets, quietRow{y + quietHeight/2 + 6, gap})
			y += quietHeight
		}
		y += pitch
		p.y = append(p.y, y)
		if last = r.At; r.kind == again || r.What == "data" {
			last = r.until
		}
	}
	p.height = y + 56
}

// yOf is where a time is, at or before a row. Of rows of the same time it is the last that is of that host.
func (p *page) yOf(t time.Duration, host int, before int) float64 {
	i := sort.Search(before, func(i int) bool { return p.rows[i].At > t }) - 1 // the last that is not later
	if i < 0 {
		return min(pageTop+pitch/2, p.y[before])
	}
	if p.rows[i].At == t {
		for j := i; j >= 0 && p.rows[j].At == t; j-- {
			if r := &p.rows[j]; r.kind <= mark && (r.to == host || r.What == "connect" && r.from == host) {
				return p.y[j]
			}
		}
		return p.y[i]
	}
	a, b := p.rows[i].At, p.rows[before].At
	next := p.y[before]
	if i+1 < before {
		b, next = p.rows[i+1].At, p.y[i+1]
	}
	if b <= a {
		return p.y[i]
	}
	return p.y[i] + (next-p.y[i])*float64(t-a)/float64(b-a)
}

// yLater is where a time is, at or after a row.
func (p *page) yLater(t time.Duration, row int) float64 {
	for j := row; j < len(p.rows)-1; j++ {
		a, b := &p.rows[j], &p.rows[j+1]
		if b.At >= t {
			if b.At <= a.At {
				return p.y[j]
			}
			return p.y[j] + (p.y[j+1]-p.y[j])*float64(t-a.At)/float64(b.At-a.At)
		}
	}
	return p.y[len(p.y)-1]
}

func (p *page) draw() {
	p.cuts()
	p.lines()
	for _, q := range p.quiets {
		fmt.Fprintf(&p.out, "<g><title>nothing happens for %v</title><path class=\"quiet\" d=\"M%g %sH%g\"/>", q.of, pageLeft-60, px(q.y), pageWidth)
		p.text("o", pageLeft-70, q.y+4, "⋮ "+stretch(q.of))
		p.out.WriteString(p.words.String() + "</g>\n")
		p.words.Reset()
	}
	for i := range p.rows {
		p.row(i, &p.rows[i])
	}
	p.out.WriteString(p.words.String())
	p.words.Reset()
	for _, y := range [2]float64{pageTop - 20, p.height - 18} {
		for i, h := range p.hosts {
			name := clean(h)
			fmt.Fprintf(&p.out, "<g><title>%s</title>", html.EscapeString(name))
			p.text("h", p.x(i), y, shorten(name, min(maxPageName, int(p.spacing/8.5))))
			p.out.WriteString(p.words.String() + "</g>\n")
			p.words.Reset()
		}
	}
}

// cuts colours the ground between hosts that are cut off from each other.
func (p *page) cuts() {
	type link struct{ a, b int }
	since := map[link]float64{}
	band := func(l link, from, to float64) {
		if l.a >= 0 && l.b >= 0 && l.a != l.b {
			fmt.Fprintf(&p.out, "<rect class=\"cutoff\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>\n", px(p.x(l.a)), px(from), px(p.x(l.b)-p.x(l.a)), px(to-from))
		}
	}
	var order []link
	for i := range p.rows {
		r := &p.rows[i]
		if len(r.others) < 2 || r.What != "cut" && r.What != "mend" {
			continue
		}
		one := p.at(r.others[0])
		for _, other := range r.others[1:] {
			two := p.at(other)
			l := link{min(one, two), max(one, two)}
			from, open := since[l]
			switch {
			case r.What == "cut" && !open:
				since[l] = p.y[i]
				order = append(order, l)
			case r.What == "mend" && open:
				band(l, from, p.y[i])
				delete(since, l)
			}
		}
	}
	for _, l := range order {
		if from, open := since[l]; open { // to the end
			band(l, from, p.height-40)
			delete(since, l)
		}
	}
}

// lines draws the hosts' lines: as they run, pause and are down.
func (p *page) lines() {
	bottom := p.height - 40
	for i := range p.hosts {
		class, from, until := "up", pageTop-8, time.Duration(math.MaxInt64)
		to := func(y float64, next string) {
			if y > from {
				fmt.Fprintf(&p.out, "<path class=\"%s\" d=\"M%s %sV%s\"/>\n", class, px(p.x(i)), px(from), px(y))
			}
			from, class = max(from, y), next
		}
		for j := range p.rows {
			r := &p.rows[j]
			if r.kind != mark || r.from != i {
				continue
			}
			if until < r.At {
				to(p.yLater(until, p.rowAt(until)), "up")
				until = math.MaxInt64
			}
			switch r.What {
			case "kill", "power off":
				to(p.y[j], "down")
				until = math.MaxInt64
			case "restart":
				to(p.y[j], "up")
			case "pause":
				d, _ := time.ParseDuration(r.Of)
				if class == "up" {
					to(p.y[j], "paused")
					until = r.At + d
				} else if class == "paused" {
					until = max(until, r.At+d)
				}
			}
		}
		if until <= p.end {
			to(p.yLater(until, p.rowAt(until)), "up")
		}
		to(bottom, "")
	}
}

// rowAt is the last row that is not later than t.
func (p *page) rowAt(t time.Duration) int {
	return max(0, sort.Search(len(p.rows), func(i int) bool { return p.rows[i].At > t })-1)
}

func (p *page) row(i int, r *row) {
	y := p.y[i]
	group := fmt.Sprintf("<g><title>%s</title>", html.EscapeString(p.whole(r)))
	p.out.WriteString(group)
	p.words.WriteString(group)
	if r.kind != again && (i == 0 || p.rows[i-1].kind == again || p.rows[i-1].At != r.At) {
		p.text("o", pageLeft-70, y+4, seconds(r.At))
	}
	labels := p.labels(r)
	switch r.kind {
	case again:
		p.text("o", pageLeft-70, y+4, "⋮")
		p.text("n", pageLeft+12, y+4, labels[0])
	case remark:
		class := "n"
		if r.bad() {
			class = "x"
		}
		p.text(class, pageLeft+12, y+4, shorten(labels[0], noteRoom))
	case mark:
		p.mark(r, y, labels)
	case arrow:
		p.arrow(i, r, y, labels)
	case across:
		p.across(r, y, labels)
	}
	p.out.WriteString("</g>\n")
	p.words.WriteString("</g>\n")
}

// whole is all that is known of a row: what is shown under the pointer.
func (p *page) whole(r *row) string {
	if r.kind == again {
		return p.labels(r)[0]
	}
	s := fmt.Sprintf("%s s: %s", seconds(r.At), r.What)
	switch {
	case r.n > 1:
		s += fmt.Sprintf(" ×%s, %s bytes, until %s s,", thousands(r.n), thousands(r.bytes), seconds(r.until))
	case r.bytes > 0:
		s += fmt.Sprintf(", %s bytes,", thousands(r.bytes))
	}
	if r.Of != "" {
		s += " " + clean(r.Of)
	}
	switch {
	case r.What == "connect" && r.lost:
		s += ", to " + clean(r.Peer) + ": nothing has come back"
	case r.What == "connect":
		s += ", to " + clean(r.Peer)
	case r.Peer != "":
		s += fmt.Sprintf(", from %s to %s, sent at %s s", clean(r.Peer), clean(r.Where), seconds(r.Sent))
	case len(r.others) > 0:
		s += " (" + clean(strings.Join(r.others, ", ")) + ")"
	case r.Where != "":
		s += ", on " + clean(r.Where)
	}
	return s
}

// class is how a row is coloured.
func class(r *row) string {
	switch {
	case r.bad():
		return "bad"
	case r.What == "data":
		return "data"
	case r.What == "connect" || r.What == "syn-ack" || r.What == "accept" || r.What == "restart" || r.What == "listen" || r.What == "mend":
		return "open"
	}
	return "soft"
}

func (p *page) mark(r *row, y float64, labels []string) {
	x, c := p.x(r.from), class(r)
	switch r.What {
	case "kill", "power off", "failed":
		fmt.Fprintf(&p.out, "<path class=\"l %s\" d=\"M%s %sl10 10m0 -10l-10 10\"/>", c, px(x-5), px(y-5))
	case "pause":
		fmt.Fprintf(&p.out, "<path class=\"l %s\" d=\"M%s %sv10m5 0v-10\"/>", c, px(x-2.5), px(y-5))
	default:
		fmt.Fprintf(&p.out, "<circle class=\"f %s\" cx=\"%s\" cy=\"%s\" r=\"4.5\"/>", c, px(x), px(y))
	}
	right, left := int((pageWidth-x-12)/charWidth), int((x-pageLeft+56)/charWidth)
	s := labels[len(labels)-1]
	for _, one := range labels {
		if n := utf8.RuneCountInString(one); n <= max(right, left) {
			s = one
			break
		}
	}
	if n := utf8.RuneCountInString(s); n > right && left > right {
		p.text("e "+c, x-12, y+4, shorten(s, left))
		return
	}
	p.text(c, x+12, y+4, shorten(s, right))
}

// arrow draws from when something was sent to when it arrived.
func (p *page) arrow(i int, r *row, y float64, labels []string) {
	c := class(r)
	x1, x2 := p.x(r.from), p.x(r.to)
	y1, y2 := min(y, p.yOf(r.Sent, r.from, i)), y
	if r.What == "connect" {
		y1, y2 = y, y
		if !r.lost && r.until > r.At {
			y2 = p.yLater(r.until, i)
		}
	}
	tip := x2
	if r.lost {
		tip = x1 + (x2-x1)*0.8
	}
	fmt.Fprintf(&p.out, "<path class=\"l %s\" d=\"M%s %sL%s %s\"/>", c, px(x1), px(y1), px(tip), px(y2))
	if r.lost {
		fmt.Fprintf(&p.out, "<path class=\"l %s\" d=\"M%s %sl10 10m0 -10l-10 10\"/>", c, px(tip-5), px(y2-5))
	} else {
		angle := math.Atan2(y2-y1, x2-x1)
		point := func(turn, size float64) string {
			return px(x2-size*math.Cos(angle+turn)) + " " + px(y2-size*math.Sin(angle+turn))
		}
		fmt.Fprintf(&p.out, "<path class=\"f %s\" d=\"M%s %sL%sL%sz\"/>", c, px(x2), px(y2), point(0.42, 10), point(-0.42, 10))
	}
	// The words are at the end that has the row for itself.
	room := int((math.Abs(x2-x1) - 44) / charWidth)
	s := labels[len(labels)-1]
	for _, one := range labels {
		if utf8.RuneCountInString(one) <= room {
			s = one
			break
		}
	}
	s = shorten(s, room)
	x, side := x2, x1 // the words begin at x, on the side of the other
	if r.What == "connect" {
		x, side = x1, x2
	}
	if side > x {
		p.text(c, x+22, y+4, s)
	} else {
		p.text("e "+c, x-22, y+4, s)
	}
}

// across draws what concerns a link.
func (p *page) across(r *row, y float64, labels []string) {
	x1, x2 := min(p.x(r.from), p.x(r.to)), max(p.x(r.from), p.x(r.to))
	c := class(r)
	fmt.Fprintf(&p.out, "<path class=\"l dash %s\" d=\"M%s %sH%s\"/>", c, px(x1), px(y), px(x2))
	room := int((x2 - x1 - 24) / charWidth)
	s := labels[len(labels)-1]
	for _, one := range labels {
		if utf8.RuneCountInString(one) <= room {
			s = one
			break
		}
	}
	p.text("m "+c, (x1+x2)/2, y+4, shorten(s, room))
}

// text writes words, on ground of their own, so that no line goes through them.
func (p *page) text(class string, x, y float64, s string) {
	width := float64(utf8.RuneCountInString(s))*charWidth + 4
	left := x - 2
	switch {
	case class == "o" || class == "h" || s == "":
		width = 0
	case strings.HasPrefix(class, "e "):
		left = x + 2 - width
	case strings.HasPrefix(class, "m "):
		left = x - width/2
	}
	if width > 0 {
		fmt.Fprintf(&p.words, "<rect class=\"paper\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"15\"/>", px(left), px(y-11), px(width))
	}
	fmt.Fprintf(&p.words, "<text class=\"%s\" x=\"%s\" y=\"%s\">%s</text>", class, px(x), px(y), html.EscapeString(s))
}

// px writes a measure, as short as it can be.
func px(v float64) string {
	return strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.1f", v), "0"), ".")
}

// pageStyle is that of the other pages of rondo.
const pageStyle = `
.rondo{--paper:#fff;--ink:#1c1c21;--soft:#5d5f69;--wait:#c9cbd3;--grid:#eeeef2;--bad:#b3261e;--data:#2f65a7;--open:#2c7d55}
@media(prefers-color-scheme:dark){.rondo{--paper:#17181c;--ink:#ececf1;--soft:#a3a6b1;--wait:#4a4d57;--grid:#24262c;--bad:#f2857d;--data:#7fb0ea;--open:#79c9a0}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 20px 56px}
h1{font-size:30px;line-height:1.2;margin:0 0 12px;letter-spacing:-.01em}
.lead{font-size:18px;max-width:46em;margin:0}
.sum{margin:0;color:var(--soft)}
figure{margin:24px 0 0}
figure svg{display:block;width:100%;min-width:900px;height:auto}
.scroll{overflow-x:auto}
figcaption,footer{color:var(--soft);font-size:14px}
footer{margin-top:24px}
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink)}
text.h{font:600 15px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;text-anchor:middle}
text.o{text-anchor:end;fill:var(--soft)}
text.e{text-anchor:end}
text.m{text-anchor:middle}
text.n{fill:var(--soft);font-style:italic}
text.x,text.bad{fill:var(--bad)}
.paper{fill:var(--paper)}
.up{stroke:var(--ink);stroke-width:2;fill:none}
.down{stroke:var(--wait);stroke-width:2;stroke-dasharray:1 5;fill:none}
.paused{stroke:var(--wait);stroke-width:6;fill:none}
.quiet{stroke:var(--grid);stroke-width:1;fill:none}
.cutoff{fill:var(--bad);opacity:.08}
.l{fill:none;stroke-width:1.5}
.dash{stroke-dasharray:5 4}
.l.data{stroke:var(--data)}.l.open{stroke:var(--open)}.l.soft{stroke:var(--soft)}.l.bad{stroke:var(--bad)}
.f.data{fill:var(--data)}.f.open{fill:var(--open)}.f.soft{fill:var(--soft)}.f.bad{fill:var(--bad)}
text.data{fill:var(--data)}text.open{fill:var(--open)}text.soft{fill:var(--soft)}
g:hover .l{stroke-width:3}
`
