package rondo

import (
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
)

// report is what is said of the error of a future at which nobody has looked. It outlives the future: when that is
// collected and still nobody has looked, nobody can any more. Until then the runtime keeps the report, so it must not lead
// to the future: it knows the error's words rather than the error, which may be anything, and not the engine.
type report struct {
	looked atomic.Bool
	log    *slog.Logger
	words  string
	of     string // what has failed, if that is known
	failed *trace // where the error was given
	made   *trace // where the promise was made; in debug builds only
}

// guardError sees to it that an error at which nobody looks does not get lost. Who has cancelled the future knows why it
// has failed, unless that is for another reason; so does who has closed the engine.
func (f *Future[T]) guardError() {
	c, ok := f.canceller.(*cancelled)
	switch {
	case f.waiters.look() || f.ignored:
		return
	case ok && IsOnly(f.err, c.reason):
		return
	case f.loop.engine.state.Load() == stopping && IsOnly(f.err, ErrEngineClosed):
		return
	}
	if f.loop.engine.world.TakesTurns() {
		return // when the collector comes is left to a chance that no seed decides
	}
	if f.origin() == nil {
		f.place(newTrace())
	}
	r := f.report
	r.log, r.of = f.loop.engine.config.Logger, f.source()
	r.words = fmt.Sprint(f.err) // which survives an Error that panics
	runtime.AddCleanup(f, (*report).tell, r)
}

// place notes where an error was given.
func (f *Future[T]) place(at *trace) {
	if f.report == nil {
		f.report = new(report)
	}
	f.report.failed = at
}

// origin is where the error was given, if that is known: the futures made of this one fail there too.
func (f *Future[T]) origin() *trace {
	if f.report == nil {
		return nil
	}
	return f.report.failed
}

// see notes that somebody has looked at the error.
func (r *report) see() {
	if r != nil {
		r.looked.Store(true)
	}
}

func (r *report) tell() {
	if r.looked.Load() {
		return
	}
	args := []any{"error", r.words}
	if r.of != "" {
		args = append(args, "of", r.of)
	}
	args = append(args, "failed", r.failed.String())
	if r.made != nil {
		args = append(args, "made", r.made.String())
	}
	r.log.Error("rondo: nobody looked at the error of a future", args...)
}

// trace is where something happened, kept cheaply: it is put into words only if it must be shown.
type trace [12]uintptr

// newTrace is where its caller was called.
func newTrace() *trace {
	t := new(trace)
	runtime.Callers(3, t[:])
	return t
}

// ownPackage begins the names of this package's functions.
var ownPackage = reflect.TypeFor[report]().PkgPath() + "."

// String names the functions, the innermost first. Where a function of this package was called is what matters, so
// those at the beginning are left out, unless there are no others.
func (t *trace) String() string {
	var words []string
	inner := 0 // of this package
	for frames, more := runtime.CallersFrames(t[:]), true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "" || f.Function == "runtime.goexit" {
			continue
		}
		if inner == len(words) && strings.HasPrefix(f.Function, ownPackage) {
			inner++
		}
		words = append(words, fmt.Sprintf("%s (%s:%d)", f.Function, f.File, f.Line))
	}
	if inner == len(words) {
		inner = 0
	}
	return strings.Join(words[inner:], " < ")
}
