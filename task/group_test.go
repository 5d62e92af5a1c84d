package task_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// forever is a child that waits until it is cancelled, and then a little longer.
func forever(ended *int) func(t *task.Task) error {
	return func(t *task.Task) error {
		defer func() { *ended++ }()
		_, err := wait(t)
		_ = task.Sleep(t, 1)
		_ = task.Yield(t)
		return err
	}
}

func TestGroupWhoseChildPanics(t *testing.T) {
	run(t, func(t *task.Task) error {
		ended := 0
		var body error
		err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			for range 5 {
				g.Go(forever(&ended))
			}
			g.Go(func(t *task.Task) error {
				_ = task.Yield(t)
				_, err := panics(t)
				return err
			})
			for range 5 {
				g.Go(forever(&ended))
			}
			_, body = wait(t)
			return body
		})
		var p *rondo.PanicError
		var s *task.SiblingError
		switch {
		case !errors.As(err, &p) || !strings.Contains(string(p.Stack), "task_test.panics"):
			return fmt.Errorf("the group: %w, want a *PanicError with the child's stack", err)
		case errors.As(err, &s):
			return fmt.Errorf("the group says that it was cancelled: %w", err)
		case !errors.As(body, &s) || !errors.As(s, &p):
			return fmt.Errorf("the block got %w, want a *SiblingError", body)
		case ended != 10:
			return fmt.Errorf("%d of 10 siblings have ended", ended)
		}
		return nil
	})
}

// All errors are joined, the first one first, and what is only the group's own cancellation is left out.
func TestGroupJoinsErrors(t *testing.T) {
	run(t, func(t *task.Task) error {
		err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			g.Go(func(t *task.Task) error { // fails while it is cancelled
				_, err := wait(t)
				return fmt.Errorf("wrapped: %w", errors.Join(err, errOther))
			})
			g.Go(func(t *task.Task) error { _, err := wait(t); return fmt.Errorf("only this: %w", err) })
			g.Go(func(t *task.Task) error { _ = task.Yield(t); return errTest })
			return nil
		})
		if !errors.Is(err, errTest) || !errors.Is(err, errOther) {
			return fmt.Errorf("the group: %w, want both errors", err)
		}
		if text := err.Error(); !strings.HasPrefix(text, errTest.Error()+"\n") || strings.Contains(text, "only this") {
			return fmt.Errorf("the group says %q", text)
		}
		return nil
	})
}

func TestGroupWithoutErrors(t *testing.T) {
	run(t, func(t *task.Task) error {
		n := 0
		var f *rondo.Future[string]
		err := task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
			f = task.GoIn(g, func(t *task.Task) (string, error) { return "x", task.Sleep(t, 1) })
			g.Go(func(t *task.Task) error {
				g.Go(func(t *task.Task) error { n++; return task.Sleep(t, 1) }) // a child's child
				return nil
			})
			if g.Len() != 2 {
				return fmt.Errorf("%d children, want 2", g.Len())
			}
			return nil
		})
		if v, _ := f.Result(); v != "x" || n != 1 {
			return fmt.Errorf("the results are %q, %d", v, n)
		}
		return err
	})
}

// The task is cancelled while it is in the block, or while it waits for the children: they get the same reason, once.
func TestGroupIsCancelledFromWithout(t *testing.T) {
	for _, where := range []string{"in the block", "in the block, waiting for a child", "waiting for the children", "between"} {
		t.Run(where, func(t *testing.T) {
			run(t, func(t *task.Task) error {
				ended := 0
				var child error
				f := task.Spawn(t, func(t *task.Task) (int, error) {
					err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
						c := task.GoIn(g, func(t *task.Task) (int, error) {
							_, child = wait(t)
							return 0, child
						})
						g.Go(forever(&ended))
						settle(t)
						switch where {
						case "in the block":
							_, err := wait(t)
							return err
						case "in the block, waiting for a child":
							_, err := task.Await(t, c)
							return err
						case "between":
							t.Cancel(errOther) // of the block alone: not what is cancelled from without
						}
						return nil
					})
					if ended != 1 {
						return 0, fmt.Errorf("it returned before its children: %w", err)
					}
					return 0, errors.Join(err, task.Yield(t)) // not delivered twice
				})
				for range 200 {
					_ = task.Yield(t)
				}
				f.Cancel(errTest)
				_, err := task.Await(t, f)
				if child != errTest {
					return fmt.Errorf("the child got %w", child)
				}
				if err == nil || err.Error() != errTest.Error() {
					return fmt.Errorf("the task: %w, want %w, once", err, errTest)
				}
				return nil
			})
		})
	}
}

