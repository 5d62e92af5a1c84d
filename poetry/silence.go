package poetry

import (
	"time"

	"github.com/rondo-go/rondo"
)

// A silence ends a task on a loop whose server sends nothing for the client's Timeout. While OnEvent is told something the loop hears
// none of its servers: that time is added to what each of them has. All of it happens on the loop.
type silence struct {
	loop     *rondo.Loop
	recorder *Recorder
	over     func()
	timer    rondo.Timer   // over if there is no Timeout
	told     time.Duration // what the recorder had told for when the timer was set
}

func (r *Recorder) newSilence(l *rondo.Loop, over func()) silence {
	return silence{loop: l, recorder: r, over: over}
}

// listen begins anew. It is called after what was heard has been recorded.
func (s *silence) listen() {
	if s.recorder.timeout > 0 {
		s.wait(s.recorder.timeout)
	}
}

func (s *silence) wait(d time.Duration) {
	s.told = s.recorder.toldFor()
	if !s.timer.Reset(d) {
		s.timer = s.loop.After(d, s.end)
	}
}

func (s *silence) end() {
	if deaf := s.recorder.toldFor() - s.told; deaf > 0 {
		s.wait(deaf)
		return
	}
	s.over()
}

func (s *silence) stop() { s.timer.Stop() }
