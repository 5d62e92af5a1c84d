// Package failing has a test that fails, of which TestRepeatByCommandLine of package sim takes the command line that repeats it.
package failing

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

func serve(h *sim.Host) error {
	_, err := h.Engine().Listen("tcp", ":7", stream.Handle(func(t *task.Task, s *stream.Stream) error {
		_, err := s.Write(t, []byte("hello"))
		return err
	}))
	return err
}

// sloppy takes it for granted that there is an answer to every call.
func sloppy(w *sim.World) {
	w.Host("server").Start(serve)
	e := w.Host("client").Engine()
	for i := range 20 {
		w.Sleep(time.Second)
		c, err := e.DialContext(context.Background(), "tcp", "server:7")
		if err != nil {
			continue
		}
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			w.Fatalf("call %d, after %v: %v", i, w.Elapsed(), err)
		}
		_ = c.Close()
	}
}

func TestFailing(t *testing.T) {
	for _, name := range []string{"plain", `it's "odd" $HOME (a|b) [c/d]\n é` + "\x01"} {
		t.Run(name, func(t *testing.T) {
			faults := sim.Faults{Abort: 0.05, Lose: 0.2, Stall: 0.2, LookupSlow: 0.2, ClockStep: 2 * time.Second}
			sim.Search(t, 100, sim.Config{Faults: faults}, sloppy)
		})
	}
}
