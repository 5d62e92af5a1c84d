package simtest

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// seeds is how many of n seeds there is time for.
func seeds(n int) int {
	switch {
	case raceEnabled:
		return max(2, n/50)
	case testing.Short():
		return max(2, n/10)
	case os.Getenv("RONDO_SEEDS") == "long":
		return 8 * n
	}
	return n
}

// climate is what goes wrong in a world, and what a program may count on all the same.
type climate struct {
	name   string
	faults sim.Faults
	calm   bool // nothing goes wrong but that what is sent is cut to pieces
	dark   bool // a peer may go without a word
}

var climates = []climate{
	{name: "calm", faults: sim.Faults{Cut: 0.5}, calm: true},
	{name: "deaf", faults: sim.Faults{
		Refuse: 0.1, Lose: 0.3, Silent: 0.2, Reset: 0.1, Stall: 0.3, Cut: 0.5, LookupSlow: 0.3, Partition: 4 * time.Second, Until: 10 * time.Second,
	}},
	{name: "rough", faults: sim.Faults{
		Refuse: 0.05, Lose: 0.1, Abort: 0.05, Reset: 0.1, Stall: 0.3, Join: 0.3, Cut: 0.5, Jitter: 20 * time.Millisecond, LookupFail: 0.05, LookupSlow: 0.2,
		Pause: 2 * time.Second, ClockStep: 2 * time.Second, NoFiles: 2 * time.Second, Partition: 4 * time.Second,
		Repair: time.Second, Until: 10 * time.Second,
	}},
	{name: "chaos", faults: sim.Chaos(), dark: true},
}

// everywhere runs a program in worlds of every climate.
func everywhere(t *testing.T, n int, fn func(w *sim.World, c climate)) {
	t.Parallel()
	for _, c := range climates {
		t.Run(c.name, func(t *testing.T) {
			if span := flag.Lookup("rondo.for"); span != nil && span.Value.String() != span.DefValue {
				t.Parallel() // all searches go on for that time side by side, and take turns
			}
			cfg := sim.Config{Faults: c.faults, Link: sim.Link{Latency: 500 * time.Microsecond, Jitter: time.Millisecond}}
			sim.Search(t, seeds(n), cfg, func(w *sim.World) { fn(w, c) })
		})
	}
}

// alarm is an engine's log: what must not be reported there fails the run.
type alarm struct{ host *sim.Host }

func (alarm) Enabled(context.Context, slog.Level) bool { return true }

func (a alarm) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelError || strings.Contains(r.Message, "nobody looked") {
		return nil // which the garbage collector reports, at a time of its own
	}
	if !a.host.Up() {
		return nil // deferred functions of a process that was killed, which would not have run
	}
	what := r.Message
	r.Attrs(func(attr slog.Attr) bool {
		what += " " + attr.String()
		if p, ok := attr.Value.Any().(*rondo.PanicError); ok {
			what += "\n" + string(p.Stack)
		}
		return true
	})
	a.host.World().Errorf("the engine reports: %s", what)
	return nil
}

func (a alarm) WithAttrs([]slog.Attr) slog.Handler { return a }
func (a alarm) WithGroup(string) slog.Handler      { return a }

// engine starts one with two loops.
func engine(h *sim.Host) *rondo.Engine {
	w := h.World()
	e, err := h.New(rondo.Config{Loops: 2, Logger: slog.New(alarm{h}), CloseTimeout: 20 * time.Second, ReadBuffer: 4 << 10})
	if err != nil {
		w.Fatalf("an engine: %v", err)
	}
	return e
}

// life is a process of a host, from its start until it ends or is killed.
type life struct {
	host   *sim.Host
	number int
	last   *int
}

func (l life) over() bool { return !l.host.Up() || l.number != *l.last }

// runs is called by what only a process that lives can do.
func (l life) runs(what string) {
	if l.over() {
		l.host.World().Errorf("%s of a process that was killed", what)
	}
}

// start runs a program on a host. In the dark it is killed in its midst, within so much time, and again as chance has it during the first minute; and each
// time it is started anew.
func start(w *sim.World, c climate, within time.Duration, program func(e *rondo.Engine, l life)) {
	h := w.Host("host")
	lives := 0
	h.Start(func(h *sim.Host) error {
		lives++
		program(engine(h), life{h, lives, &lives})
		return nil
	})
	if !c.dark {
		return
	}
	w.After(upTo(w, within), func() {
		if w.Rand().IntN(2) == 0 {
			h.Kill()
		} else {
			h.PowerOff()
		}
		w.After(upTo(w, time.Second), func() {
			if !h.Up() {
				h.Restart()
			}
		})
	})
}

// settled is when nothing goes wrong any more, and who was killed has been started again.
const settled = 2 * time.Minute

// upTo is a time below d, most often a short one.
func upTo(w *sim.World, d time.Duration) time.Duration {
	x := w.Rand().Float64()
	return time.Duration(x * x * x * float64(d))
}

// end shuts an engine down, or closes it, and sees that it does so in time.
func end(w *sim.World, e *rondo.Engine, c climate, patience time.Duration) {
	if patience == 0 {
		_ = e.Close()
		if n := e.Conns(); n != 0 {
			w.Errorf("after the end there are %d connections", n)
		}
		return
	}
	ctx, cancel := w.WithTimeout(context.Background(), patience)
	defer cancel()
	began := w.Elapsed()
	err := e.Shutdown(ctx)
	took := w.Elapsed() - began
	switch late := took - patience; {
	case late > slack(c):
		w.Errorf("a shutdown took %v, and was given %v", took, patience)
	case err != nil && late < 0:
		w.Errorf("a shutdown was given %v, and after %v it says %v", patience, took, err)
	}
	if n := e.Conns(); n != 0 {
		w.Errorf("after the shutdown there are %d connections", n)
	}
}

// slack is by how much what a host does may be late: it may have been paused.
func slack(c climate) time.Duration {
	if c.faults.Pause > 0 {
		return 2 * time.Minute
	}
	return time.Millisecond
}