func TestGroupCancel(t *testing.T) {
	run(t, func(t *task.Task) error {
		for _, reason := range []error{nil, errTest, context.Canceled} {
			ended := 0
			err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				g.Go(forever(&ended))
				g.Go(forever(&ended))
				_ = task.Yield(t)
				g.Cancel(reason)
				g.Go(func(*task.Task) error { ended = -1; return nil }) // does not begin
				return task.Yield(t)
			})
			if err != nil || ended != 2 {
				return fmt.Errorf("cancelled with %w: %w, and %d children have ended; want nil, 2", reason, err, ended)
			}
		}
		return task.Yield(t)
	})
}

// A child that is cancelled by itself, by way of its future, has not failed.
func TestGroupChildIsCancelledAlone(t *testing.T) {
	run(t, func(t *task.Task) error {
		var other error
		err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			f := task.GoIn(g, wait)
			g.Go(func(t *task.Task) error { other = task.Sleep(t, time.Millisecond); return other })
			_, err := task.Await(t, f.Timeout(1)) // cancels the child
			return wantErr("the child", err, context.DeadlineExceeded)
		})
		return errors.Join(err, other)
	})
}

func TestGroupIsClosedAfterItsEnd(t *testing.T) {
	run(t, func(t *task.Task) error {
		var kept *task.Group
		var block *task.Task
		if err := task.WithGroup(t, func(t *task.Task, g *task.Group) error { kept, block = g, t; return nil }); err != nil {
			return err
		}
		_, err := task.Await(t, task.GoIn(kept, wait))
		if block.Err() == nil {
			return errors.New("the block goes on as a context")
		}
		return wantErr("GoIn", err, task.ErrGroupClosed)
	})
}

func TestGroupsNest(t *testing.T) {
	run(t, func(t *task.Task) error {
		ended := 0
		err := task.WithGroup(t, func(t *task.Task, outer *task.Group) error {
			outer.Go(func(t *task.Task) error {
				return task.WithGroup(t, func(_ *task.Task, inner *task.Group) error {
					inner.Go(forever(&ended))
					inner.Go(forever(&ended))
					return nil
				})
			})
			outer.Go(func(t *task.Task) error { settle(t); return errTest })
			return task.WithGroup(t, func(_ *task.Task, inner *task.Group) error {
				inner.Go(forever(&ended))
				return nil
			})
		})
		if err == nil || err.Error() != errTest.Error() || ended != 3 {
			return fmt.Errorf("the outer group: %w, and %d have ended; want %w alone, 3", err, ended, errTest)
		}
		return nil
	})
}

// A panic of the block goes on once the children have ended.
func TestGroupWhoseBlockPanics(t *testing.T) {
	run(t, func(t *task.Task) error {
		ended := 0
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			return 0, task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				g.Go(forever(&ended))
				_ = task.Yield(t)
				panic("ouch")
			})
		})
		_, err := task.Await(t, f)
		var p *rondo.PanicError
		if !errors.As(err, &p) || p.Value != "ouch" || ended != 1 {
			return fmt.Errorf("the task: %w, and %d children have ended; want the panic and 1", err, ended)
		}
		return nil
	})
}

// The last child ends in the turn in which the task that waits for it is cancelled, but before that task runs.
func TestGroupCancelledAsLastChildEnds(t *testing.T) {
	run(t, func(t *task.Task) error {
		p := rondo.NewPromise[int](t.Loop())
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			return 0, task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
				task.GoIn(g, func(t *task.Task) (int, error) { return task.Await(t, p.Future()) })
				return nil
			})
		})
		settle(t)
		p.ResolveOnLoop(1)
		f.Cancel(errTest)
		_, err := task.Await(t, f)
		return wantErr("the group", err, errTest)
	})
}

