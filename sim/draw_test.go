package sim_test

import (
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

var update = flag.Bool("update", false, "write the golden files")

// play runs a program with its whole log kept.
func play(t testing.TB, cfg sim.Config, fn func(w *sim.World)) *sim.Log {
	t.Helper()
	cfg.Log = true
	w, err := sim.Simulate(cfg, fn)
	if err != nil {
		t.Fatal(err)
	}
	return w.Log()
}

// aStory has two hosts, one connection, a partition, and a server that is killed and started again.
func aStory(w *sim.World) {
	server := w.Host("server")
	server.Start(echoServer)
	client := w.Host("client")
	w.After(2*time.Second, func() { w.Partition(client) })
	w.After(9*time.Second, w.Heal)
	c, err := client.Engine().DialContext(context.Background(), "tcp", "server:7")
	if err != nil {
		w.Fatalf("%v", err)
	}
	ask := func(n int) {
		_, err := c.Write(make([]byte, n))
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, n))
		}
		w.Note("asked with %d bytes: %v", n, err)
	}
	for range 5 {
		ask(100)
	}
	ask(200_000)
	w.Sleep(3*time.Second - w.Elapsed())
	ask(512) // takes until the partition is over
	server.Pause(200 * time.Millisecond)
	ask(1)
	w.After(time.Second, server.Kill)
	w.After(3*time.Second, server.Restart)
	ask(0)
	w.Sleep(2 * time.Second)
	_ = c.Close()
	_, err = client.Engine().DialContext(context.Background(), "tcp", "server:7")
	w.Note("connecting again: %v", err)
	w.Sleep(2 * time.Second)
	c, _ = client.Engine().DialContext(context.Background(), "tcp", "server:7")
	ask(64)
}

func aDrawing(t testing.TB, l *sim.Log) string {
	t.Helper()
	var b strings.Builder
	if err := l.Draw(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 || strings.HasSuffix(line, " \n") {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the drawing is not that of %s (go test -update writes it):\n%s", path, got)
	}
}

func TestDraw(t *testing.T) { golden(t, "story.txt", aDrawing(t, play(t, sim.Config{}, aStory))) }

// Five hosts ask one another, and of twenty only some are drawn.
func TestDrawMany(t *testing.T) {
	for _, hosts := range []int{1, 5, 20} {
		l := play(t, sim.Config{}, func(w *sim.World) {
			for i := range hosts {
				w.Host(fmt.Sprintf("h%d", i)).Start(echoServer)
			}
			w.Sleep(time.Second)
			for i, h := range w.Hosts() {
				c, err := h.Engine().DialContext(t.Context(), "tcp", fmt.Sprintf("h%d:7", i*3%hosts))
				if err != nil {
					w.Fatalf("%v", err)
				}
				_, _ = c.Write([]byte("hello"))
			}
			w.Sleep(time.Second)
			w.Partition(w.Hosts()[0])
			w.Heal()
		})
		golden(t, fmt.Sprintf("hosts%d.txt", hosts), aDrawing(t, l))
		page := aPage(t, l)
		texts(t, page)
		keepPage(t, fmt.Sprintf("hosts%d.html", hosts), page)
	}
}

// What repeats itself is drawn once: questions and answers, and then a beat each second.
func TestDrawAgain(t *testing.T) {
	l := play(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:7")
		if err != nil {
			w.Fatalf("%v", err)
		}
		for i := range 1500 {
			_, _ = c.Write(make([]byte, 64+i/1490))
			_, _ = io.ReadFull(c, make([]byte, 64+i/1490))
			if i >= 1000 {
				w.Sleep(time.Second)
			}
		}
		w.Cut(w.Host("server"), w.Host("client"))
	})
	golden(t, "again.txt", aDrawing(t, l))
	page := aPage(t, l)
	if words := texts(t, page); !strings.Contains(words, "the 2 rows above, 1,489 times more") {
		t.Error("nothing is said to come again")
	}
	keepPage(t, "again.html", page)
}

