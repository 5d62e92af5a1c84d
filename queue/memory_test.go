package queue_test

import (
	"runtime"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// Two tasks pass items to each other without an allocation.
func TestAllocations(t *testing.T) {
	if rig.New(t, rondo.Config{}).Loop().Debug() {
		t.Skip("needs a build without the race detector, under which every call is checked, which allocates")
	}
	for name, make := range map[string]func(l *rondo.Loop) *queue.Queue[int]{
		"0":         func(l *rondo.Loop) *queue.Queue[int] { return queue.New[int](l, 0) },
		"1":         func(l *rondo.Loop) *queue.Queue[int] { return queue.New[int](l, 1) },
		"64":        func(l *rondo.Loop) *queue.Queue[int] { return queue.New[int](l, 64) },
		"LIFO":      func(l *rondo.Loop) *queue.Queue[int] { return queue.NewLIFO[int](l, 64) },
		"unbounded": func(l *rondo.Loop) *queue.Queue[int] { return queue.New[int](l, queue.Unbounded) },
		"priority": func(l *rondo.Loop) *queue.Queue[int] {
			return queue.NewPriority(l, 64, func(a, b int) bool { return a < b })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTask(t, func(tk *task.Task) {
				there, back := make(tk.Loop()), make(tk.Loop())
				task.Spawn(tk, func(tk *task.Task) (int, error) {
					for v, err := range there.All(tk) {
						if err != nil {
							return 0, err
						}
						if err := back.Put(tk, v); err != nil {
							return 0, err
						}
					}
					return 0, nil
				}).Ignore()
				pass := func() {
					for i := range 200 {
						_ = there.Put(tk, i)
						if v, err := back.Get(tk); v != i || err != nil {
							t.Errorf("got %d (%v)", v, err)
						}
					}
				}
				pass()
				if n := testing.AllocsPerRun(10, pass); n > 0 {
					t.Errorf("%v allocations for 200 items", n)
				}
				there.Close()
			})
		})
	}
}

// A burst does not keep its room, in any store.
func TestRoomIsGivenBack(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		for name, q := range map[string]*queue.Queue[int]{
			"ring": queue.New[int](tk.Loop(), queue.Unbounded),
			"heap": queue.NewPriority(tk.Loop(), queue.Unbounded, func(a, b int) bool { return a < b }),
		} {
			for i := range 20_000 {
				_ = q.TryPut(i)
			}
			for i := range 20_000 - 1 { // and one stays
				if v, err := q.TryGet(); v != i || err != nil {
					t.Errorf("%s: got %d (%v), want %d", name, v, err, i)
					return
				}
			}
			if q.Room() > 2048 {
				t.Errorf("%s: there is room for %d items left", name, q.Room())
			}
		}
	})
}

// What was got is not kept alive by the queue, nor what a Put that was cancelled would have put.
func TestItemsAreLetGo(t *testing.T) {
	type big struct{ _ [1 << 10]byte }
	const n = 30
	collected := make(chan int, n)
	made := 0
	item := func() *big {
		v := new(big)
		runtime.AddCleanup(v, func(i int) { collected <- i }, made)
		made++
		return v
	}
	inTask(t, func(tk *task.Task) {
		less := func(a, b *big) bool { return false }
		qs := []*queue.Queue[*big]{queue.New[*big](tk.Loop(), 4), queue.NewLIFO[*big](tk.Loop(), 4), queue.NewPriority(tk.Loop(), 4, less)}
		for _, q := range qs {
			for range 9 {
				f := task.Spawn(tk, func(tk *task.Task) (int, error) { return 0, q.Put(tk, item()) })
				f.Ignore()
				turns(tk, 1)
				f.Cancel(errEnough) // if it waits
			}
			for q.Len() > 0 {
				_, _ = q.TryGet()
			}
			f := task.Spawn(tk, func(tk *task.Task) (int, error) { _, err := q.Get(tk); return 0, err })
			turns(tk, 1)
			_ = q.TryPut(item())
			_, _ = task.Await(tk, f)
		}
		ctx := deadline(t)
		for range made {
			runtime.GC()
			select {
			case <-collected:
			case <-ctx.Done():
				t.Error("an item is kept")
				return
			}
		}
		runtime.KeepAlive(qs)
	})
}
