package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxJournalBytes is how much a journal holds for an output that does not keep up.
const maxJournalBytes = 64 << 10

// A journal is the output of the log, to which loops write: they must not wait for a pipe that nobody reads, whatever there is to say.
// Lines are written in order on a goroutine of the journal's. When the output falls behind by too much, lines are left out, and how many
// they were is said when it catches up. Safe from any goroutine.
type journal struct {
	out io.Writer

	mu      sync.Mutex
	held    []byte
	omitted int           // lines
	failed  error         // the output's first
	idle    chan struct{} // closed when all is written; nil while nothing is to be
}

func newJournal(out io.Writer) *journal { return &journal{out: out} }

// Write takes one line. It never blocks, and its error is always nil.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.omitted > 0 || len(j.held)+len(line) > maxJournalBytes {
		j.omitted++
		return len(line), nil
	}
	j.held = append(j.held, line...)
	if j.idle == nil {
		j.idle = make(chan struct{})
		go j.work()
	}
	return len(line), nil
}

// work writes what is held, until nothing is.
func (j *journal) work() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.held) > 0 {
		held := j.held
		j.held = nil
		j.mu.Unlock()
		_, err := j.out.Write(held)
		j.mu.Lock()
		j.failed = cmp.Or(j.failed, err) // of the log there is nobody whom one could tell that
		if j.omitted > 0 {
			j.held = fmt.Appendf(j.held, "(%s of the log left out here: nobody read it.)\n", count(j.omitted, "line"))
			j.omitted = 0
		}
	}
	close(j.idle)
	j.idle = nil
}

// flush waits until all is written, but no longer than that.
func (j *journal) flush(patience time.Duration) {
	j.mu.Lock()
	idle := j.idle
	j.mu.Unlock()
	if idle == nil {
		return
	}
	late, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-idle:
	case <-late.Done():
	}
}

// failure is the first error of the output, as far as it has been written: flush comes before it.
func (j *journal) failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failed
}
