package poetry

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// WriteTimelineHTML draws the reports as one page, over one another and on the same time scale, so that the eye sees the
// difference, with a sentence and a table of what it came to. The page needs nothing but itself.
func WriteTimelineHTML(w io.Writer, reports ...*Report) error {
	var b strings.Builder
	title := "Where the time went"
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"+
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"+
		"<meta name=\"color-scheme\" content=\"light dark\">\n<title>%s: rondo get-poetry</title>\n<style>%s%s</style>\n</head>\n"+
		"<body class=\"rondo\">\n<main>\n<h1>%s</h1>\n", title, drawingStyle, pageStyle, title)
	if s := pageLead(reports); s != "" {
		fmt.Fprintf(&b, "<p class=\"lead\">%s</p>\n", html.EscapeString(s))
	}
	d := newDrawing(reports, 0)
	for i, r := range reports {
		pageFigure(&b, d, i+1, r)
	}
	pageTable(&b, reports)
	pageFailures(&b, reports)
	b.WriteString("<footer>Drawn only from what was measured: a tick where bytes arrived, grey where a task waited. " +
		"Made by rondo.</footer>\n</main>\n</body>\n</html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func pageLead(reports []*Report) string {
	if len(reports) == 1 {
		r := reports[0]
		return fmt.Sprintf("The %s client, %s: %s.", r.Mode.adjective(), r.Mode.summary(), r.headline())
	}
	return difference(reports)
}

func pageFigure(b *strings.Builder, d *drawing, number int, r *Report) {
	var body strings.Builder
	height := d.report(&body, r, 0, false)
	_, desc := svgWords([]*Report{r})
	fmt.Fprintf(b, "<section>\n<h2>%s <small>%s</small></h2>\n<p class=\"sum\">%s</p>\n<figure>\n",
		html.EscapeString(r.Mode.name()), html.EscapeString(r.Mode.summary()), html.EscapeString(r.headline()))
	fmt.Fprintf(b, `<div class="scroll"><svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t%d d%d" viewBox="0 0 %d %s">`+
		"\n<title id=\"t%d\">Timeline of the %s client</title>\n<desc id=\"d%d\">%s</desc>\n%s</svg></div>\n",
		number, number, drawingWidth, px(height), number, html.EscapeString(r.Mode.adjective()), number,
		html.EscapeString(desc), body.String())
	fmt.Fprintf(b, "<figcaption>%s</figcaption>\n</figure>\n</section>\n", html.EscapeString(r.Mode.caption()))
}

func pageTable(b *strings.Builder, reports []*Report) {
	if len(reports) == 0 {
		return
	}
	b.WriteString("<section>\n<h2>In figures</h2>\n<div class=\"scroll\"><table>\n<thead><tr><td></td>")
	for _, r := range reports {
		fmt.Fprintf(b, "<th scope=\"col\">%s</th>", html.EscapeString(r.Mode.name()))
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, f := range figures {
		fmt.Fprintf(b, "<tr><th scope=\"row\">%s</th>", f.name)
		for _, r := range reports {
			fmt.Fprintf(b, "<td>%s</td>", html.EscapeString(f.value(r)))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table></div>\n</section>\n")
}

func pageFailures(b *strings.Builder, reports []*Report) {
	var items strings.Builder
	for _, r := range reports {
		for i := range r.Tasks {
			if f := &r.Tasks[i]; f.Err != nil {
				fmt.Fprintf(&items, "<li>%s, task %d: %s</li>\n", html.EscapeString(r.Mode.name()), f.Task, html.EscapeString(f.Err.Error()))
			}
		}
	}
	if items.Len() > 0 {
		fmt.Fprintf(b, "<section>\n<h2>What failed</h2>\n<ul>\n%s</ul>\n</section>\n", items.String())
	}
}

const pageStyle = `
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1000px;margin:0 auto;padding:40px 20px 56px}
h1{font-size:30px;line-height:1.2;margin:0 0 12px;letter-spacing:-.01em}
h2{font-size:19px;margin:40px 0 0}
h2 small{font-weight:400;font-size:16px;color:var(--soft);margin-left:6px}
.lead{font-size:18px;max-width:46em;margin:0}
.sum{margin:0 0 4px;color:var(--soft)}
figure{margin:0}
figure svg{display:block;width:100%;min-width:720px;height:auto}
.scroll{overflow-x:auto}
figcaption,footer{color:var(--soft);font-size:14px}
footer{margin-top:44px}
table{border-collapse:collapse;margin-top:12px;font-variant-numeric:tabular-nums}
th,td{padding:6px 20px 6px 0;text-align:right;border-bottom:1px solid var(--wait);white-space:nowrap}
th[scope=row]{text-align:left;font-weight:400;color:var(--soft)}
ul{padding-left:1.2em;margin:10px 0 0}
`
