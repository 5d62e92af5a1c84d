package cli

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/poetry"
)

// TestBars looks at the rows as they are drawn, at moments of its own choosing.
func TestBars(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	b := newBars(io.Discard, clock{now: func() time.Time { return now }}, []poetry.Address{
		{Host: "127.0.0.1", Port: 10000}, {Host: "::1", Port: 80}, {Host: "localhost", Port: 1},
	})
	row := func(task int) string {
		r := b.rows[task-1]
		return r.name + "|" + b.line(r, 10) + "|" + b.figures(r)
	}
	expect := func(task int, want string) {
		t.Helper()
		if got := row(task); got != want {
			t.Errorf("task %d is drawn as\n%q, want\n%q", task, got, want)
		}
	}
	expect(3, "3 localhost:1    |          |        waits its turn  ")
	for task := range 3 {
		b.event(poetry.Event{Kind: poetry.EventStarted, Task: task + 1})
	}
	now = now.Add(1500 * time.Millisecond)
	b.event(poetry.Event{Kind: poetry.EventPiece, Task: 1, Bytes: 100})
	b.event(poetry.Event{Kind: poetry.EventPiece, Task: 2, Bytes: 1})
	expect(1, "1 127.0.0.1:10000|━━━━━━━   |     100 bytes   1.5 s  ")
	expect(2, "2 [::1]:80       |━         |        1 byte   1.5 s  ")
	// The longest is longer than the bar: the scale changes for all.
	b.event(poetry.Event{Kind: poetry.EventPiece, Task: 2, Bytes: 299})
	expect(1, "1 127.0.0.1:10000|━━━━      |     100 bytes   1.5 s  ")
	expect(2, "2 [::1]:80       |━━━━━━━━━━|     300 bytes   1.5 s  ")
	// What is over stands still.
	b.event(poetry.Event{Kind: poetry.EventFinished, Task: 1, Elapsed: 2 * time.Second})
	b.event(poetry.Event{Kind: poetry.EventFailed, Task: 2, Elapsed: 3 * time.Second, Err: errors.New("reset")})
	now = now.Add(time.Hour)
	expect(1, "1 127.0.0.1:10000|━━━━      |     100 bytes   2.0 s ✓")
	expect(2, "2 [::1]:80       |━━━━━━━━━━|     300 bytes   3.0 s ✗")
	b.event(poetry.Event{Kind: poetry.EventFinished, Task: 3})
	b.wait() // returns, since all are over
}

func TestColours(t *testing.T) {
	if got := (colours{}).good("✓"); got != "\x1b[32m✓\x1b[0m" {
		t.Errorf("painted as %q", got)
	}
	if got := (colours{off: true}).bad("✗"); got != "✗" {
		t.Errorf("with colours off, painted as %q", got)
	}
}

// TestHarmless: a poem must not move the cursor of who reads it.
func TestHarmless(t *testing.T) {
	for poem, want := range map[string]string{
		"a\tb\nc":             "a\tb\nc",
		"\x1b[2J\x1b]0;hi\a!": "·[2J·]0;hi·!",
		"진달래":                 "진달래",
		"\xec\xa7":            "\uFFFD",
		"\u009b31m":           "·31m",
		"one\r\ntwo":          "one·\ntwo",
	} {
		if got := harmless([]byte(poem)); got != want {
			t.Errorf("%q becomes %q, want %q", poem, got, want)
		}
	}
}

func TestPoemFile(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:10000":            "poem-7-127.0.0.1_10000.txt",
		"[::1]:80":                   "poem-7-___1__80.txt",
		"../../etc:1":                "poem-7-_.._etc_1.txt",
		strings.Repeat("x", 300):     "poem-7-" + strings.Repeat("x", 100) + ".txt",
		"C:\\windows\\system32\\a:1": "poem-7-C__windows_system32_a_1.txt",
	} {
		if got := poemFile(&poetry.Fetch{Task: 7, Address: address}); got != want {
			t.Errorf("%q becomes %q, want %q", address, got, want)
		}
	}
}

func TestListenOn(t *testing.T) {
	for s, want := range map[string]string{
		"7000": "tcp 127.0.0.1:7000", ":7000": "tcp 127.0.0.1:7000", "0.0.0.0:7000": "tcp 0.0.0.0:7000",
		"[::1]:0": "tcp [::1]:0", "localhost:1": "tcp localhost:1", "unix:/tmp/x": "unix /tmp/x", "unix:@x": "unix @x",
	} {
		if network, address, err := listenOn("--addr", s); err != nil || network+" "+address != want {
			t.Errorf("%q is read as %s %s, %v, want %s", s, network, address, err, want)
		}
	}
	for _, s := range []string{"", "x", "::1:7000", "localhost:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+7", "unix:", "[::1"} {
		if network, address, err := listenOn("--addr", s); err == nil {
			t.Errorf("%q is read as %s %s", s, network, address)
		}
	}
}

func TestTally(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	c := newTally(io.Discard, clock{now: func() time.Time { return now }}, 4)
	now = now.Add(2 * time.Second)
	c.event(poetry.Event{Kind: poetry.EventPiece, Task: 2, Bytes: 30})
	c.event(poetry.Event{Kind: poetry.EventFinished, Task: 2})
	if got := c.line(8) + "|" + c.figures(); got != "━━      |1 of 4 poems, 30 bytes   2.0 s" {
		t.Errorf("drawn as %q", got)
	}
	c.event(poetry.Event{Kind: poetry.EventFailed, Task: 1})
	if got := c.line(8) + "|" + c.figures(); got != "━━━━    |1 of 4 poems, 30 bytes, 1 failed   2.0 s" {
		t.Errorf("drawn as %q", got)
	}
	for task := 3; task <= 4; task++ {
		c.event(poetry.Event{Kind: poetry.EventFinished, Task: task})
	}
	c.wait() // returns, since all are over
}
