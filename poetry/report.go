package poetry

import "time"

// A Mode is which client fetched the poems.
type Mode string

// The four clients.
const (
	ModeBlocking Mode = "blocking" // one after the other
	ModeThreads  Mode = "threads"  // a goroutine each
	ModeAsync    Mode = "async"    // all on one loop, with callbacks
	ModeTask     Mode = "task"     // a coroutine each, on one loop
)

// Never stands for a moment that did not come, such as the first byte from a server that refused.
const Never = time.Duration(-1)

// A Piece is bytes that arrived at once: what one read returned.
type Piece struct {
	At    time.Duration // since the report began
	Bytes int
}

// A Fetch is the record of one task. All its moments are since the report began, in whole microseconds, so that what is
// printed adds up to the last digit.
type Fetch struct {
	Task    int    // from 1
	Address string // HOST:PORT
	Poem    []byte // what arrived, also if the task failed later; nil in a report read from JSON, and of a Client that discards
	Bytes   int    // how many arrived
	Err     error  // nil if the whole poem arrived; otherwise a *Failure, or plain text in a report read from JSON

	Start     time.Duration // dialing began
	Connected time.Duration // or Never
	FirstByte time.Duration // or Never
	End       time.Duration // the poem was complete, or the task had failed

	Pieces []Piece // in the order of arrival
}

// Elapsed is how long the task took.
func (f *Fetch) Elapsed() time.Duration { return f.End - f.Start }

// A Report is what one client measured. It is plain data: once a client has returned it, it does not change, and may
// be read from any goroutine.
type Report struct {
	Mode  Mode
	Began time.Time
	Tasks []Fetch // in the order asked for
}

// Poems counts the poems that were got: the tasks that did not fail. It is the N of "Got N poems in".
func (r *Report) Poems() int { return len(r.Tasks) - r.Failed() }

// Failed counts the tasks that failed.
func (r *Report) Failed() int {
	n := 0
	for i := range r.Tasks {
		if r.Tasks[i].Err != nil {
			n++
		}
	}
	return n
}

// Bytes is how many bytes arrived, those of failed tasks included.
func (r *Report) Bytes() int {
	n := 0
	for i := range r.Tasks {
		n += r.Tasks[i].Bytes
	}
	return n
}

// Total is the time the client took: for the blocking one the sum of its tasks, for the others the time at which the
// last of them ended.
func (r *Report) Total() time.Duration {
	if r.Mode == ModeBlocking {
		return r.Sum()
	}
	return r.Span()
}

// Sum is the times of the tasks added up: what fetching one after the other costs.
func (r *Report) Sum() time.Duration {
	var sum time.Duration
	for i := range r.Tasks {
		sum += r.Tasks[i].Elapsed()
	}
	return sum
}

// Longest is the time of the task that took longest: the least that any client can take.
func (r *Report) Longest() time.Duration {
	var longest time.Duration
	for i := range r.Tasks {
		longest = max(longest, r.Tasks[i].Elapsed())
	}
	return longest
}

// Span is from the beginning of the report to the end of the last task.
func (r *Report) Span() time.Duration {
	var end time.Duration
	for i := range r.Tasks {
		end = max(end, r.Tasks[i].End)
	}
	return end
}
