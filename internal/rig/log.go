package rig

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Log keeps what an engine reports: a line a report.
type Log struct {
	mu    sync.Mutex
	lines []string
	grew  chan struct{}
}

func newLog() *Log { return &Log{grew: make(chan struct{}, 1)} }

// Enabled implements slog.Handler, as do the next three.
func (*Log) Enabled(context.Context, slog.Level) bool { return true }
func (l *Log) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l *Log) WithGroup(string) slog.Handler          { return l }

func (l *Log) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(r.Level.String() + " " + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&line, " %s=%v", a.Key, a.Value)
		return true
	})
	l.mu.Lock()
	l.lines = append(l.lines, line.String())
	l.mu.Unlock()
	select {
	case l.grew <- struct{}{}:
	default:
	}
	return nil
}

// Take takes the first report that contains text, if there is one.
func (l *Log) Take(text string) (line string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.lines, func(line string) bool { return strings.Contains(line, text) })
	if i < 0 {
		return "", false
	}
	line = l.lines[i]
	l.lines = slices.Delete(l.lines, i, i+1)
	return line, true
}

// Await takes the first report that contains text, and waits for it if need be. One goroutine at a time.
func (l *Log) Await(t testing.TB, text string) string {
	t.Helper()
	for {
		if line, ok := l.Take(text); ok {
			return line
		}
		Await(t, l.grew)
	}
}

// Discard takes all reports that contain text.
func (l *Log) Discard(text string) {
	for ok := true; ok; {
		_, ok = l.Take(text)
	}
}

// Unasked is what nobody has taken.
func (l *Log) Unasked() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
