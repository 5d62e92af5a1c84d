package stream

import (
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/rondo-go/rondo/task"
)

// Signals are the signals that the process gets, for a task to wait for. Make one with [NewSignals]; [rondo.Loop.OnSignal] is the
// same with a function. All of it belongs to the task's loop.
type Signals struct {
	waiting []os.Signal // that nobody has taken, each once
	reader  *task.Task  // which waits; nil if none does
	names   []os.Signal
	remove  []func()
	stopped bool
}

// NewSignals begins to listen to sigs, which from now on do not do what they do by default, until Stop is called. A signal that
// comes again before it was taken counts once, as with the kernel.
func NewSignals(t *task.Task, sigs ...os.Signal) *Signals {
	s := &Signals{names: sigs}
	for _, sig := range sigs {
		s.remove = append(s.remove, t.Loop().OnSignal(sig, s.came))
	}
	return s
}

func (s *Signals) came(sig os.Signal) {
	if slices.Contains(s.waiting, sig) {
		return
	}
	s.waiting = append(s.waiting, sig)
	s.wake()
}

func (s *Signals) wake() {
	if t := s.reader; t != nil {
		s.reader = nil
		t.Unpark()
	}
}

// Next waits for a signal. After Stop it returns io.EOF; while another task waits, [ErrBusy].
func (s *Signals) Next(t *task.Task) (os.Signal, error) {
	for {
		if err := t.Checkpoint(); err != nil {
			return nil, err
		}
		switch {
		case len(s.waiting) > 0:
			sig := s.waiting[0]
			s.waiting = s.waiting[1:]
			return sig, nil
		case s.stopped:
			return nil, io.EOF
		case s.reader != nil:
			return nil, ErrBusy
		}
		s.reader = t
		if err := t.Park(s); err != nil {
			return nil, err
		}
	}
}

// All are the signals as they come, for a range loop, which ends after Stop. An error ends it too, and comes last.
func (s *Signals) All(t *task.Task) iter.Seq2[os.Signal, error] {
	return func(yield func(os.Signal, error) bool) {
		for {
			sig, err := s.Next(t)
			if err == io.EOF || !yield(sig, err) || err != nil { //nolint:errorlint // ours, never wrapped
				return
			}
		}
	}
}

// Stop ends the listening: signals do again what they did before. Signals that have come can still be taken. Stopping again does
// nothing.
func (s *Signals) Stop() {
	if s.stopped {
		return
	}
	s.stopped = true
	for _, remove := range s.remove {
		remove()
	}
	s.wake()
}

// Abandon implements task.Parking.
func (s *Signals) Abandon(error) { s.reader = nil }

// String implements task.Parking.
func (s *Signals) String() string { return fmt.Sprintf("a signal of %v", s.names) }
