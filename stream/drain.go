package stream

import (
	"io"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// drainer is how a stream ends when the engine shuts down: what had arrived is still read, and then it is at its end. The loop
// reports a connection as long as there is something to read, so when it has reported nothing for some turns there is nothing.
type drainer struct {
	on      bool
	looking bool  // it looks again in the next turn
	quiet   int   // turns since something came
	bytes   int   // that came since it began
	moved   int64 // by a splice, when it was last looked at
}

// maxDrained is how much a connection still brings, in bytes: a peer that sends without pause would keep the engine for ever. It is
// what a protocol without a Drainer gets.
const maxDrained = 8 << 20

func (d *drainer) heard(n int) {
	if d.on {
		d.quiet = 0
		d.bytes += n
	}
}

// Draining reports whether the engine shuts down.
func (s *Stream) Draining() bool { return s.drain.on }

// Drain implements rondo.Drainer.
func (s *Stream) Drain(*rondo.Conn) {
	if !s.drain.on {
		s.drain.on = true
		s.lookWhetherDrained()
	}
}

// drainOn is called when reading goes on that was paused.
func (s *Stream) drainOn() {
	s.drain.quiet = 0
	if !s.drain.looking { // else the turns would be counted twice
		s.lookWhetherDrained()
	}
}

func (s *Stream) lookWhetherDrained() {
	// A turn delivers 1,024 events at the most, so with many connections it takes more of them.
	s.drain.looking = false
	turns := 2 + s.loop.Engine().Conns()/1024
	if s.splice != nil && s.splice.Moved() != s.drain.moved {
		s.drain.heard(int(s.splice.Moved() - s.drain.moved))
		s.drain.moved = s.splice.Moved()
	}
	switch s.drain.quiet++; {
	case s.owned: // the end that we would make of it would pass for the peer's, and half an answer for the whole
		if task.Len(s.loop) == 0 { // nobody is left to end it
			_ = s.Close()
		}
	case s.ended != nil || s.paused: // if it is paused, the task that makes room looks again
	case s.drain.quiet > turns || s.drain.bytes > maxDrained:
		s.paused = true
		s.conn.PauseReading()
		if s.splice != nil {
			s.splice.Stop()
		}
		s.end(io.EOF)
	default:
		s.drain.looking = true
		s.loop.Defer(s.lookWhetherDrained)
	}
}
