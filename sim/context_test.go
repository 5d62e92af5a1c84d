package sim_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

// What is derived from World.WithTimeout's context ends as what is derived from context.WithTimeout's does.
func TestTimeoutOfDerivedContext(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		outer, end := w.WithTimeout(background, time.Second)
		defer end()
		child, cancel := context.WithCancel(outer)
		defer cancel()
		inner, cancel2 := w.WithTimeout(outer, time.Minute)
		defer cancel2()
		w.Sleep(2 * time.Second)
		if !errors.Is(child.Err(), context.DeadlineExceeded) {
			w.Errorf("child: %v", child.Err())
		}
		if !errors.Is(inner.Err(), context.DeadlineExceeded) {
			w.Errorf("inner: %v", inner.Err())
		}
	})
}
