package poetry

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// A Printer writes what a client does, line for line as the slow poetry clients always have. Its Event method is the
// Client's OnEvent, its Summary comes at the end. Not safe for use from several goroutines at once, which a Client does
// not do.
//
// The blocking client says when each task begins and what it got. The others say what each piece was and which task
// finished, and at the end what each got. A task that fails says so in the place of what it would have got or of having
// finished, and once only. "Got N poems" counts the poems got, not the tasks.
type Printer struct {
	w    io.Writer
	mode Mode
	err  error
}

// NewPrinter prints on w what a client of that mode does.
func NewPrinter(w io.Writer, mode Mode) *Printer { return &Printer{w: w, mode: mode} }

// Event prints the line for one event, if it has one.
func (p *Printer) Event(e Event) {
	blocking := p.mode == ModeBlocking
	switch {
	case e.Kind == EventStarted && blocking:
		p.printf("Task %d: get poetry from: %s\n", e.Task, e.Address)
	case e.Kind == EventFinished && blocking:
		p.printf("Task %d: got %d bytes of poetry from %s in %s\n", e.Task, e.Bytes, e.Address, FormatElapsed(e.Elapsed))
	case e.Kind == EventPiece && !blocking:
		p.printf("Task %d: got %d bytes of poetry from %s\n", e.Task, e.Bytes, e.Address)
	case e.Kind == EventFinished:
		p.printf("Task %d finished\n", e.Task)
	case e.Kind == EventFailed:
		p.printf("Task %d failed: %v\n", e.Task, e.Err)
	}
}

// Summary prints the lines that come at the end, and returns the first error that writing any line met.
func (p *Printer) Summary(r *Report) error {
	for i := range r.Tasks {
		if f := &r.Tasks[i]; p.mode != ModeBlocking && f.Err == nil {
			p.printf("Task %d: %d bytes of poetry\n", f.Task, f.Bytes)
		}
	}
	poems := "poems"
	if r.Poems() == 1 {
		poems = "poem"
	}
	p.printf("Got %d %s in %s\n", r.Poems(), poems, FormatElapsed(r.Total()))
	return p.err
}

func (p *Printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

// WriteText writes all the lines of a finished report: what a [Printer] would have printed while it was made.
func WriteText(w io.Writer, r *Report) error {
	p := NewPrinter(w, r.Mode)
	for _, e := range r.Events() {
		p.Event(e)
	}
	return p.Summary(r)
}

// Events returns what happened in the order of its time, as OnEvent was told it. Events of different tasks in the same
// microsecond come in the order of the tasks. The Piece fields are nil.
func (r *Report) Events() []Event {
	var events []Event
	for i := range r.Tasks {
		f := &r.Tasks[i]
		add := func(e Event) {
			e.Task, e.Address, e.Elapsed = f.Task, f.Address, e.At-f.Start
			events = append(events, e)
		}
		add(Event{Kind: EventStarted, At: f.Start})
		if f.Connected != Never {
			add(Event{Kind: EventConnected, At: f.Connected})
		}
		for _, piece := range f.Pieces {
			add(Event{Kind: EventPiece, At: piece.At, Bytes: piece.Bytes})
		}
		if f.Err == nil {
			add(Event{Kind: EventFinished, At: f.End, Bytes: f.Bytes})
		} else {
			add(Event{Kind: EventFailed, At: f.End, Bytes: f.Bytes, Err: f.Err})
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	return events
}
