package queue_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// An item goes from one to another: between tasks by a queue, between goroutines by a channel of the same capacity, and from a
// goroutine to a task by a queue's handle.
func BenchmarkQueue(b *testing.B) {
	capacities := []int{0, 1, 64}
	for _, capacity := range capacities {
		b.Run(fmt.Sprintf("task/cap=%d", capacity), func(b *testing.B) { benchTasks(b, capacity) })
		b.Run(fmt.Sprintf("channel/cap=%d", capacity), func(b *testing.B) { benchChannel(b, capacity) })
	}
	for _, capacity := range capacities {
		b.Run(fmt.Sprintf("handle/cap=%d", capacity), func(b *testing.B) { benchHandle(b, capacity) })
	}
	b.Run("task/priority", func(b *testing.B) {
		benchQueue(b, func(l *rondo.Loop) *queue.Queue[int] {
			return queue.NewPriority(l, 64, func(a, b int) bool { return a < b })
		})
	})
	b.Run("task/try", benchTry)
}

func benchTasks(b *testing.B, capacity int) {
	benchQueue(b, func(l *rondo.Loop) *queue.Queue[int] { return queue.New[int](l, capacity) })
}

func benchQueue(b *testing.B, make func(*rondo.Loop) *queue.Queue[int]) {
	b.ReportAllocs()
	inTask(b, func(t *task.Task) {
		q := make(t.Loop())
		n := b.N
		sum := task.Spawn(t, func(t *task.Task) (int, error) {
			sum := 0
			for range n {
				v, err := q.Get(t)
				if err != nil {
					return sum, err
				}
				sum += v
			}
			return sum, nil
		})
		b.ResetTimer()
		for range n {
			if err := q.Put(t, 1); err != nil {
				b.Error(err)
				return
			}
		}
		if got, err := task.Await(t, sum); got != n || err != nil {
			b.Errorf("got %d items of %d (%v)", got, n, err)
		}
	})
}

func benchChannel(b *testing.B, capacity int) {
	b.ReportAllocs()
	ch, sum := make(chan int, capacity), make(chan int)
	n := b.N
	go func() {
		s := 0
		for range n {
			s += <-ch
		}
		sum <- s
	}()
	b.ResetTimer()
	for range n {
		ch <- 1
	}
	if got := <-sum; got != n {
		b.Errorf("got %d items of %d", got, n)
	}
}

func benchHandle(b *testing.B, capacity int) {
	b.ReportAllocs()
	inTask(b, func(t *task.Task) {
		q := queue.New[int](t.Loop(), capacity)
		h, n := q.Handle(), b.N
		put := rondo.Run(t.Loop(), func(ctx context.Context) (int, error) {
			for range n {
				if err := h.Put(ctx, 1); err != nil {
					return 0, err
				}
			}
			return n, nil
		})
		b.ResetTimer()
		for range n {
			if _, err := q.Get(t); err != nil {
				b.Error(err)
				return
			}
		}
		if _, err := task.Await(t, put); err != nil {
			b.Error(err)
		}
	})
}

func benchTry(b *testing.B) {
	b.ReportAllocs()
	inTask(b, func(t *task.Task) {
		q := queue.New[int](t.Loop(), 64)
		for b.Loop() {
			if q.TryPut(1) != nil {
				b.Error("full")
			}
			if _, err := q.TryGet(); err != nil {
				b.Error(err)
			}
		}
	})
}
