package sim

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	shrinkRuns = 300 // how often a program is run to find fewer faults
	toldOthers = 2   // how many failures of other kinds are told
)

// shrinking is a failure, and what is known of the faults that it takes.
type shrinking struct {
	cfg  Config
	fn   func(w *World)
	kind string // of the error; empty: any
	runs int
	most time.Duration
	over atomic.Bool // that has passed

	few []string // faults with which it fails
	err error

	again  error // not nil: how a second run with the same faults failed, in another way; errPassed: it did not
	others []failure
	ended  string // not empty: after what it ended before its time
}

// failure is one of another kind.
type failure struct {
	kind   string
	err    error
	faults []string
}

// errPassed stands for a run that should have failed.
var errPassed = errors.New("it passes")

// errGivenUp ends a run in the midst.
var errGivenUp = errors.New("sim: the run has been given up, since it took too long")

// shrink takes faults away as long as the program fails without them in the same way: first half of them, then a quarter, and so on (delta debugging, Zeller and
// Hildebrandt 2002). The world is that in which it has failed. It takes so much real time at the most.
func shrink(cfg Config, w *World, fn func(w *World), most time.Duration) *shrinking {
	s := &shrinking{cfg: cfg, fn: fn, most: most, kind: kindOf(w.failures()[0]), few: w.Faults(), err: errors.Join(w.failures()...)}
	if most <= 0 {
		s.over.Store(true)
	}
	timer := time.AfterFunc(most, func() { s.over.Store(true) }) //nolint:forbidigo // whoever waits does so in real time
	defer timer.Stop()
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
		case size <= 1 || s.ended != "":
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
	if s.fails(s.few) || s.ended != "" {
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
	switch {
	case s.over.Load():
		s.ended = fmt.Sprintf("%v of real time", s.most.Round(time.Millisecond))
		return false
	case s.runs >= shrinkRuns:
		s.ended = fmt.Sprintf("%d runs", s.runs)
		return false
	}
	s.runs++
	s.cfg.Only = append([]string{}, only...) // not nil, which would be all
	w := newWorld(s.cfg)
	w.over = &s.over
	err := w.run(s.fn)
	switch {
	case err == nil:
		return false
	case errors.Is(err, errGivenUp):
		return s.fails(only) // which it is the time for no more
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
	if s.ended != "" {
		fmt.Fprintf(&b, "\nsim: the search for fewer faults ended after %s: it may be that fewer are enough", s.ended)
	}
	for i, f := range s.others {
		if i == toldOthers {
			fmt.Fprintf(&b, "\nsim: and in %d more ways", len(s.others)-i)
			break
		}
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

// varying is what differs between errors that are alike: quoted strings, addresses of memory, durations, numbers, addresses of hosts. The place of a
// statement does not, with which assertion libraries begin.
var varying = regexp.MustCompile(`\w\.go:\d+|"(?:[^"\\]|\\.)*"|0x[0-9a-fA-F]+|-?(?:\d+(?:\.\d+)?(?:ns|µs|us|ms|s|m|h))+\b|-?\d+(?:[.:]\d+)*`)

// kindOf is what errors that are alike have in common.
func kindOf(err error) string {
	if c, ok := err.(*complaint); ok { //nolint:errorlint // one that another wraps is no kind of that one
		return c.kind
	}
	return kindOfText(err.Error())
}

func kindOfText(s string) string {
	return varying.ReplaceAllStringFunc(firstLine(strings.TrimSpace(s)), func(s string) string {
		if strings.Contains(s, ".go:") {
			return s
		}
		return "0"
	})
}

// complaint is an error of World.Errorf, and of which kind it is.
type complaint struct {
	error
	kind string
}

// Unwrap is for package errors.
func (c *complaint) Unwrap() error { return c.error }

// verbs are those of package fmt.
var verbs = regexp.MustCompile(`%[-+# 0-9.*\[\]]*[a-zA-Z%]`)

// complain makes an error of a format. Of which kind it is the format says, and the errors that are put into it; all else that is put into it varies. A
// format without words says nothing, and then the text does.
func complain(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if !strings.ContainsFunc(verbs.ReplaceAllString(format, ""), unicode.IsLetter) {
		return &complaint{err, kindOfText(err.Error())}
	}
	kinds := make([]any, len(args))
	for i, a := range args {
		if e, ok := a.(error); ok {
			kinds[i] = alike{e}
		} else {
			kinds[i] = anything{}
		}
	}
	return &complaint{err, kindOfText(fmt.Errorf(format, kinds...).Error())}
}

// alike is an error that is written as those like it are.
type alike struct{ error }

// Format implements fmt.Formatter.
func (a alike) Format(out fmt.State, _ rune) { _, _ = io.WriteString(out, kindOf(a.error)) }

// anything is written in place of what varies.
type anything struct{}

// Format implements fmt.Formatter.
func (anything) Format(out fmt.State, _ rune) { _, _ = io.WriteString(out, "0") }

func indent(faults []string) string {
	if len(faults) == 0 {
		return "  none\n"
	}
	return "  " + strings.Join(faults, "\n  ") + "\n"
}
