package sim

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// WithTimeout is a context that ends when d of virtual time have passed, as context.WithTimeout's does after real time; or when its parent does, or cancel is
// called. It says no deadline: those who ask for one take it for real time, in which it is long past. Package context would, too: what it derives from this one
// with a timeout in real time would seem to have this deadline, and a mistake that fails the run now would pass.
func (w *World) WithTimeout(parent context.Context, d time.Duration) (ctx context.Context, cancel context.CancelFunc) {
	c := &timeoutContext{Context: parent, w: w, done: make(chan struct{})}
	stop := w.after(d, func() { c.end(context.DeadlineExceeded) })
	if parent.Err() != nil {
		c.end(parent.Err())
	} else if parent.Done() != nil {
		c.parent.fn = func() { c.end(parent.Err()) }
		w.watch(parent, &c.parent)
	}
	return c, func() {
		stop()
		c.end(context.Canceled)
	}
}

// timeoutContext is a context whose end the world brings. What is derived from it hears by AfterFunc, and so ends for the same reason, and without
// a goroutine.
type timeoutContext struct {
	context.Context // the parent, for values

	w      *World
	parent watch // its end
	done   chan struct{}
	mu     sync.Mutex
	err    error
	told   []*func()
}

// Deadline implements context.Context, as those below do.
func (*timeoutContext) Deadline() (deadline time.Time, ok bool) { return deadline, false }

// Done implements context.Context.
func (c *timeoutContext) Done() <-chan struct{} { return c.done }

// Err implements context.Context.
func (c *timeoutContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc is what package context asks of contexts that are not its own.
func (c *timeoutContext) AfterFunc(fn func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go fn() // as it has it of its own
		return func() bool { return false }
	}
	c.told = append(c.told, &fn)
	place := &fn
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for i, f := range c.told {
			if f == place {
				c.told = append(c.told[:i:i], c.told[i+1:]...)
				return true
			}
		}
		return false
	}
}

func (c *timeoutContext) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	told := c.told
	c.told = nil
	close(c.done)
	c.mu.Unlock()
	c.w.unwatch(&c.parent)
	c.w.tell(c.done)
	for _, fn := range told {
		(*fn)()
	}
}

// notTimed fails the run if ctx ends at a time that is real.
func (w *World) notTimed(p *hostWorld, ctx context.Context) {
	if t, ok := ctx.Deadline(); ok {
		w.notReal(p, t, "a context", "make it with World.WithTimeout, or in a task with task.WithTimeout")
	}
}

// notReal fails the run if t is real time, which does not pass in a world. What it means by now is years away.
func (w *World) notReal(p *hostWorld, t time.Time, what, instead string) {
	now := w.Now()
	if p != nil {
		now = now.Add(p.step)
	}
	if near(t, now) || !near(t, time.Now()) { //nolint:forbidigo // to be told from the world's
		return
	}
	where := placeOf(string(debug.Stack()))
	if where != "" {
		where = " (it was given" + where + ")"
	}
	w.fail(fmt.Errorf("sim: %s has a deadline in real time, which does not pass in a world: %s%s", what, instead, where))
}

// near reports whether two times are those of one clock.
func near(a, b time.Time) bool { return a.Sub(b).Abs() < 365*24*time.Hour }
