package rondo

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
)

// report is what is said of the error of a future at which nobody has looked. It knows nothing of the future, which it
// outlives: when that is collected and still nobody has looked, nobody can any more.
type report struct {
	looked atomic.Bool
	engine *Engine
	err    error
	of     string // what has failed, if that is known
	failed *trace // where the error was given
	made   *trace // where the promise was made; in debug builds only
}

func (r *report) tell() {
	if r.looked.Load() {
		return
	}
	args := []any{"error", r.err}
	if r.of != "" {
		args = append(args, "of", r.of)
	}
	args = append(args, "failed", r.failed.String())
	if r.made != nil {
		args = append(args, "made", r.made.String())
	}
	r.engine.config.Logger.Error("rondo: nobody looked at the error of a future", args...)
}

// trace is where something happened, kept cheaply: it is put into words only if it must be shown.
type trace [12]uintptr

// newTrace is where its caller's caller was called, skipping so many more.
func newTrace(skip int) *trace {
	t := new(trace)
	runtime.Callers(skip+2, t[:])
	return t
}

// settling are the functions through which a promise is settled: where that was called is what matters.
var settling = []string{"rondo.(*Promise", "rondo.(*Future", "rondo.Rejected"}

// String names the functions, the innermost first.
func (t *trace) String() string {
	var b strings.Builder
	frames := runtime.CallersFrames(t[:])
	for {
		f, more := frames.Next()
		own := b.Len() == 0 && slices.ContainsFunc(settling, func(name string) bool { return strings.Contains(f.Function, name) })
		if f.Function != "" && f.Function != "runtime.goexit" && !own {
			if b.Len() > 0 {
				b.WriteString(" < ")
			}
			fmt.Fprintf(&b, "%s (%s:%d)", f.Function, f.File, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}