// A child sees the values of the block's context, and ends with it.
func TestGroupChildsContext(t *testing.T) {
	type key struct{}
	e := rig.New(t, rondo.Config{})
	ctx := context.WithValue(t.Context(), key{}, "value")
	var child context.Context
	f := task.GoContext(ctx, e.Loop(), func(t *task.Task) (any, error) {
		var v any
		err := task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
			g.Go(func(t *task.Task) error { child, v = t, t.Value(key{}); return nil })
			return nil
		})
		return v, err
	})
	if v := rig.Result(t, f); v != "value" {
		t.Errorf("the child sees %v", v)
	}
	rig.Await(t, child.Done())
}

// A block that keeps a cancellation from without to itself does not keep it from its children.
func TestGroupBlockSwallowsCancellation(t *testing.T) {
	run(t, func(t *task.Task) error {
		var child, group error
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			group = task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				g.Go(func(t *task.Task) error {
					_, child = wait(t)
					return child
				})
				_, _ = wait(t)
				return nil
			})
			return 1, nil
		})
		settle(t)
		f.Cancel(errTest)
		if _, err := task.Shield(t, f); err != nil {
			return err
		}
		return errors.Join(wantErr("the child", child, errTest), wantErr("the group", group, nil))
	})
}

// What cleans up after a cancellation may do so in a group, whose children are not cancelled for what is past.
func TestGroupAfterCancellation(t *testing.T) {
	run(t, func(t *task.Task) error {
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			_, _ = wait(t)
			return 1, task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				g.Go(func(t *task.Task) error { return task.Sleep(t, 1) })
				return nil
			})
		})
		settle(t)
		f.Cancel(errTest)
		_, err := task.Shield(t, f)
		return err
	})
}

// A block that panics has nobody to return its children's errors to: they are reported.
func TestGroupBlockPanicsAndChildFails(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	_, err := rig.Outcome(t, task.Go(e.Loop(), func(t *task.Task) (int, error) {
		return 0, task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			g.Go(func(t *task.Task) error { _, _ = wait(t); return errTest })
			g.Go(waitOnly) // is cancelled, which is no news
			settle(t)
			panic("ouch")
		})
	}))
	if p, ok := errors.AsType[*rondo.PanicError](err); !ok || p.Value != "ouch" {
		t.Errorf("error %v, want the block's panic", err)
	}
	if line := e.Log.Await(t, "block of a group panicked"); !strings.Contains(line, errTest.Error()) {
		t.Errorf("the report does not say how the child failed: %s", line)
	}
}

// A task that is cancelled while its group's panicking block waits for the children is told by the next wait, if it recovers.
func TestGroupBlockPanicsAndIsCancelled(t *testing.T) {
	run(t, func(t *task.Task) error {
		panicking := func(t *task.Task, child func(t *task.Task) error) {
			defer func() { _ = recover() }()
			_ = task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				g.Go(child)
				settle(t)
				panic("ouch")
			})
		}
		var self *rondo.Future[int]
		var next, afterNext, block error
		self = spawn(t, func(t *task.Task) error {
			panicking(t, func(t *task.Task) error {
				_, _ = wait(t)
				self.Cancel(errTest)
				return task.Sleep(t, 1)
			})
			next, afterNext = task.Yield(t), task.Yield(t)
			block = task.WithTimeout(t, time.Hour, func(t *task.Task) error {
				panicking(t, func(child *task.Task) error {
					_, _ = wait(child)
					t.Cancel(errOther)
					return task.Sleep(child, 1)
				})
				return task.Yield(t)
			})
			return task.Yield(t)
		})
		if _, err := task.Shield(t, self); err != nil {
			return err
		}
		return errors.Join(wantErr("the next wait", next, errTest), wantErr("the one after it", afterNext, nil),
			wantErr("a block within the task", block, errOther))
	})
}
