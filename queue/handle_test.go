package queue_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// parked waits until so many calls stand in the lines of q.
func parked[T any](t *testing.T, q *queue.Queue[T], n int) {
	t.Helper()
	ctx := deadline(t)
	for {
		waiting := make(chan int, 1)
		q.Handle().Post(func() { waiting <- q.Waiting() })
		select {
		case w := <-waiting:
			if w == n {
				return
			}
		case <-ctx.Done():
			t.Fatalf("%d calls do not wait", n)
		}
	}
}

// A handle does from a goroutine what a queue does in a task.
func TestHandle(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ctx := deadline(t)
	q := queue.New[int](e.Loop(), 2)
	h := q.Handle()
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	check("Put", h.Put(ctx, 1), nil)
	check("TryPut", h.TryPut(2), nil)
	check("TryPut to a full queue", h.TryPut(3), queue.ErrFull)
	if n, err := h.Len(); n != 2 || err != nil {
		t.Errorf("Len is %d (%v)", n, err)
	}
	put := make(chan error, 1)
	go func() { put <- h.Put(ctx, 3) }()
	parked(t, q, 1)
	for i := 1; i <= 3; i++ {
		if v, err := h.Get(ctx); v != i || err != nil {
			t.Errorf("got %d (%v), want %d", v, err, i)
		}
	}
	check("the waiting Put", <-put, nil)
	_, err := h.TryGet()
	check("TryGet", err, queue.ErrEmpty)

	join := make(chan error, 1)
	go func() { join <- h.Join(ctx) }()
	parked(t, q, 1)
	h.TaskDone()
	h.TaskDone()
	parked(t, q, 1)
	h.TaskDone()
	check("Join", <-join, nil)

	get := make(chan error, 1)
	go func() { _, err := h.Get(ctx); get <- err }()
	parked(t, q, 1)
	h.Close()
	check("the waiting Get", <-get, queue.ErrClosed)
	check("Put to a closed queue", h.Put(ctx, 1), queue.ErrClosed)
}

// A context that ends withdraws the call; one that has ended does not begin it.
func TestHandleContext(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	q := queue.New[int](e.Loop(), 1)
	h := q.Handle()
	over, end := context.WithCancelCause(t.Context())
	end(errEnough)
	if err := h.Put(over, 1); !errors.Is(err, errEnough) {
		t.Errorf("Put returned %v", err)
	}
	if v, err := h.Get(over); !errors.Is(err, errEnough) {
		t.Errorf("Get returned %d, %v", v, err)
	}
	for name, call := range map[string]func(ctx context.Context) error{
		"Get":  func(ctx context.Context) error { _, err := h.Get(ctx); return err },
		"Put":  func(ctx context.Context) error { return h.Put(ctx, 2) },
		"Join": h.Join,
	} {
		if name == "Get" {
			_, _ = h.TryGet()
		} else {
			_ = h.TryPut(1)
		}
		ctx, end := context.WithCancelCause(t.Context())
		errs := make(chan error, 1)
		go func() { errs <- call(ctx) }()
		parked(t, q, 1)
		end(errEnough)
		if err := <-errs; !errors.Is(err, errEnough) {
			t.Errorf("%s returned %v", name, err)
		}
		parked(t, q, 0)
	}
}

// A handle's call on the queue's own loop would wait for itself, and does not.
func TestHandleOnLoop(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		q := queue.New[int](tk.Loop(), 1)
		h := q.Handle()
		_, get := h.Get(tk)
		_, try := h.TryGet()
		_, length := h.Len()
		for _, err := range []error{h.Put(tk, 1), h.TryPut(2), get, try, h.Join(tk), length} {
			if !errors.Is(err, rondo.ErrOnLoop) {
				t.Errorf("got %v, want ErrOnLoop", err)
			}
		}
		turns(tk, 5)
		if q.Len() != 0 || q.Waiting() != 0 {
			t.Errorf("%d items and %d calls are there all the same", q.Len(), q.Waiting())
		}
		h.Close() // which does not wait
		turns(tk, 5)
		if err := h.PutFrom(tk, 1); !errors.Is(err, queue.ErrClosed) {
			t.Errorf("PutFrom returned %v", err)
		}
	})
}

// The end of the engine ends the calls of goroutines.
func TestHandleEngineCloses(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	q := queue.New[int](e.Loop(), 0)
	h := q.Handle()
	errs := make(chan error, 3)
	go func() { _, err := h.Get(context.Background()); errs <- err }() //nolint:usetesting // which does not end
	go func() { _, err := h.Get(deadline(t)); errs <- err }()
	parked(t, q, 2)
	e.Close()
	go func() { errs <- h.Put(deadline(t), 1) }()
	for range 3 {
		if err := <-errs; !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("got %v", err)
		}
	}
	h.Close()
	h.TaskDone()
}

