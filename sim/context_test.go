package sim_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
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

// A deadline in real time would pass at a moment of its own, or never: wherever a world meets one the run fails, and says what to do.
func TestRealDeadlines(t *testing.T) {
	never := func(e *rondo.Engine) *rondo.Future[int] { return rondo.NewPromise[int](e.Loop()).Future() }
	for name, give := range map[string]func(ctx context.Context, w *sim.World, e *rondo.Engine){
		"Wait":         func(ctx context.Context, _ *sim.World, e *rondo.Engine) { _, _ = never(e).Wait(ctx) },
		"Dial":         func(ctx context.Context, _ *sim.World, e *rondo.Engine) { e.Dial(ctx, "tcp", "server:7", echo{}) },
		"DialContext":  func(ctx context.Context, _ *sim.World, e *rondo.Engine) { _, _ = e.DialContext(ctx, "tcp", "server:7") },
		"Shutdown":     func(ctx context.Context, _ *sim.World, e *rondo.Engine) { _ = e.Shutdown(ctx) },
		"AfterContext": func(ctx context.Context, _ *sim.World, e *rondo.Engine) { e.AfterContext(ctx, func() {}) },
		"FromContext":  func(ctx context.Context, _ *sim.World, e *rondo.Engine) { rondo.FromContext(e.Loop(), ctx) },
		"WithTimeout": func(ctx context.Context, w *sim.World, _ *rondo.Engine) {
			_, cancel := w.WithTimeout(ctx, time.Second)
			w.After(time.Second, cancel)
		},
		"GoContext": func(ctx context.Context, _ *sim.World, e *rondo.Engine) {
			task.GoContext(ctx, e.Loop(), func(t *task.Task) (int, error) { return 0, task.Sleep(t, time.Hour) })
		},
		"derived": func(ctx context.Context, _ *sim.World, e *rondo.Engine) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			_, _ = never(e).Wait(ctx)
		},
		"deadline of a connection": func(_ context.Context, _ *sim.World, e *rondo.Engine) {
			c, err := e.DialContext(background, "tcp", "server:7")
			if err == nil {
				_ = c.SetReadDeadline(time.Now().Add(time.Second)) //nolint:forbidigo // that is the mistake
				_, _ = c.Read(make([]byte, 1))
			}
		},
	} {
		ctx, cancel := context.WithTimeout(background, time.Hour)
		defer cancel()
		_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			w.Host("server").Start(echoServer)
			w.Sleep(time.Second)
			give(ctx, w, w.Host("client").Engine())
			w.Sleep(time.Minute)
		})
		if err == nil || !strings.Contains(err.Error(), "has a deadline in real time, which does not pass in a world") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Deadlines by the world's clock are good, also where a host's is another.
func TestDeadlinesOfTheWorld(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.Sleep(time.Second)
		h := w.Host("client")
		e := h.Engine()
		for _, step := range []time.Duration{0, 40 * 365 * 24 * time.Hour, -time.Hour} {
			h.StepClock(step)
			ctx, cancel := w.WithTimeout(background, time.Second)
			c, err := e.DialContext(ctx, "tcp", "server:7")
			cancel()
			if err != nil {
				w.Fatalf("%v", err)
			}
			at := w.Elapsed()
			_ = c.SetDeadline(e.Loop().Now().Add(time.Second))
			var timeout net.Error
			if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() || w.Elapsed()-at < time.Second {
				w.Errorf("read: %v, after %v", err, w.Elapsed()-at)
			}
			for _, of := range []time.Time{{}, time.Unix(1, 0)} {
				_ = c.SetDeadline(of)
			}
			_, err = task.Go(e.Loop(), func(t *task.Task) (int, error) {
				return 0, task.WithTimeout(t, time.Second, func(t *task.Task) error {
					_, err := task.Await(t, rondo.FromContext(t.Loop(), t).Timeout(time.Minute))
					return err
				})
			}).Wait(background)
			if !errors.Is(err, context.DeadlineExceeded) {
				w.Errorf("task: %v", err)
			}
		}
	})
}
