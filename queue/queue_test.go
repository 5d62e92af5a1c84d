package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// After Close what is there can be got, and nothing more be put.
func TestClose(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		q := queue.New[int](tk.Loop(), 2)
		_, _ = q.TryPut(1), q.TryPut(2)
		put := task.Spawn(tk, func(tk *task.Task) (int, error) { return 0, q.Put(tk, 3) })
		turns(tk, 1)
		q.Close()
		q.Close()
		if _, err := task.Await(tk, put); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("the waiting Put returned %v", err)
		}
		if a, b := q.Put(tk, 4), q.TryPut(4); !errors.Is(a, queue.ErrClosed) || !errors.Is(b, queue.ErrClosed) {
			t.Errorf("Put returned %v, TryPut %v", a, b)
		}
		var got []int
		for v, err := range q.All(tk) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, v)
		}
		if !slices.Equal(got, []int{1, 2}) {
			t.Errorf("got %v", got)
		}
		if _, err := q.TryGet(); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("TryGet returned %v", err)
		}
	})
}

// Those who wait for an item hear that none will come.
func TestCloseWithGetters(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		q := queue.New[int](tk.Loop(), 0)
		get := func(tk *task.Task) (int, error) { return q.Get(tk) }
		a, b := task.Spawn(tk, get), task.Spawn(tk, get)
		turns(tk, 1)
		_ = q.TryPut(5) // a has it, before the end
		q.Close()
		v, err := task.Await(tk, a)
		if _, none := task.Await(tk, b); v != 5 || err != nil || !errors.Is(none, queue.ErrClosed) {
			t.Errorf("got %d (%v), and %v", v, err, none)
		}
	})
}

// Join waits for all that was put, got or not, also after Close.
func TestJoin(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		q := queue.New[int](tk.Loop(), queue.Unbounded)
		if err := q.Join(tk); err != nil {
			t.Error(err)
		}
		_, _ = q.TryPut(1), q.TryPut(2)
		join := task.Spawn(tk, func(tk *task.Task) (int, error) { return 0, q.Join(tk) })
		for i := range 2 {
			turns(tk, 2)
			if join.Done() || q.Unfinished() != 2-i {
				t.Errorf("Join has returned, with %d unfinished", q.Unfinished())
			}
			_, _ = q.TryGet()
			q.Close()
			turns(tk, 2)
			if join.Done() || q.Unfinished() != 2-i {
				t.Errorf("Join has returned when all was got, with %d unfinished", q.Unfinished())
			}
			q.TaskDone()
		}
		if _, err := task.Await(tk, join); err != nil || q.Unfinished() != 0 {
			t.Errorf("Join: %v, %d unfinished", err, q.Unfinished())
		}
	})
}

// A loop over a queue ends with the reason when the task is cancelled, and can be left.
func TestAllCancelled(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		q := queue.New[int](tk.Loop(), 3)
		var got []int
		var reason error
		f := task.Spawn(tk, func(tk *task.Task) (int, error) {
			for v, err := range q.All(tk) {
				if err != nil {
					reason = err
					continue // it was the last
				}
				got = append(got, v)
			}
			for v, err := range q.All(tk) { // a cancellation is delivered once
				return v, err
			}
			return 0, nil
		})
		turns(tk, 1)
		_ = q.Put(tk, 1)
		turns(tk, 1)
		f.Cancel(errEnough)
		turns(tk, 1)
		_, _ = q.Put(tk, 2), q.Put(tk, 3)
		v, err := task.Await(tk, f)
		if !slices.Equal(got, []int{1}) || !errors.Is(reason, errEnough) || v != 2 || err != nil || q.Len() != 1 {
			t.Errorf("got %v (%v), then %d (%v), and %d are left", got, reason, v, err, q.Len())
		}
	})
}

// A task that is cancelled gets an item or the reason. Which of them depends on what came first.
func TestCancelGet(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		for _, test := range []struct {
			name string
			do   func(q *queue.Queue[int], f *rondo.Future[int])
			err  error
			then error // of its next wait
			left int
		}{
			{"while it waits", func(q *queue.Queue[int], f *rondo.Future[int]) { f.Cancel(errEnough); turns(tk, 2); _ = q.TryPut(7) }, errEnough, nil, 1},
			{"before it is served", func(q *queue.Queue[int], f *rondo.Future[int]) { f.Cancel(errEnough); _ = q.TryPut(7) }, errEnough, nil, 1},
			{"after it was served", func(q *queue.Queue[int], f *rondo.Future[int]) { _ = q.TryPut(7); f.Cancel(errEnough) }, nil, errEnough, 0},
			{"before the close", func(q *queue.Queue[int], f *rondo.Future[int]) { f.Cancel(errEnough); q.Close() }, errEnough, nil, 0},
			{"after the close", func(q *queue.Queue[int], f *rondo.Future[int]) { q.Close(); f.Cancel(errEnough) }, queue.ErrClosed, errEnough, 0},
		} {
			q := queue.New[int](tk.Loop(), 1)
			var err, then error
			f := task.Spawn(tk, func(tk *task.Task) (v int, _ error) {
				v, err = q.Get(tk)
				then = tk.Checkpoint()
				return v, nil
			})
			turns(tk, 1)
			test.do(q, f)
			v, _ := task.Await(tk, f)
			if !errors.Is(err, test.err) || !errors.Is(then, test.then) || q.Len() != test.left || (v == 7) != (test.err == nil) {
				t.Errorf("cancelled %s: got %d (%v), then %v, and %d are left", test.name, v, err, then, q.Len())
			}
		}
	})
}