// Tasks of other loops, and of other engines, use a handle too.
func TestHandleFromTasks(t *testing.T) {
	for _, where := range []string{"loop", "engine"} {
		t.Run(where, func(t *testing.T) {
			e := rig.New(t, rondo.Config{Loops: 2})
			here, there := e.Loops()[0], e.Loops()[1]
			if where == "engine" {
				there = rig.New(t, rondo.Config{}).Loop()
			}
			q := queue.New[int](here, 1)
			h := q.Handle()
			get := func(tk *task.Task) (int, error) { return h.GetFrom(tk) }

			f := task.Go(there, get)
			parked(t, q, 1)
			put := task.Go(there, func(tk *task.Task) (int, error) { return 0, h.PutFrom(tk, 7) })
			if v := rig.Result(t, f); v != 7 {
				t.Errorf("got %d", v)
			}
			rig.Result(t, put)

			// One that is cancelled leaves the line, is told once, and can go on to clean up.
			var then, again error
			f = task.Go(there, func(tk *task.Task) (int, error) {
				_, err := h.GetFrom(tk)
				then = tk.Checkpoint()
				again = h.PutFrom(tk, 8)
				return 0, err
			})
			parked(t, q, 1)
			there.Post(func() { f.Cancel(errEnough) })
			if _, err := f.Wait(deadline(t)); !errors.Is(err, errEnough) || then != nil || again != nil {
				t.Errorf("got %v, then %v and %v", err, then, again)
			}
			parked(t, q, 0)
			if v, err := h.TryGet(); v != 8 || err != nil {
				t.Errorf("got %d (%v)", v, err)
			}

			// The end of either engine ends the wait.
			f = task.Go(there, get)
			parked(t, q, 1)
			e.Close()
			if _, err := f.Wait(deadline(t)); !errors.Is(err, rondo.ErrEngineClosed) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A task that is cancelled as a whole while the other loop has yet to withdraw the call for a timeout hears of it.
func TestHandleFromTimedOutThenCancelled(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	here, there := e.Loops()[0], e.Loops()[1]
	q := queue.New[int](here, 1)
	var self *task.Task
	var got, next error
	timedOut, cancelled := make(chan struct{}), make(chan struct{})
	here.Post(func() { <-cancelled })
	f := run(there, func(tk *task.Task) {
		self = tk
		got = task.WithTimeout(tk, time.Millisecond, func(tk *task.Task) error {
			context.AfterFunc(tk, func() { close(timedOut) })
			_, err := q.Handle().GetFrom(tk)
			return err
		})
		next = task.Yield(tk)
	})
	<-timedOut
	there.Post(func() {
		self.Cancel(errEnough)
		close(cancelled)
	})
	rig.Result(t, f)
	if !errors.Is(got, errEnough) || next != nil {
		t.Errorf("got %v, then %v", got, next)
	}
}

// Lists say which queue of another loop a task waits for.
func TestHandleFromIsNamed(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	here, there := e.Loops()[0], e.Loops()[1]
	q := queue.New[int](here, 0)
	named := make(chan struct{})
	here.Post(func() {
		q.SetName("jobs")
		close(named)
	})
	<-named
	for want, fn := range map[string]func(tk *task.Task) error{
		"an item of queue jobs": func(tk *task.Task) error { _, err := q.Handle().GetFrom(tk); return err },
		"room in queue jobs":    func(tk *task.Task) error { return q.Handle().PutFrom(tk, 1) },
	} {
		f := task.Go(there, func(tk *task.Task) (int, error) { return 0, fn(tk) })
		parked(t, q, 1)
		for _, i := range rig.Result(t, task.List(there)) {
			if i.Awaits != want {
				t.Errorf("it waits for %q, want %q", i.Awaits, want)
			}
		}
		there.Post(func() { f.Cancel(errEnough) })
		if _, err := f.Wait(deadline(t)); !errors.Is(err, errEnough) {
			t.Errorf("waiting for %s: %v", want, err)
		}
	}
}

// The call of a task whose own engine ends does not stay behind, to take an item that nobody gets.
func TestHandleOtherEngineCloses(t *testing.T) {
	for _, cleansUp := range []bool{false, true} {
		other := rig.New(t, rondo.Config{})
		q := queue.New[int](rig.New(t, rondo.Config{}).Loop(), 1)
		f := task.Go(other.Loop(), func(tk *task.Task) (int, error) {
			if cleansUp {
				tk.Cancel(errEnough)
				_ = tk.Checkpoint()
			}
			return q.Handle().GetFrom(tk)
		})
		parked(t, q, 1)
		other.Close()
		if _, err := f.Wait(deadline(t)); !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("got %v", err)
		}
		parked(t, q, 0)
	}
}

// What one goroutine puts arrives in its order, and what it does after Close finds the queue closed.
func TestHandleOrder(t *testing.T) {
	q := queue.New[int](rig.New(t, rondo.Config{}).Loop(), queue.Unbounded)
	h := q.Handle()
	var want []int
	for i := range 100 {
		want = append(want, i)
		if err := h.Put(deadline(t), i); err != nil {
			t.Fatal(err)
		}
	}
	h.Close()
	if err := h.TryPut(1); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("TryPut after Close: %v", err)
	}
	var got []int
	for {
		v, err := h.Get(deadline(t))
		if err != nil {
			break
		}
		got = append(got, v)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// A goroutine ranges over the items until the queue is closed and empty; the end of its context is an error in the last round.
func TestHandleAll(t *testing.T) {
	errGiveUp := errors.New("enough")
	e := rig.New(t, rondo.Config{})
	h := queue.New[int](e.Loops()[0], 3).Handle()
	for i := range 3 {
		if err := h.Put(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	want := 0
	for v, err := range h.All(ctx) {
		switch {
		case want == 3:
			if !errors.Is(err, errGiveUp) {
				t.Errorf("the last round has %d, %v", v, err)
			}
			continue
		case err != nil || v != want:
			t.Errorf("got %d, %v, want %d", v, err, want)
		}
		if want++; want == 3 {
			cancel(errGiveUp)
		}
	}
	if err := h.Put(t.Context(), 9); err != nil {
		t.Fatal(err)
	}
	h.Close()
	for v, err := range h.All(t.Context()) {
		if err != nil || v != 9 {
			t.Errorf("after Close: %d, %v", v, err)
		}
	}
}
