package sim_test

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// fetchWithin is a client that does not wait for ever. What has come by then is what it returns.
func fetchWithin(e *rondo.Engine, patience time.Duration) (string, error) {
	return task.Go(e.Loop(), func(t *task.Task) (string, error) {
		var text []byte
		err := task.WithTimeout(t, patience, func(t *task.Task) error {
			s, err := stream.Dial(t, "tcp", "server:7000")
			if err != nil {
				return err
			}
			defer s.Close()
			text, err = io.ReadAll(s.IO(t))
			return err
		})
		return string(text), err
	}).Wait(background)
}

// A poem arrives in the end, whatever happens to its server and to the network in the first minute.
func TestPoemUnderChaos(t *testing.T) {
	faults := sim.Chaos()             // in the first minute of each run: Until says when the last begins
	faults.Spare = []string{"reader"} // it is what asks, and not what is tested
	sim.Search(t, 1000, sim.Config{Faults: faults}, func(w *sim.World) {
		w.Host("server").Start(servePoem)
		reader := w.Host("reader")
		for text := ""; text != poem; w.Sleep(time.Second) {
			var err error
			text, err = fetchWithin(reader.Engine(), 30*time.Second)
			if !strings.HasPrefix(poem, text) {
				w.Errorf("got %q, which is no part of %q", text, poem)
			}
			if w.Elapsed() > 10*time.Minute {
				w.Fatalf("the poem has not come: %q, %v", text, err)
			}
		}
	})
}

// reporter is a test that prints what it is told.
type reporter struct{ testing.TB }

func (reporter) Helper()                        {}
func (reporter) Name() string                   { return "TestPoem" }
func (reporter) Failed() bool                   { return false }
func (reporter) Logf(string, ...any)            {}
func (reporter) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }

// A client takes the end of a connection for the end of the poem. Search finds out when that is wrong: if the server's process ends.
func ExampleSearch() {
	var t testing.TB = reporter{} // that of func TestPoem(t *testing.T)
	faults := sim.Faults{Kill: time.Minute, LookupSlow: 0.2, Lose: 0.2}
	sim.Search(t, 1000, sim.Config{Faults: faults}, func(w *sim.World) {
		w.Host("server").Start(servePoem)
		text, err := fetchPoem(w.Host("client").Engine(), "server:7000")
		if err == nil && text != poem {
			w.Errorf("a poem of %d lines in place of %d", strings.Count(text, "\n"), strings.Count(poem, "\n"))
		}
	})
	// Output:
	// seed 19: a poem of 2 lines in place of 3
	//
	// sim: seed 19 fails, after 18 that did not. Of its 2 faults these are enough (3 more runs):
	//   kill server#1
	// to repeat it: go test github.com/rondo-go/rondo/sim -run '^TestPoem$' -rondo.seed=19 -rondo.faults='kill server#1'
}

// With Config.Log the log keeps all that happens: to be drawn, or to be compared with that of another run.
func ExampleDiff() {
	run := func(cut bool) *sim.Log {
		w, err := sim.Simulate(sim.Config{Log: true}, func(w *sim.World) {
			server, client := w.Host("server"), w.Host("client")
			server.Start(servePoem)
			if cut {
				w.After(4*time.Second, func() { w.Cut(client, server) })
				w.After(6*time.Second, w.Heal)
			}
			_, _ = fetchPoem(client.Engine(), "server:7000")
		})
		if err != nil {
			fmt.Println(err)
		}
		return w.Log()
	}
	calm, cut := run(false), run(true)
	_ = cut.Draw(os.Stdout)
	fmt.Println(sim.Diff(calm, cut))
	// Output:
	// 10 events in 15.002018079s, seed 1
	//
	//                server                                    client
	//     0.000000      ○ listen :7000                            │
	//     0.000000      │◀──────────── connect :7000 ─────────────┤
	//     0.001000      ├──────────────── syn-ack ───────────────▶│
	//     0.001500      ○ accept                                  │
	//     0.002000      ├──────────────── data 35 ───────────────▶│
	//     4.000000      │╳╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ cut ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╳│
	//     6.000000      │╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ mend ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌│
	//     6.000500      ├─────────── data ×2, 91 bytes ──────────▶│
	//    15.002018      ├────────────────── fin ─────────────────▶│
	//                server                                    client
	// the logs differ from event 6 on, at 5.002011 s and 4.000000 s, of 8 and 10 events
	//       0.000000 server       listen     server:7000
	//       0.000000 client       connect    client>server:7000#1
	//       0.001000 client       syn-ack    client>server:7000#1
	//       0.001500 server       accept     client>server:7000#1
	//       0.002000 client       data       client>server:7000#1 35
	// -     5.002011 client       data       client>server:7000#1 47
	// -    10.002014 client       data       client>server:7000#1 44
	// -    15.002018 client       fin        client>server:7000#1
	// +     4.000000 server-client cut
	// +     6.000000 server-client mend
	// +     6.000500 client       data       client>server:7000#1 47
}

var (
	goBlock = regexp.MustCompile("(?s)```go\n(func (?:Test|Example).*?)\n```")
	comment = regexp.MustCompile(`(?m)[ \t]*//.*$`)
	drawn   = regexp.MustCompile("(?s)```\n((?: +server  |the logs differ).*?)\n```")
	output  = regexp.MustCompile(`(?m)^\t// ?`)
)

// The tests that the documentation shows are tests of this package, and what it shows of logs is the output of its examples.
func TestDocumentedTests(t *testing.T) {
	var code, outputs strings.Builder
	for _, name := range []string{"example_test.go", "example_search_test.go"} {
		code.WriteString(comment.ReplaceAllString(read(t, name), ""))
		outputs.WriteString(output.ReplaceAllString(read(t, name), ""))
	}
	for _, name := range []string{"../README.md", "../docs/guide/virtual-time.md"} {
		shown := goBlock.FindAllStringSubmatch(read(t, name), -1)
		if len(shown) == 0 {
			t.Errorf("%s shows no test", name)
		}
		for _, m := range shown {
			if !strings.Contains(code.String(), comment.ReplaceAllString(m[1], "")) {
				t.Errorf("%s shows what is no test of this package:\n%s", name, m[1])
			}
		}
		for _, m := range drawn.FindAllStringSubmatch(read(t, name), -1) {
			if !strings.Contains(outputs.String(), m[1]) {
				t.Errorf("%s shows what is no output of an example:\n%s", name, m[1])
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
