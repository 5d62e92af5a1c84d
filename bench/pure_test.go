package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   spread
		text   string
	}{
		{[]float64{7}, spread{7, 7, 7}, "7.0"},
		{[]float64{3, 1, 2}, spread{2, 1, 3}, "2.0 (1.0–3.0)"},
		{[]float64{4, 1, 3, 2}, spread{2.5, 1, 4}, "2.5 (1.0–4.0)"},
		{[]float64{2, 2.01}, spread{2.005, 2, 2.01}, "2.0"},
	} {
		got := spreadOf(test.values)
		if got != test.want {
			t.Errorf("spreadOf(%v) = %v, want %v", test.values, got, test.want)
		}
		if text := got.format("%.1f"); text != test.text {
			t.Errorf("spreadOf(%v) prints %q, want %q", test.values, text, test.text)
		}
	}
}

// A machine that slows down in the second round must not show in the ratio.
func TestRatiosAreTakenRoundByRound(t *testing.T) {
	got := spreadOf(ratios([]float64{10, 20, 10}, []float64{5, 10, 5}))
	if want := (spread{2, 2, 2}); got != want {
		t.Errorf("ratios %v, want %v", got, want)
	}
}

func TestSchedstat(t *testing.T) {
	got, err := parseSchedstat("1500000 42 7\n")
	if want := (usage{1500 * time.Microsecond, 42}); err != nil || got != want {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"", "12\n", "a 1 2\n", "1 b 2\n", "1.5 1 2\n"} {
		if got, err := parseSchedstat(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestStat(t *testing.T) {
	for _, test := range []struct {
		text  string
		state byte
		group int
	}{
		{"17 (bench) S 1 17 17 0 -1", 'S', 17},
		{"18 (a) b (c) Z 1 3 17 0 -1", 'Z', 3},
	} {
		state, group, err := parseStat(test.text)
		if err != nil || state != test.state || group != test.group {
			t.Errorf("%q: got %c, %d, %v", test.text, state, group, err)
		}
	}
	for _, bad := range []string{"", "17 (bench)", "17 (bench) S 1", "17 (bench) S 1 x"} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q: want an error", bad)
		}
	}
}

func TestResident(t *testing.T) {
	got, err := parseResident("Name:\tbench\nVmHWM:\t   9000 kB\nVmRSS:\t    5632 kB\nThreads:\t1\n")
	if err != nil || got != 5632<<10 {
		t.Errorf("got %d, %v", got, err)
	}
	for _, bad := range []string{"", "VmHWM:\t1 kB\n", "VmRSS:\tmuch kB\n"} {
		if got, err := parseResident(bad); err == nil {
			t.Errorf("%q: got %d, want an error", bad, got)
		}
	}
}

func TestList(t *testing.T) {
	got, err := parseList("0,4-6\n")
	if want := []int{0, 4, 5, 6}; err != nil || len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[3] != want[3] {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := parseList("0-x"); err == nil {
		t.Errorf("got %v, want an error", got)
	}
}

func TestTable(t *testing.T) {
	table := table{head: []string{"50 connections", "× net"}}
	table.add("net", "1.00")
	table.add("a longer name than that", "–")
	want := `
| 50 connections          | × net |
| ----------------------- | ----: |
| net                     |  1.00 |
| a longer name than that |     – |
`[1:]
	if got := table.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func samples(costs ...int) (out []sample) {
	for _, c := range costs {
		out = append(out, sample{Messages: 1000, Window: time.Second, ServerRan: time.Duration(1000 * c)})
	}
	return out
}

func TestEchoTable(t *testing.T) {
	got := echoTable([]series{
		{Server: "bare", Label: "the limit", Conns: 50, Samples: samples(100, 200)},
		{Server: "rondo", Label: "rondo", Conns: 50, Samples: samples(110, 220)},
		{Server: "rondo", Label: "rondo", Conns: 1000, Samples: samples(999)},
	}, 50).String()
	want := `
| 50 connections |      × the limit | × net | ns per message |
| -------------- | ---------------: | ----: | -------------: |
| the limit      |             1.00 |     – |  150 (100–200) |
| rondo          |             1.10 |     – |  165 (110–220) |
`[1:]
	if squeeze(got) != squeeze(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestMemoryTable(t *testing.T) {
	got := memoryTable([]memory{
		{Server: "rondo", Label: "rondo", Conns: 15000, BytesPerConn: []float64{200}},
		{Server: "net", Label: "net", Conns: 15000, BytesPerConn: []float64{8000}},
	}).String()
	want := `
| 15000 idle connections | × net | bytes per connection |
| ---------------------- | ----: | -------------------: |
| rondo                  |  0.03 |                  200 |
| net                    |  1.00 |                 8000 |
`[1:]
	if squeeze(got) != squeeze(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestPollerTable(t *testing.T) {
	got := pollerTable([]series{
		{Server: "epoll", Idle: 0, Samples: samples(3)},
		{Server: "select", Idle: 0, Samples: samples(4)},
		{Server: "epoll", Idle: 5000, Samples: samples(3)},
	}).String()
	want := `
| idle connections | epoll | select |
| ---------------- | ----: | -----: |
| 0                |     3 |      4 |
| 5000             |     3 |      – |
`[1:]
	if squeeze(got) != squeeze(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// squeeze makes tables comparable whatever the width of their columns.
func squeeze(table string) string {
	return strings.Join(strings.FieldsFunc(table, func(r rune) bool { return r == ' ' || r == '-' || r == ':' }), " ")
}

func TestDisturbance(t *testing.T) {
	quiet := series{Label: "quiet", Samples: []sample{{Window: time.Second, ServerWaited: time.Millisecond}}}
	loud := series{Label: "loud", Samples: []sample{{Window: time.Second, LoadWaited: 250 * time.Millisecond}}}
	if got := disturbance([]series{quiet}); got != "" {
		t.Errorf("a warning without a cause: %s", got)
	}
	if got := disturbance([]series{quiet, loud}); !strings.Contains(got, "loud 25 %") || strings.Contains(got, "quiet 0") {
		t.Errorf("got %q", got)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{
		"-rounds", "2", "-seconds", "0.5", "-conns", "7,8", "-servers", "net,bare-go",
		"-command", "a {addr}", "-command", "b {port}", "-silent", "0,9",
	}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.rounds != 2 || o.turn() != 500*time.Millisecond || o.conns[1] != 8 || o.servers[1] != "bare-go" ||
		len(o.commands) != 2 || o.silent[1] != 9 || o.size != 128 || o.idle != 15000 {
		t.Errorf("got %+v", o)
	}
	for _, bad := range []string{
		"-rounds 0", "-seconds 0", "-seconds NaN", "-size 0", "-size 65537", "-idle -1", "-conns 0", "-conns 5,",
		"-servers rondo,nginx", "-tls -servers rondo", "-tls -pollers", "-servers ", "-command ls", "-silent -1", "-port 65536", "rondo",
	} {
		if o, err := parseOptions(strings.Split(bad, " "), io.Discard); err == nil {
			t.Errorf("%s: got %+v, want an error", bad, o)
		}
	}
}
