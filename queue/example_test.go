package queue_test

import (
	"context"
	"fmt"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// Two tasks, of which one makes what the other uses.
func Example() {
	total, err := task.Run(func(t *task.Task) (int, error) {
		q := queue.New[int](t.Loop(), 2)
		task.Spawn(t, func(t *task.Task) (int, error) {
			defer q.Close()
			for i := range 5 {
				if err := q.Put(t, i); err != nil {
					return 0, err
				}
			}
			return 5, nil
		})
		total := 0
		for v, err := range q.All(t) {
			if err != nil {
				return 0, err
			}
			total += v
		}
		return total, nil
	})
	fmt.Println(total, err)
	// Output: 10 <nil>
}

func ExampleNewPriority() {
	_, err := task.Run(func(t *task.Task) (int, error) {
		q := queue.NewPriority(t.Loop(), queue.Unbounded, func(a, b string) bool { return len(a) < len(b) })
		for _, word := range []string{"three", "is", "a", "word", "or"} {
			if err := q.Put(t, word); err != nil {
				return 0, err
			}
		}
		q.Close()
		for word, err := range q.All(t) {
			if err != nil {
				return 0, err
			}
			fmt.Println(word)
		}
		return 0, nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// a
	// is
	// or
	// word
	// three
}

// Workers share the work, and Join waits until all of it is done.
func ExampleQueue_Join() {
	_, err := task.Run(func(t *task.Task) (int, error) {
		q := queue.New[int](t.Loop(), 10)
		done := 0
		for range 3 {
			task.Spawn(t, func(t *task.Task) (int, error) {
				for _, err := range q.All(t) {
					if err != nil {
						return 0, err
					}
					done++
					q.TaskDone()
				}
				return 0, nil
			})
		}
		for i := range 20 {
			if err := q.Put(t, i); err != nil {
				return 0, err
			}
		}
		err := q.Join(t)
		fmt.Println(done, "done")
		q.Close() // the workers end
		return 0, err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 20 done
}

// A goroutine hands its items to a task.
func ExampleHandle() {
	word, err := task.Run(func(t *task.Task) (string, error) {
		q := queue.New[string](t.Loop(), 0)
		h := q.Handle()
		sent := rondo.Run(t.Loop(), func(ctx context.Context) (int, error) { return 0, h.Put(ctx, "hello") })
		word, err := q.Get(t)
		if err != nil {
			return "", err
		}
		_, err = task.Await(t, sent)
		return word, err
	})
	fmt.Println(word, err)
	// Output: hello <nil>
}
