package sim

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// shrinkRuns is how often a program is run to find fewer faults.
const shrinkRuns = 300

// shrinking is a failure, and what is known of the faults that it takes.
type shrinking struct {
	cfg  Config
	fn   func(w *World)
	kind string // of the error; empty: any
	runs int

	few []string // faults with which it fails
	err error

	again  error // not nil: how a second run with the same faults failed, in another way; errPassed: it did not
	others []failure
}

// failure is one of another kind.
type failure struct {
	kind   string
	err    error
	faults []string
}

// errPassed stands for a run that should have failed.
var errPassed = errors.New("it passes")

// shrink takes faults away as long as the program fails without them in the same way: first half of them, then a quarter, and so on (delta debugging, Zeller and
// Hildebrandt 2002). The world is that in which it has failed.
func shrink(cfg Config, w *World, fn func(w *World)) *shrinking {
	s := &shrinking{cfg: cfg, fn: fn, kind: kindOf(w.failures()[0]), few: w.Faults(), err: errors.Join(w.failures()...)}
	if !s.holds() || len(s.few) == 0 || s.fails(nil) {
		return s
	}
	for parts := 2; len(s.few) > 1; {
		size := (len(s.few) + parts - 1) / parts
		found := false
		for at := 0; at < len(s.few); at += size {
			rest := slices.Delete(slices.Clone(s.few), at, min(at+size, len(s.few)))
			if s.fails(rest) {
				found = true
				break
			}
		}
		switch {
		case found:
			parts = max(parts-1, 2)
		case size <= 1 || s.runs >= shrinkRuns:
			return s
		default:
			parts = min(2*parts, len(s.few))
		}
	}
	return s
}

// holds reports whether the program fails a second time. If it does in another way, from then on any will do.
func (s *shrinking) holds() bool {
	before := s.err
	if s.fails(s.few) {
		return true
	}
	s.again = errPassed
	if len(s.others) > 0 {
		s.again, s.kind, s.others = s.others[0].err, "", nil
	}
	s.err = before
	return s.kind == ""
}

// fails reports whether the program does, in the same way, with these faults alone.
func (s *shrinking) fails(only []string) bool {
	if s.runs >= shrinkRuns {
		return false
	}
	s.runs++
	s.cfg.Only = append([]string{}, only...) // not nil, which would be all
	w := newWorld(s.cfg)
	err := w.run(s.fn)
	if err == nil {
		return false
	}
	fired := slices.DeleteFunc(slices.Clone(s.cfg.Only), func(id string) bool { return !slices.Contains(w.fired, id) }) // some do not come to it
	all := w.failures()
	if s.kind != "" && !slices.ContainsFunc(all, func(err error) bool { return kindOf(err) == s.kind }) {
		kind := kindOf(all[0])
		if !slices.ContainsFunc(s.others, func(f failure) bool { return f.kind == kind }) {
			s.others = append(s.others, failure{kind, all[0], fired})
		}
		return false
	}
	s.err, s.few = err, fired
	return true
}

// remarks are what else there is to say, each in a line of its own.
func (s *shrinking) remarks(test string) string {
	var b strings.Builder
	const never = "so the program is not the same each time (the comment of package sim says what takes part)"
	switch {
	case s.again == nil:
	case s.again == errPassed: //nolint:errorlint // it is that one
		fmt.Fprintf(&b, "\nsim: a second run with the same faults did not fail, %s: none were taken away", never)
	default:
		fmt.Fprintf(&b, "\nsim: a second run with the same faults failed in another way, %s; any failure was taken for the same: %s", never, firstLine(s.again.Error()))
	}
	for _, f := range s.others {
		fmt.Fprintf(&b, "\nsim: with fewer faults it also fails in another way: %s\nto repeat that: %s", firstLine(f.err.Error()), command(test, s.cfg.Seed, f.faults))
	}
	return b.String()
}

// failures are the errors of a world that has failed, one at least.
func (w *World) failures() []error {
	all := slices.Clone(w.errs)
	if w.broken != nil {
		all = append(all, w.broken)
	}
	return all
}

// varying is what differs between errors that are alike: addresses of memory, durations, numbers, addresses of hosts.
var varying = regexp.MustCompile(`0x[0-9a-fA-F]+|-?(?:\d+(?:\.\d+)?(?:ns|µs|us|ms|s|m|h))+\b|-?\d+(?:[.:]\d+)*`)

// kindOf is what errors that are alike have in common.
func kindOf(err error) string {
	return varying.ReplaceAllString(firstLine(strings.TrimSpace(err.Error())), "0")
}

func indent(faults []string) string {
	if len(faults) == 0 {
		return "  none\n"
	}
	return "  " + strings.Join(faults, "\n  ") + "\n"
}
