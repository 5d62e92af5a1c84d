package poetry

import (
	"fmt"
	"sync"
	"time"

	"github.com/rondo-go/rondo/internal/descriptors"
)

// DefaultMaxBytes is the longest poem that a client takes, unless it is told otherwise: 64 MiB.
const DefaultMaxBytes = 64 << 20

// An EventKind is what happened to a task.
type EventKind int

// What happens to a task, in the order in which it can. Exactly one of EventFinished and EventFailed comes last.
const (
	EventStarted   EventKind = iota + 1 // dialing begins
	EventConnected                      // the connection stands
	EventPiece                          // bytes arrived
	EventFinished                       // the whole poem is here
	EventFailed                         // there will be no whole poem
)

// An Event tells a program what happens while a client runs, for lines and progress bars.
type Event struct {
	Kind    EventKind
	Task    int           // from 1
	Address string        // the task's
	At      time.Duration // since the report began
	Elapsed time.Duration // since the task began
	Bytes   int           // the piece's, for EventPiece; otherwise all that the task has got
	Piece   []byte        // the piece's bytes, for EventPiece; valid only during the callback
	Err     error         // for EventFailed
}

// A Recorder collects what a client measures into a [Report]. Every client drives one: for each task Start, then
// perhaps Connected, then Data for each read, then exactly one End. Tasks are numbered from 1, in the order of the
// addresses. Safe from any goroutine.
type Recorder struct {
	mu        sync.Mutex
	report    *Report
	connected []bool
	now       func() time.Time
	onEvent   func(Event)
	maxBytes  int
	timeout   time.Duration
	discard   bool
	told      time.Duration // how long OnEvent has taken so far; not measured without a timeout
}

// NewRecorder begins the report of one client now. Of c it uses Now, OnEvent, MaxBytes, Discard, and Timeout for the wording
// of failures.
func (c *Client) NewRecorder(mode Mode, addresses []Address) *Recorder {
	r := &Recorder{now: c.now, onEvent: c.OnEvent, maxBytes: c.maxBytes(), timeout: c.Timeout, discard: c.Discard}
	r.report = &Report{Mode: mode, Began: c.now(), Tasks: make([]Fetch, len(addresses))}
	r.connected = make([]bool, len(addresses))
	for i, a := range addresses {
		r.report.Tasks[i] = Fetch{Task: i + 1, Address: a.String(), Connected: Never, FirstByte: Never}
	}
	return r
}

// Start records that the task begins to dial.
func (r *Recorder) Start(task int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.report.Tasks[task-1]
	f.Start = r.at()
	r.emit(f, Event{Kind: EventStarted, At: f.Start})
}

// Connected records that the task's connection stands.
func (r *Recorder) Connected(task int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.report.Tasks[task-1]
	f.Connected = r.at()
	r.connected[task-1] = true
	r.emit(f, Event{Kind: EventConnected, At: f.Connected})
}

// Data records bytes that arrived, and copies them. It returns an error that wraps [ErrTooLong], and keeps what fits,
// when the poem exceeds the limit: the client must then End the task with that error.
func (r *Recorder) Data(task int, p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.report.Tasks[task-1]
	room := r.maxBytes - f.Bytes
	fits := p[:min(len(p), room)]
	if len(fits) > 0 {
		at := r.at()
		if f.FirstByte == Never {
			f.FirstByte = at
		}
		if !r.discard {
			f.Poem = append(f.Poem, fits...)
		}
		f.Bytes += len(fits)
		f.Pieces = append(f.Pieces, Piece{At: at, Bytes: len(fits)})
		r.emit(f, Event{Kind: EventPiece, At: at, Bytes: len(fits), Piece: fits})
	}
	if len(fits) < len(p) {
		return fmt.Errorf("%w of %d bytes", ErrTooLong, r.maxBytes)
	}
	return nil
}

// End records that the task has ended: with the whole poem if err is nil, otherwise with a [Failure] that it makes of
// err. A timeout in err counts as a stall, and [context.Canceled] as cancelled; a client whose context has a deadline of
// its own must wrap ErrCancelled when that is what ended it.
func (r *Recorder) End(task int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.report.Tasks[task-1]
	f.End = r.at()
	e := Event{Kind: EventFinished, At: f.End, Bytes: f.Bytes}
	if err != nil {
		err = descriptors.Blame(err)
		f.Err = &Failure{
			Address: f.Address, Bytes: f.Bytes, Reason: reasonFor(err), Cause: err,
			connected: r.connected[task-1], timeout: r.timeout,
		}
		e.Kind, e.Err = EventFailed, f.Err
	}
	r.emit(f, e)
}

// Report returns what was recorded, once every task has ended. Nothing may be recorded after that.
func (r *Recorder) Report() *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.report
}

// at truncates to microseconds once, here, so that sums of what is printed are exact.
func (r *Recorder) at() time.Duration {
	return r.now().Sub(r.report.Began).Truncate(time.Microsecond)
}

// emit runs the callback under the lock, so that it sees one event at a time and in the order of their times.
func (r *Recorder) emit(f *Fetch, e Event) {
	if r.onEvent == nil {
		return
	}
	e.Task, e.Address, e.Elapsed = f.Task, f.Address, e.At-f.Start
	if r.timeout <= 0 {
		r.onEvent(e)
		return
	}
	began := r.now()
	r.onEvent(e)
	r.told += r.now().Sub(began)
}

// toldFor is how long OnEvent has taken so far, if there is a timeout.
func (r *Recorder) toldFor() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told
}
