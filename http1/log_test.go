package http1_test

import (
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

// rigLogger is for what is known to be logged.
func rigLogger(*testing.T) *slog.Logger { return slog.New(slog.DiscardHandler) }

// waits reports whether a goroutine is in a function of that name.
func waits(name string) bool {
	p := make([]byte, 1<<20)
	p = p[:runtime.Stack(p, true)]
	return strings.Contains(string(p), "."+name+"(")
}

// chanFlag is something that has happened or not.
type chanFlag struct{ v atomic.Bool }

func (f *chanFlag) set()      { f.v.Store(true) }
func (f *chanFlag) get() bool { return f.v.Load() }
