package task_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// limits are the ways to bound a wait for a future. Each says whether the time was over; neither says so and has no result either.
var limits = map[string]func(t *task.Task, d time.Duration, f *rondo.Future[int]) (v int, timeout bool, err error){
	"WithTimeout": func(t *task.Task, d time.Duration, f *rondo.Future[int]) (v int, timeout bool, err error) {
		err = task.WithTimeout(t, d, func(t *task.Task) (err error) { v, err = task.Await(t, f); return err })
		if _, over := errors.AsType[*rondo.TimeoutError](err); over {
			return v, true, nil
		}
		return v, false, err
	},
	"MoveOnAfter": func(t *task.Task, d time.Duration, f *rondo.Future[int]) (v int, timeout bool, err error) {
		timeout, err = task.MoveOnAfter(t, d, func(t *task.Task) (err error) { v, err = task.Await(t, f); return err })
		return v, timeout, err
	},
	"Future.Timeout": func(t *task.Task, d time.Duration, f *rondo.Future[int]) (v int, timeout bool, err error) {
		v, err = task.Await(t, f.Timeout(d))
		if _, over := errors.AsType[*rondo.TimeoutError](err); over {
			return v, true, nil
		}
		return v, false, err
	},
}

// A timeout that fires in the turn in which the result arrives: either outcome, never both, never neither.
func TestTimeoutAndResultInOneTurn(t *testing.T) {
	// Each arranges for p to be resolved with 1 around the time that d, which it returns, is over. certain is what must come
	// of it: "result", "timeout", or either if it is empty.
	arrangements := []struct {
		name, certain string
		arrange       func(t *task.Task, p *rondo.Promise[int]) time.Duration
	}{
		{"a timer before", "", func(t *task.Task, p *rondo.Promise[int]) time.Duration {
			t.Loop().After(50*time.Microsecond, func() { p.ResolveOnLoop(1) })
			return 50 * time.Microsecond
		}},
		{"a timer at once", "result", func(t *task.Task, p *rondo.Promise[int]) time.Duration {
			t.Loop().After(0, func() { p.ResolveOnLoop(1) })
			return 0
		}},
		{"a timer that resolves later in the turn", "timeout", func(t *task.Task, p *rondo.Promise[int]) time.Duration {
			t.Loop().After(0, func() { t.Loop().Defer(func() { p.ResolveOnLoop(1) }) })
			return 0
		}},
		{"from another goroutine", "", func(t *task.Task, p *rondo.Promise[int]) time.Duration {
			t.Loop().After(30*time.Microsecond, func() { go p.Resolve(1) })
			return 50 * time.Microsecond
		}},
		{"on its way as the time is over", "", func(t *task.Task, p *rondo.Promise[int]) time.Duration {
			t.Loop().After(0, func() { p.Resolve(1) })
			return 0
		}},
	}
	for name, limit := range limits {
		for _, a := range arrangements {
			t.Run(name+"/"+a.name, func(t *testing.T) {
				run(t, func(t *task.Task) error {
					for round := range 300 {
						p := rondo.NewPromise[int](t.Loop())
						d := a.arrange(t, p)
						v, timeout, err := limit(t, d, p.Future())
						switch {
						case err != nil:
							return fmt.Errorf("round %d: %w", round, err)
						case timeout == (v == 1):
							return fmt.Errorf("round %d: timeout %v and result %d: want one of them", round, timeout, v)
						case a.certain == "result" && timeout, a.certain == "timeout" && !timeout:
							return fmt.Errorf("round %d: timeout %v, want a %s", round, timeout, a.certain)
						}
						if err := task.Yield(t); err != nil { // nothing is left over
							return fmt.Errorf("round %d: the wait after it: %w", round, err)
						}
					}
					return nil
				})
			})
		}
	}
}

// The same with a cancellation in place of a timeout: resolved and cancelled by one function, in either order.
func TestCancelAndResultInOneTurn(t *testing.T) {
	run(t, func(t *task.Task) error {
		for round := range 300 {
			p := rondo.NewPromise[int](t.Loop())
			var second error
			f := task.Spawn(t, func(t *task.Task) (int, error) {
				v, err := task.Await(t, p.Future())
				second = task.Yield(t)
				return v, err
			})
			settle(t)
			t.Loop().Post(func() {
				if round%2 == 0 {
					p.ResolveOnLoop(1)
					f.Cancel(errTest)
				} else {
					f.Cancel(errTest)
					p.ResolveOnLoop(1)
				}
			})
			v, err := task.Await(t, f)
			if round%2 == 0 && (v != 1 || err != nil || second != errTest) || round%2 == 1 && (err != errTest || second != nil) {
				return fmt.Errorf("round %d: %d, %w, then %w", round, v, err, second)
			}
		}
		return nil
	})
}

