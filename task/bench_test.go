package task_test

import (
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// inTask runs fn in a task of an engine of its own.
func inTask(b *testing.B, fn func(t *task.Task)) {
	b.Helper()
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	_, err = task.Go(e.Loop(), func(t *task.Task) (struct{}, error) { fn(t); return struct{}{}, nil }).Wait(b.Context())
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAwaitReady(b *testing.B) {
	b.ReportAllocs()
	inTask(b, func(t *task.Task) {
		f := rondo.Resolved(t.Loop(), 1)
		for b.Loop() {
			task.Await(t, f)
		}
	})
}

func BenchmarkSwitch(b *testing.B) {
	b.Run("task", func(b *testing.B) {
		b.ReportAllocs()
		inTask(b, func(t *task.Task) {
			done := false
			other := task.Spawn(t, func(t *task.Task) (int, error) {
				for !done {
					task.Yield(t)
				}
				return 0, nil
			})
			for b.Loop() {
				task.Yield(t)
			}
			done = true
			task.Await(t, other)
		})
	})
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		x, y := make(chan int), make(chan int)
		go func() {
			for v := range x {
				y <- v
			}
		}()
		for b.Loop() {
			x <- 1
			<-y
		}
		close(x)
	})
}

func BenchmarkStartEnd(b *testing.B) {
	fn := func(t *task.Task) (int, error) { return 1, nil }
	b.Run("task", func(b *testing.B) {
		b.ReportAllocs()
		inTask(b, func(t *task.Task) {
			for b.Loop() {
				task.Await(t, task.Spawn(t, fn))
			}
		})
	})
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		ch := make(chan int, 1)
		for b.Loop() {
			go func() { ch <- 1 }()
			<-ch
		}
	})
}

func BenchmarkParked(b *testing.B) {
	const n = 100_000
	memory := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	for range b.N {
		inTask(b, func(t *task.Task) {
			p := rondo.NewPromise[int](t.Loop())
			before := memory()
			fs := make([]*rondo.Future[int], 0, n)
			for range n {
				fs = append(fs, task.Spawn(t, func(t *task.Task) (int, error) { return task.Await(t, p.Future()) }))
			}
			for range 200 {
				task.Yield(t)
			}
			b.ReportMetric(float64(memory()-before)/n, "B/task")
			p.ResolveOnLoop(1)
			for _, f := range fs {
				if v, err := task.Await(t, f); v != 1 || err != nil {
					b.Fatal(v, err)
				}
			}
		})
	}
}

// A lock that another task holds: it is handed over at each Unlock.
func BenchmarkLock(b *testing.B) {
	b.Run("free/task", func(b *testing.B) {
		b.ReportAllocs()
		inTask(b, func(t *task.Task) {
			var l task.Lock
			for b.Loop() {
				_ = l.Lock(t)
				l.Unlock()
			}
		})
	})
	b.Run("free/sync", func(b *testing.B) {
		var l sync.Mutex
		for b.Loop() {
			l.Lock()
			l.Unlock() //nolint:staticcheck // that is what is measured
		}
	})
	b.Run("contended/task", func(b *testing.B) {
		b.ReportAllocs()
		inTask(b, func(t *task.Task) {
			var l task.Lock
			done := false
			_ = l.Lock(t)
			other := task.Spawn(t, func(t *task.Task) (int, error) {
				for _ = l.Lock(t); !done; _ = l.Lock(t) {
					l.Unlock()
				}
				l.Unlock()
				return 0, nil
			})
			task.Yield(t)
			for b.Loop() {
				l.Unlock() // to the other, which gives it back
				_ = l.Lock(t)
			}
			done = true
			l.Unlock()
			task.Await(t, other)
		})
	})
	b.Run("contended/sync", func(b *testing.B) {
		var l sync.Mutex
		var done atomic.Bool
		ended := make(chan struct{})
		once := func() {
			l.Lock()
			runtime.Gosched()
			l.Unlock()
		}
		go func() {
			defer close(ended)
			for !done.Load() {
				once()
			}
		}()
		for b.Loop() {
			once()
		}
		done.Store(true)
		<-ended
	})
}

// A semaphore of one against a channel of one.
func BenchmarkSemaphore(b *testing.B) {
	b.Run("task", func(b *testing.B) {
		b.ReportAllocs()
		inTask(b, func(t *task.Task) {
			s := task.NewSemaphore(1)
			for b.Loop() {
				_ = s.Acquire(t, 1)
				s.Release(1)
			}
		})
	})
	b.Run("channel", func(b *testing.B) {
		s := make(chan struct{}, 1)
		for b.Loop() {
			s <- struct{}{}
			<-s
		}
	})
}

// A task that goes on after many others finds nothing of its own in the processor's caches. Beside it, what the bare coroutine takes then.
func BenchmarkResume(b *testing.B) {
	for _, n := range []int{1, 1000, 10_000} {
		b.Run(fmt.Sprintf("task/%d", n), func(b *testing.B) {
			e, err := rondo.New(rondo.Config{Loops: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			l := e.Loop()
			all := make([]*task.Task, 0, n)
			ready, over := make(chan struct{}), make(chan struct{})
			l.Post(func() {
				for range n {
					task.Start(l, func(t *task.Task) (int, error) {
						if all = append(all, t); len(all) == n {
							close(ready)
						}
						for t.Park(ignorant{}) == nil {
						}
						return 0, nil
					})
				}
			})
			<-ready
			b.ResetTimer()
			l.Post(func() {
				for i := range b.N {
					all[i%n].Resume()
				}
				close(over)
			})
			<-over
		})
		b.Run(fmt.Sprintf("iter.Pull/%d", n), func(b *testing.B) {
			all := make([]func() (struct{}, bool), n)
			for i := range all {
				next, stop := iter.Pull(func(yield func(struct{}) bool) {
					for yield(struct{}{}) {
					}
				})
				defer stop()
				all[i] = next
				next()
			}
			b.ResetTimer()
			for i := range b.N {
				all[i%n]()
			}
		})
	}
}
