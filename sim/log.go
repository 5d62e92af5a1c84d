package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
)

// Log is what has happened in a world, in its order. The same program and seed give the same log, to the byte, on every machine: errors of the system are in it as Linux
// words them.
type Log struct {
	w       *World
	whole   bool
	entries []Entry // all, or the last
	next    int     // where the next goes, when only the last are kept
	count   int
	sum     uint64
}

// Entry is one thing that has happened.
type Entry struct {
	At    time.Duration // since the beginning
	Where string        // a host, or two between which there is a link
	What  string        // "connect", "accept", "data", "fin", "rst", "kill", ...
	Of    string        // the connection, or what else it is about
	Bytes int

	// Of a packet that has arrived, Peer is the host that sent it, and Sent when it did. Of "connect", Peer is the host to connect to. Otherwise it is
	// empty. Neither is in String.
	Peer string
	Sent time.Duration
}

// keptEntries is how many are kept if not all are.
const keptEntries = 256

func newLog(w *World, whole bool) *Log { return &Log{w: w, whole: whole, sum: 14695981039346656037} }

func (l *Log) add(where, what, of string) {
	e := l.slot()
	*e = Entry{At: e.At, Where: where, What: what, Of: of}
	l.hash(e)
}

// arrived is add for what has come from another host, and when that has sent it.
func (l *Log) arrived(s *socket, what, from string, sent int64, n int) {
	e := l.slot()
	e.Where, e.What, e.Of, e.Bytes, e.Peer, e.Sent = s.p.name, what, s.name, n, from, time.Duration(sent-1)
	l.hash(e)
}

// datagram is add for one that has come.
func (l *Log) datagram(to, of, from string, sent int64, n int) {
	e := l.slot()
	e.Where, e.What, e.Of, e.Bytes, e.Peer, e.Sent = to, "datagram", of, n, from, time.Duration(sent-1)
	l.hash(e)
}

// opened is add for the beginning of a connection.
func (l *Log) opened(s *socket, to string) { l.arrived(s, "connect", to, l.w.now, 0) }

// slot is where the next entry is to be written: it is filled in place, for there is one for each packet.
func (l *Log) slot() *Entry {
	l.count++
	i := len(l.entries)
	if l.whole || i < keptEntries {
		l.entries = append(l.entries, Entry{})
	} else {
		i = l.next
		if l.next++; l.next == keptEntries {
			l.next = 0
		}
	}
	l.entries[i].At = l.w.Elapsed()
	return &l.entries[i]
}

// hash is FNV-1a over what the entry says. The peer is left out, which follows from the rest.
func (l *Log) hash(e *Entry) {
	const prime = 1099511628211
	h := l.sum
	for _, n := range [3]uint64{uint64(e.At), uint64(e.Sent), uint64(e.Bytes)} {
		h = (h ^ n) * prime
	}
	for _, s := range [3]string{e.Where, e.What, e.Of} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h *= prime
	}
	l.sum = h
}

// Len is how many entries there have been, also if they are not kept.
func (l *Log) Len() int { return l.count }

// Sum is a number that says whether two logs are the same.
func (l *Log) Sum() uint64 { return l.sum }

// Entries are those that are kept: all with Config.Log, the last 256 without.
func (l *Log) Entries() []Entry {
	return append(append([]Entry(nil), l.entries[l.next:]...), l.entries[:l.next]...)
}

func (e Entry) String() string {
	s := fmt.Sprintf("%12.6f %-12s %-10s %s", e.At.Seconds(), e.Where, e.What, e.Of)
	if e.Bytes > 0 {
		s += fmt.Sprintf(" %d", e.Bytes)
	}
	return strings.TrimRight(s, " ")
}

// WriteTo writes the entries, one in a line.
func (l *Log) WriteTo(out io.Writer) (int64, error) {
	var n int64
	for _, e := range l.Entries() {
		k, err := fmt.Fprintln(out, e)
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (l *Log) tail(n int) string {
	all := l.Entries()
	var b strings.Builder
	for _, e := range all[max(0, len(all)-n):] {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// Log is the world's log.
func (w *World) Log() *Log { return w.log }

// Note adds a line of the program's own to the log.
func (w *World) Note(format string, args ...any) {
	w.log.say("", "note", fmt.Sprintf(format, args...))
}

// logHandler puts what engines report into the log.
type logHandler struct {
	w    *World
	host string
	with string
}

// Enabled implements slog.Handler, as those below do.
func (*logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle implements slog.Handler.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s%s", r.Level, r.Message, h.with)
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			if p, ok := errors.AsType[*rondo.PanicError](err); ok && p.Value != any(errFailed) {
				h.w.reportPanic(h.host, r.Message, p)
			}
		}
		if a.Key != "stack" { // which has addresses in it
			fmt.Fprintf(&b, " %s=%v", a.Key, firstLine(a.Value.String()))
		}
		return true
	})
	if offThread(r.Message) {
		h.w.asideMu.Lock()
		defer h.w.asideMu.Unlock()
		h.w.aside = append(h.w.aside, b.String())
		return nil
	}
	h.w.log.say(h.host, "log", b.String())
	return nil
}

// offThread reports whether a report comes from a goroutine of its own, when the collector or a real clock says so: it is no part of what is the same
// each time.
func offThread(message string) bool {
	return strings.HasPrefix(message, "rondo: nobody looked") || strings.HasPrefix(message, "task: a task blocks")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var with strings.Builder
	with.WriteString(h.with)
	for _, a := range attrs {
		fmt.Fprintf(&with, " %s=%v", a.Key, a.Value)
	}
	return &logHandler{h.w, h.host, with.String()}
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(string) slog.Handler { return h }

// hashOf makes a number of words.
func hashOf(words string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, words)
	return h.Sum64()
}

// reportPanic notes a panic that an engine has reported: nobody else may see it.
func (w *World) reportPanic(host, what string, p *rondo.PanicError) {
	if !w.ending && len(w.errs) < maxPanics {
		w.errs = append(w.errs, fmt.Errorf("sim: on host %s: %s: panic: %v\n\n%s", host, what, p.Value, p.Stack))
	}
}

// maxPanics is how many panics are reported of a program that goes on.
const maxPanics = 10
