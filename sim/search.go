package sim

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// Search runs a program with seeds 1 to n, or from cfg.Seed on, until one fails: see [Run], but that fn must say so by World.Errorf and the like, and must be as
// good the second time as the first. Then it looks for few faults with which that seed still fails, and the test fails with the
// command line that repeats just that.
//
// The seed and its command line are logged before that; and that ends after ten seconds of real time, or half of what go test's -timeout leaves the test,
// if that is less. What is found by then is what is told.
//
// It still fails if one of its errors is like the first one of before: if they come of the same format of World.Errorf, or of one line that calls an assertion
// library, whatever numbers, durations and strings were put into it. An error that was put into it tells them apart; and so does, if the format
// has no words of its own, the text; but not numbers, durations and quoted strings in these. Of errors of other kinds that come up with fewer faults two are told
// beside, with command lines of their own. Should the same faults not give such an error when they are tried a
// second time, then fn is not as good as the first time: Search says so, and takes any error for the same.
//
// Of several searches in one test, and other simulations, each is given the faults that the command line names; one that has not all of them says so in the
// test's log, and the test fails for it only if none has.
//
// Of the flags, -rondo.from says with which seed to begin; -rondo.seeds, how many seeds to try in place of n, or -rondo.for, for how
// long, in real time; and -rondo.seed is the only one to try.
func Search(t testing.TB, n int, cfg Config, fn func(w *World)) {
	t.Helper()
	given.search(t, n, cfg, fn)
}

func (o *runFlags) search(t testing.TB, n int, cfg Config, fn func(w *World)) {
	t.Helper()
	p, err := o.extent(cfg.Seed, n, timeLeft(t))
	if err != nil {
		t.Error(err)
		return
	}
	if o.seed > 0 {
		cfg.Log = cfg.Log || o.log != ""
		if cfg.Only = o.only(cfg.Only); cfg.Only != nil {
			cfg.Seed = o.seed
			o.repeat(t, cfg, fn)
			return
		}
	}
	failed := t.Failed() // before
	var turn turn
	defer turn.end()
	began := time.Now() //nolint:forbidigo // how long to search is a matter of real time
	tried := uint64(0)
	for ; tried < p.n; tried++ {
		if p.span > 0 {
			turn.wait()
			if tried > 0 && time.Since(began) >= p.span { //nolint:forbidigo // as above
				break
			}
		}
		cfg.Seed = p.first + tried
		w, err := o.try(t, cfg, fn)
		if err == nil {
			continue
		}
		if t.Failed() && !failed { // not by World.Errorf: it cannot be undone, so it is not tried again either
			t.Logf("sim: seed %d fails; to repeat it: %s", cfg.Seed, command(t.Name(), cfg.Seed, w.fired))
			o.keepFirst(t, w)
			return
		}
		s := o.fewer(t, cfg, w, fn)
		t.Errorf("seed %d: %v\n\nsim: seed %d fails, after %d that did not. Of its %d faults these are enough (%d more runs):\n%sto repeat it: %s%s",
			cfg.Seed, s.err, cfg.Seed, tried, len(w.Faults()), s.runs, indent(s.few), command(t.Name(), cfg.Seed, s.few), s.remarks(t.Name()))
		if o.log != "" {
			cfg.Only, cfg.Log = s.few, true
			again := newWorld(cfg)
			_ = again.run(fn)
			again.keepLog(t, o.log)
		}
		return
	}
	if p.span > 0 {
		t.Logf("sim: none of %d seeds from %d on fails", tried, p.first)
	}
}

// How long, in real time, fewer faults are looked for, at the most; and after how much of that standard error says what is known by then.
const (
	shrinkTime  = 10 * time.Second
	shrinkQuiet = time.Second
)

// timeToShrink is how long fewer faults are looked for if the test has so much time left, where less than zero is without end: what follows wants time too.
func timeToShrink(left time.Duration) time.Duration {
	if left < 0 {
		return shrinkTime
	}
	return min(shrinkTime, left/2)
}

// fewer looks for fewer faults with which a seed fails. What is known before is told before, for nobody knows how that ends: to the test's log, of which
// go test without -v shows nothing if the process comes to its end before the test does, and so, if it takes long, on standard error as well.
func (o *runFlags) fewer(t testing.TB, cfg Config, w *World, fn func(w *World)) *shrinking {
	t.Helper()
	most := timeToShrink(timeLeft(t))
	known := fmt.Sprintf("sim: seed %d fails, and now fewer of its %d faults are looked for, for %v at the most: %s\nto repeat it with all: %s",
		cfg.Seed, len(w.fired), most.Round(time.Millisecond), firstLine(w.failures()[0].Error()), command(t.Name(), cfg.Seed, cfg.Only))
	t.Logf("%s", known)
	slow := time.AfterFunc(shrinkQuiet, func() { fmt.Fprintln(os.Stderr, known) }) //nolint:forbidigo // whoever waits does so in real time
	defer slow.Stop()
	return shrink(cfg, w, fn, most)
}

// turn is that of a search that has so much time. There may be many more of these than processors, since tests run in parallel; and worlds that run at once
// wait for Go's scheduler at every goroutine that they start or end: twenty worlds on two processors did a tenth of what they do one after the other.
type turn struct {
	since time.Time // zero: it is another's
}

const turnTime = 100 * time.Millisecond

var turns = make(chan struct{}, runtime.GOMAXPROCS(0))

// wait returns when the search may go on.
func (t *turn) wait() {
	if !t.since.IsZero() && time.Since(t.since) < turnTime { //nolint:forbidigo // processor time is real
		return
	}
	t.end()
	turns <- struct{}{}  // those who wait go first come, first served
	t.since = time.Now() //nolint:forbidigo // as above
}

func (t *turn) end() {
	if !t.since.IsZero() {
		<-turns
		t.since = time.Time{}
	}
}

// repeat runs what a search has found.
func (o *runFlags) repeat(t testing.TB, cfg Config, fn func(w *World)) {
	t.Helper()
	failed := t.Failed() // another simulation of the test has
	w := newWorld(cfg)
	var err error
	defer func() { // also if the test's FailNow ends it
		if o.faults != "" {
			w.settle(t, err)
		}
		if err != nil || t.Failed() && !failed {
			w.keepLog(t, o.log)
		}
	}()
	if err = w.run(fn); err == nil && o.faults == "" {
		err = w.missed()
	}
	if err != nil {
		t.Errorf("seed %d: %v", w.seed, err)
	}
}

// try tries one seed. A test that fails by itself in the midst of it, and perhaps ends its goroutine, is told which it was.
func (o *runFlags) try(t testing.TB, cfg Config, fn func(w *World)) (w *World, err error) {
	t.Helper()
	failed := t.Failed()
	w = newWorld(cfg)
	returned := false
	defer func() {
		if !returned {
			t.Logf("sim: seed %d fails; to repeat it: %s", cfg.Seed, command(t.Name(), cfg.Seed, w.fired))
			o.keepFirst(t, w)
		}
	}()
	err = w.run(fn)
	returned = true
	if err == nil && t.Failed() && !failed {
		err = errFailed
	}
	return w, err
}

// keepFirst keeps the log of a run that is not run again. Only if it was the one seed that was asked for, is there one.
func (o *runFlags) keepFirst(t testing.TB, w *World) {
	t.Helper()
	switch {
	case o.log == "":
	case o.seed == 0:
		t.Logf("sim: no log was kept of it, since the test failed other than by World.Errorf: add -rondo.log to that line")
	default:
		w.keepLog(t, o.log)
	}
}