// The item of a Put that is cancelled is in the queue, or it is not, as the error says.
func TestCancelPut(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		for _, capacity := range []int{0, 1} {
			for name, test := range map[string]struct {
				do    func(q *queue.Queue[int], f *rondo.Future[error])
				err   error
				taken bool
			}{
				"before it is served": {func(q *queue.Queue[int], f *rondo.Future[error]) { f.Cancel(errEnough); _, _ = q.TryGet() }, errEnough, false},
				"after it was served": {func(q *queue.Queue[int], f *rondo.Future[error]) { _, _ = q.TryGet(); f.Cancel(errEnough) }, nil, true},
				"before the close":    {func(q *queue.Queue[int], f *rondo.Future[error]) { f.Cancel(errEnough); q.Close() }, errEnough, false},
				"after the close":     {func(q *queue.Queue[int], f *rondo.Future[error]) { q.Close(); f.Cancel(errEnough) }, queue.ErrClosed, false},
			} {
				q := queue.New[int](tk.Loop(), capacity)
				for i := range capacity {
					_ = q.TryPut(i)
				}
				f := task.Spawn(tk, func(tk *task.Task) (error, error) { return q.Put(tk, 7), nil })
				turns(tk, 1)
				before := q.Unfinished()
				test.do(q, f)
				err, _ := task.Await(tk, f)
				if taken := q.Unfinished() > before; !errors.Is(err, test.err) || taken != test.taken {
					t.Errorf("capacity %d, cancelled %s: Put returned %v, the item was taken: %v", capacity, name, err, taken)
				}
			}
		}
	})
}

// A task that was cancelled before hears of it at once, though it need not wait.
func TestCancelledBefore(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		q := queue.New[int](tk.Loop(), queue.Unbounded)
		_ = q.TryPut(1)
		for name, call := range map[string]func(tk *task.Task) error{
			"Put":  func(tk *task.Task) error { return q.Put(tk, 2) },
			"Get":  func(tk *task.Task) error { _, err := q.Get(tk); return err },
			"Join": func(tk *task.Task) error { return q.Join(tk) },
		} {
			_, err := task.Await(tk, task.Spawn(tk, func(tk *task.Task) (int, error) {
				tk.Cancel(errEnough)
				return 0, call(tk)
			}))
			if !errors.Is(err, errEnough) || q.Len() != 1 {
				t.Errorf("%s returned %v, and %d items are there", name, err, q.Len())
			}
		}
	})
}

// When all getters are cancelled the next item stays for the next Get.
func TestAllGettersCancelled(t *testing.T) {
	for _, capacity := range []int{0, 1, queue.Unbounded} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			inTask(t, func(tk *task.Task) {
				q := queue.New[int](tk.Loop(), capacity)
				var fs []*rondo.Future[int]
				for range 5 {
					fs = append(fs, task.Spawn(tk, func(tk *task.Task) (int, error) { return q.Get(tk) }))
				}
				turns(tk, 1)
				for _, i := range []int{2, 0, 4, 1, 3} { // from the middle, the ends
					fs[i].Cancel(errEnough)
				}
				put := task.Spawn(tk, func(tk *task.Task) (int, error) { return 0, q.Put(tk, 7) })
				turns(tk, 2)
				for i, f := range fs {
					if v, err := f.Result(); v != 0 || !errors.Is(err, errEnough) {
						t.Errorf("getter %d got %d (%v)", i, v, err)
					}
				}
				v, err := q.Get(tk)
				if _, failed := task.Await(tk, put); v != 7 || err != nil || failed != nil {
					t.Errorf("the next Get got %d (%v), Put returned %v", v, err, failed)
				}
			})
		})
	}
}

// The end of the engine ends every wait, also of a task that waits again and again.
func TestEngineCloses(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	l := e.Loop()
	q, full := queue.New[int](l, 1), queue.New[int](l, 0)
	errs := make([]error, 3)
	var fs []*rondo.Future[struct{}]
	for i, call := range []func(tk *task.Task) error{
		func(tk *task.Task) error { _, err := q.Get(tk); return err },
		func(tk *task.Task) error { return full.Put(tk, 1) },
		func(tk *task.Task) (last error) {
			defer func() { errs[2] = last }() // it is ended by a panic
			for {
				_, last = q.Get(tk)
			}
		},
	} {
		fs = append(fs, run(l, func(tk *task.Task) { errs[i] = call(tk) }))
	}
	rig.Result(t, run(l, func(tk *task.Task) { turns(tk, 1) }))
	e.Close()
	for i, err := range errs {
		_, _ = fs[i].Wait(deadline(t)) // it was looked at
		if !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("waiter %d got %v", i, err)
		}
	}
}