// keepPage writes a page where RONDO_PAGES says, for somebody to look at.
func keepPage(t *testing.T, name, page string) {
	t.Helper()
	if dir := os.Getenv("RONDO_PAGES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Without Config.Log there is only the end.
func TestDrawPart(t *testing.T) {
	w, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		for i := range 1000 {
			w.Note("note %d", i)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(aDrawing(t, w.Log()), "\n")
	if first != "The last 256 of 1,000 events: the log was not kept whole (Config.Log)" {
		t.Error(first)
	}
	if n := strings.Count(rest, "note"); n != 256 {
		t.Errorf("%d notes", n)
	}
}

// All that a day of chaos has in it can be drawn, and nothing of it is lost without a word.
func TestDrawChaos(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		l := play(t, sim.Config{Seed: seed, Faults: sim.Chaos(), Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}, aDay)
		text := aDrawing(t, l)
		for _, e := range l.Entries() {
			if e.What != "data" && !strings.Contains(text, fmt.Sprintf("%.6f", e.At.Seconds())) {
				t.Fatalf("seed %d: not drawn: %v", seed, e)
			}
		}
		if testing.Verbose() && seed == 1 {
			t.Log(text)
		}
	}
}

func ExampleLog_Draw() {
	w, _ := sim.Simulate(sim.Config{Log: true}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		c, err := w.Host("client").Engine().DialContext(context.Background(), "tcp", "server:7")
		if err != nil {
			w.Fatalf("%v", err)
		}
		_, _ = io.WriteString(c, "hello")
		_, _ = io.ReadFull(c, make([]byte, 5))
		_ = c.Close()
		w.Sleep(time.Second)
	})
	_ = w.Log().Draw(os.Stdout)
	// Output:
	// 8 events in 1.002s, seed 1
	//
	//                server                                    client
	//     0.000000      ○ listen :7                               │
	//     0.000000      │◀───────────── connect :7 ───────────────┤
	//     0.001000      ├──────────────── syn-ack ───────────────▶│
	//     0.001500      ○ accept                                  │
	//     0.001500      │◀─────────────── data 5 ─────────────────┤
	//     0.002000      ├──────────────── data 5 ────────────────▶│
	//     0.002500      │◀───────────────── fin ──────────────────┤
	//     0.003000      ├────────────────── fin ─────────────────▶│
}

func aPage(t testing.TB, l *sim.Log) string {
	t.Helper()
	var b strings.Builder
	if err := l.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// texts checks that a page is well formed, and returns the words in it.
func texts(t *testing.T, page string) string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	var words strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return words.String()
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
		switch token := token.(type) {
		case xml.CharData:
			words.Write(token)
		case xml.StartElement:
			switch token.Name.Local {
			case "script", "img", "b":
				t.Errorf("there is a %s in the page", token.Name.Local)
			}
		}
	}
}

func TestWriteHTML(t *testing.T) {
	l := play(t, sim.Config{}, aStory)
	page := aPage(t, l)
	words := texts(t, page)
	for _, want := range []string{"server", "client", "connect :7 #1", "data 512 #1", "cut", "mend", "kill", "restart", "pause 200ms", "refused #2", "⋮ 7.0 s"} {
		if !strings.Contains(words, want) {
			t.Errorf("there is no %q in the page", want)
		}
	}
	keepPage(t, "story.html", page)
}

// Names and notes may be anything.
func TestDrawHostile(t *testing.T) {
	const hostile = "<b>&\"'</text></svg><script>alert(1)</script>\x1b[31m\x00\xff\u202e-a>b:1#1"
	l := play(t, sim.Config{}, func(w *sim.World) {
		w.Host(hostile).Start(echoServer)
		other := w.Host("-" + hostile + "\nsecond line")
		c, err := other.Engine().DialContext(t.Context(), "tcp", hostile+":7")
		if err != nil {
			c, err = other.Engine().DialContext(t.Context(), "tcp", "10.0.0.1:7")
		}
		if err != nil {
			w.Fatalf("%v", err)
		}
		_, _ = c.Write([]byte("hello"))
		w.Note("%s", hostile)
		w.Partition(other)
		w.Sleep(time.Second)
		other.Kill()
	})
	words, text := texts(t, aPage(t, l)), aDrawing(t, l)
	for _, bad := range []string{"\x1b", "\x00", "\xff", "\u202e"} {
		if strings.Contains(words, bad) || strings.Contains(text, bad) {
			t.Errorf("there is %q in the drawing", bad)
		}
	}
	if !strings.Contains(words, "</text></svg><script>") {
		t.Error("the note is not as it was written")
	}
}

func TestWriteHTMLChaos(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		l := play(t, sim.Config{Seed: seed, Faults: sim.Chaos(), Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}, aDay)
		page := aPage(t, l)
		texts(t, page)
		keepPage(t, fmt.Sprintf("chaos%d.html", seed), page)
	}
}

// A log of nothing is no reason to fail.
func TestDrawNothing(t *testing.T) {
	l := play(t, sim.Config{}, func(*sim.World) {})
	texts(t, aPage(t, l))
	if got := aDrawing(t, l); !strings.HasPrefix(got, "0 events in 0s") {
		t.Error(got)
	}
}