func TestTimeoutError(t *testing.T) {
	run(t, func(t *task.Task) error {
		err := task.WithTimeout(t, 1, func(t *task.Task) error {
			_, err := wait(t)
			if t.Err() != context.DeadlineExceeded {
				return fmt.Errorf("the context's error is %w", t.Err())
			}
			if !errors.Is(context.Cause(t), context.DeadlineExceeded) {
				return fmt.Errorf("the context's cause is %w", context.Cause(t))
			}
			derived, cancel := context.WithCancel(t)
			defer cancel()
			if derived.Err() != context.Canceled || !errors.Is(context.Cause(derived), context.DeadlineExceeded) { // as documented
				return fmt.Errorf("a derived context's error is %w, its cause %w", derived.Err(), context.Cause(derived))
			}
			return err
		})
		return errors.Join(wantErr("WithTimeout", err, os.ErrDeadlineExceeded), t.Err(), task.Yield(t))
	})
}

// Of two timeouts that are over, the outer one counts, and each block knows its own.
func TestTimeoutsNest(t *testing.T) {
	run(t, func(t *task.Task) error {
		for _, test := range []struct {
			outer, inner           time.Duration
			movedOuter, movedInner bool
		}{{time.Hour, 1, false, true}, {1, time.Hour, true, false}, {0, 0, true, false}} {
			var movedInner bool
			var second error
			movedOuter, err := task.MoveOnAfter(t, test.outer, func(t *task.Task) (err error) {
				movedInner, err = task.MoveOnAfter(t, test.inner, func(t *task.Task) error {
					if test.outer == test.inner {
						eventually := t.Loop().Now().Add(time.Millisecond)
						for t.Loop().Now().Before(eventually) { // both are over before it waits
						}
					}
					_, err := wait(t)
					return err
				})
				second = task.Yield(t)
				return err
			})
			if movedOuter != test.movedOuter || movedInner != test.movedInner || err != nil || second != nil {
				return fmt.Errorf("%v, %v: moved on: outer %v, inner %v; %w, %w", test.outer, test.inner, movedOuter, movedInner, err, second)
			}
		}
		return nil
	})
}

// An error of the function's own is not taken for the timeout.
func TestTimeoutPassesErrorsOn(t *testing.T) {
	run(t, func(t *task.Task) error {
		moved, err := task.MoveOnAfter(t, 1, func(t *task.Task) error { _, _ = wait(t); return errTest })
		if moved || !errors.Is(err, errTest) {
			return fmt.Errorf("it moved on, or lost the error: %w", err)
		}
		if moved, err = task.MoveOnAfter(t, 1, func(t *task.Task) error { _, err := wait(t); return errors.Join(err, errTest) }); !moved {
			return errors.New("it did not move on")
		}
		other := task.WithTimeout(t, time.Hour, func(*task.Task) error { return errOther })
		return errors.Join(wantErr("MoveOnAfter", err, errTest), wantErr("WithTimeout", other, errOther))
	})
}

// What is shielded hears nothing from without until it ends; timeouts within it work.
func TestShielded(t *testing.T) {
	run(t, func(t *task.Task) error {
		var inside, within, after, twice error
		p := rondo.NewPromise[int](t.Loop())
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			err := task.Shielded(t, func(t *task.Task) error {
				_, inside = task.Await(t, p.Future())
				within = task.WithTimeout(t, 1, func(t *task.Task) error { _, err := wait(t); return err })
				if t.Err() != nil {
					return fmt.Errorf("the context has ended: %w", t.Err())
				}
				return nil
			})
			after, twice = task.Yield(t), task.Yield(t)
			return 0, err
		})
		settle(t)
		f.Cancel(errTest)
		settle(t)
		p.ResolveOnLoop(1)
		_, err := task.Await(t, f)
		if inside != nil || !errors.Is(within, context.DeadlineExceeded) || after != errTest || twice != nil {
			return fmt.Errorf("inside %w, within %w, after %w, twice %w", inside, within, after, twice)
		}
		return err
	})
}

// A timeout that is not needed leaves nothing behind.
func TestTimeoutIsForgotten(t *testing.T) {
	run(t, func(t *task.Task) error {
		for range 100 {
			if err := task.WithTimeout(t, 1, func(*task.Task) error { return nil }); err != nil {
				return err
			}
		}
		return task.Sleep(t, time.Millisecond)
	})
}
