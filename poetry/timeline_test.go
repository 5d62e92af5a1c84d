package poetry

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func three() []*Report {
	const pace = 500 * ms
	return []*Report{
		measured(ModeBlocking, pace, 8, 5, 6),
		measured(ModeThreads, pace, 8, 5, 6),
		failing(measured(ModeAsync, pace, 8, 5, 6)),
	}
}

func TestTimelineText(t *testing.T) {
	golden(t, "three.txt", func(w io.Writer) error { return WriteTimelineText(w, 0, three()...) })
}

func TestTimelineSVG(t *testing.T) {
	golden(t, "three.svg", func(w io.Writer) error { return WriteTimelineSVG(w, three()...) })
}

// awkward are reports that a drawing could break on.
func awkward() map[string][]*Report {
	many := make([]int, 50)
	for i := range many {
		many[i] = i
	}
	long := measured(ModeAsync, 100*ms, many...)
	for i := range long.Tasks {
		long.Tasks[i].Address = fmt.Sprintf("<script>&\"a-host-whose-name-takes-no-end-%d.poetry.example.org:10000", i)
	}
	outside := measured(ModeAsync, ms, 2, 2)
	outside.Tasks[0].Pieces[0].At = -time.Hour
	outside.Tasks[1].Pieces[0].At = time.Hour
	outside.Tasks[1].End = -time.Hour
	return map[string][]*Report{
		"none":    nil,
		"empty":   {{Mode: ModeAsync}},
		"instant": {{Mode: ModeBlocking, Tasks: []Fetch{{Task: 1, Address: "127.0.0.1:1", Connected: Never, FirstByte: Never}}}},
		"long":    {long, measured(ModeBlocking, 100*ms, 3)},
		"outside": {outside},
		"days":    {measured(ModeTask, 24*time.Hour, 3, 4)},
		"micros":  {measured(ModeTask, us, 3, 4)},
	}
}

func TestTextKeepsItsWidth(t *testing.T) {
	for name, reports := range awkward() {
		for _, width := range []int{1, 40, 72, 120} {
			var b strings.Builder
			if err := WriteTimelineText(&b, width, reports...); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				// A single word may be longer than a line: an address in an error is not cut.
				if n := utf8.RuneCountInString(line); n > max(width, minTextWidth) && strings.Contains(line, " ") {
					t.Errorf("%s at %d columns: %d in %q", name, width, n, line)
				}
			}
		}
	}
}

// TestSVGStaysInside looks whether every drawing is well formed, and nothing in it outside of it.
func TestSVGStaysInside(t *testing.T) {
	number := regexp.MustCompile(` x="([^"]*)" y="([^"]*)"(?: width="([\d.]*)")?`)
	for name, reports := range awkward() {
		var b bytes.Buffer
		if err := WriteTimelineSVG(&b, reports...); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, name, b.Bytes())
		var height float64
		size := regexp.MustCompile(`viewBox="0 0 960 ([\d.]+)"`).FindSubmatch(b.Bytes())
		if height = atof(t, size[1]); height <= 0 {
			t.Errorf("%s is %v high", name, height)
		}
		for _, m := range number.FindAllSubmatch(b.Bytes(), -1) {
			x, y, w := atof(t, m[1]), atof(t, m[2]), 0.0
			if len(m[3]) > 0 {
				w = atof(t, m[3])
			}
			if x < 0 || x+w > drawingWidth || y < 0 || y > height {
				t.Errorf("%s: %s is outside of 960 by %v", name, m[0], height)
			}
		}
	}
}

func TestHTMLIsSelfContained(t *testing.T) {
	for name, reports := range awkward() {
		var b bytes.Buffer
		if err := WriteTimelineHTML(&b, reports...); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		for _, bad := range []string{"<script", "src=", "url(", "@import", "<link", "href="} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: the page contains %s", name, bad)
			}
		}
	}
	var b strings.Builder
	if err := WriteTimelineHTML(&b, three()...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Figures 1 and 4", "Figure 2", "Figure 3", "The blocking client took 9.50 s", "2.4 times as fast", "What failed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestWriteTimeline(t *testing.T) {
	dir := t.TempDir()
	for suffix, begins := range map[string]string{
		".svg": "<svg", ".html": "<!doctype html>", ".txt": "Blocking", ".json": "{\n  \"reports\"", ".SVG": "<svg",
	} {
		path := filepath.Join(dir, "timeline"+suffix)
		if err := WriteTimeline(path, three()...); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(got, []byte(begins)) {
			t.Errorf("%s begins %.20q, %v", suffix, got, err)
		}
	}
	for _, path := range []string{"timeline.png", "timeline", filepath.Join(dir, "x.")} {
		err := WriteTimeline(path, three()...)
		if _, ok := errors.AsType[UsageError](err); !ok || !strings.Contains(err.Error(), ".svg, .html, .txt or .json") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := WriteTimeline(filepath.Join(dir, "missing", "x.svg")); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}

func TestTimelineJSONDrawsTheSame(t *testing.T) {
	var saved, before, after bytes.Buffer
	if err := WriteTimelineJSON(&saved, three()...); err != nil {
		t.Fatal(err)
	}
	reports, err := ReadTimelineJSON(&saved)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(WriteTimelineSVG(&before, three()...), WriteTimelineSVG(&after, reports...)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before.Bytes(), after.Bytes()) {
		t.Error("a saved report draws another picture")
	}
}

func TestTakeTurns(t *testing.T) {
	var marks []mark
	for round := range 4 {
		for task := 1; task <= 3; task++ {
			marks = append(marks, mark{time.Duration(round)*100*ms + time.Duration(task)*us, task})
		}
	}
	for _, tt := range []struct {
		apart time.Duration
		most  int
		want  string
	}{
		{ms, 6, "[1 2 3 1 2 3 1 2 3 1 2 3]"}, // room for all, in their order
		{ms, 1, "[1 2 3 1]"},                 // they take turns
		{50 * ms, 6, "[1 2 3 1 2 3 1 2 3]"},  // room for two, and at the end for all
		{time.Second, 2, "[1 2]"},
	} {
		var got []int
		for _, m := range takeTurns(marks, tt.apart, tt.most) {
			got = append(got, m.task)
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%v apart, at most %d: %v, want %s", tt.apart, tt.most, got, tt.want)
		}
	}
}

func TestAxisTicks(t *testing.T) {
	for _, span := range []time.Duration{0, 1, us, 7 * ms, time.Second, 23 * time.Second, time.Hour, 1000 * time.Hour} {
		ticks := axisTicks(span, 11)
		if len(ticks) == 0 || len(ticks) > 11 || ticks[0] != 0 || ticks[len(ticks)-1] > span {
			t.Errorf("%v: %v", span, ticks)
		}
	}
	if got := fmt.Sprint(axisTicks(23*time.Second, 11)); got != "[0s 5s 10s 15s 20s]" {
		t.Errorf("23 s: %s", got)
	}
}

func wellFormed(t *testing.T, name string, doc []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func atof(t *testing.T, p []byte) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(string(p), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
