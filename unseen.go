package rondo

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
)

// unseen is the error of a future at which nobody has looked yet. It knows nothing of the future, which it
// outlives: when that is collected and still nobody has looked, nobody can any more.
type unseen struct {
	looked atomic.Bool
	engine *Engine
	err    error
	failed *trace // where the error was given
	made   *trace // where the promise was made; in debug builds only
}

// watch has u reported when f is collected, unless somebody looks before.
func watch[T any](f *Future[T], u *unseen) { runtime.AddCleanup(f, (*unseen).report, u) }

func (u *unseen) report() {
	if u.looked.Load() {
		return
	}
	args := []any{"error", u.err, "failed", u.failed.String()}
	if u.made != nil {
		args = append(args, "made", u.made.String())
	}
	u.engine.config.Logger.Error("rondo: nobody looked at the error of a future", args...)
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
