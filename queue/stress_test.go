package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// item is one of a producer's.
type item struct{ producer, number int }

// tally is what consumers have got. Any goroutine may use it.
type tally struct {
	mu   sync.Mutex
	got  map[item]int
	last []map[int]int // by consumer and producer
	bad  []string
}

func newTally(consumers int) *tally {
	t := &tally{got: map[item]int{}}
	for range consumers {
		t.last = append(t.last, map[int]int{})
	}
	return t
}

func (t *tally) add(consumer int, i item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.got[i]++
	if before, ok := t.last[consumer][i.producer]; ok && before > i.number {
		t.bad = append(t.bad, fmt.Sprintf("consumer %d got %v after %d", consumer, i, before))
	}
	t.last[consumer][i.producer] = i.number
}

// Tasks of the loop, tasks of another and goroutines put and get, and are cancelled as they wait: what Put says was put is got once, in each
// producer's order, and nothing else is.
func TestNothingLost(t *testing.T) {
	for _, capacity := range []int{0, 1, 5, queue.Unbounded} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) { stress(t, capacity) })
	}
}

const (
	ofEach   = 3   // producers, and consumers: tasks of the loop, tasks of another, goroutines
	perMaker = 400 // items of each producer
)

func stress(t *testing.T, capacity int) {
	e := rig.New(t, rondo.Config{Loops: 2})
	here, there := e.Loops()[0], e.Loops()[1]
	q := queue.New[item](here, capacity)
	h := q.Handle()
	ctx := deadline(t)
	sum := newTally(3 * ofEach)
	var put [3 * ofEach][]item // that Put has taken
	var makers, takers sync.WaitGroup

	// each runs a producer's or consumer's calls. A call gets a task, or a context that may end at any moment.
	each := func(wg *sync.WaitGroup, i int, calls func(do func(call func(tk *task.Task, ctx context.Context) error) error)) {
		wg.Add(1)
		if i%3 == 0 { // a goroutine
			go func() {
				defer wg.Done()
				calls(func(call func(*task.Task, context.Context) error) error {
					brief, cancel := context.WithCancelCause(ctx)
					defer cancel(nil)
					if rand.IntN(2) == 0 {
						go func() {
							for range rand.IntN(20) {
								runtime.Gosched()
							}
							cancel(errEnough)
						}()
					}
					return call(nil, brief)
				})
			}()
			return
		}
		l := here
		if i%3 == 1 {
			l = there
		}
		run(l, func(tk *task.Task) {
			defer wg.Done()
			calls(func(call func(*task.Task, context.Context) error) error {
				// Each call is a task of its own, so that it can be cancelled at any moment.
				f := task.Spawn(tk, func(tk *task.Task) (struct{}, error) { return struct{}{}, call(tk, nil) })
				if rand.IntN(2) == 0 {
					turns(tk, rand.IntN(4))
					f.Cancel(errEnough)
				}
				_, err := task.Await(tk, task.Spawn(tk, func(tk *task.Task) (struct{}, error) { return task.Shield(tk, f) }))
				return err
			})
		})
	}
	for i := range 3 * ofEach {
		each(&makers, i, func(do func(func(*task.Task, context.Context) error) error) {
			for n := range perMaker {
				v := item{i, n}
				err := do(func(tk *task.Task, ctx context.Context) error {
					var err error
					switch {
					case tk == nil:
						err = h.Put(ctx, v)
					default:
						err = h.PutFrom(tk, v)
					}
					if err == nil {
						put[i] = append(put[i], v)
					}
					return err
				})
				if err != nil && !errors.Is(err, errEnough) {
					t.Errorf("Put: %v", err)
					return
				}
			}
		})
		each(&takers, i, func(do func(func(*task.Task, context.Context) error) error) {
			for {
				err := do(func(tk *task.Task, ctx context.Context) error {
					var v item
					var err error
					if tk == nil {
						v, err = h.Get(ctx)
					} else {
						v, err = h.GetFrom(tk)
					}
					if err == nil {
						sum.add(i, v)
					}
					return err
				})
				if errors.Is(err, queue.ErrClosed) {
					return
				}
				if err != nil && !errors.Is(err, errEnough) {
					t.Errorf("Get: %v", err)
					return
				}
			}
		})
	}
	makers.Wait()
	h.Close()
	takers.Wait()

	n := 0
	for _, items := range put {
		n += len(items)
		for _, v := range items {
			if sum.got[v] != 1 {
				t.Errorf("%v was put once and got %d times", v, sum.got[v])
			}
		}
	}
	if len(sum.got) != n {
		t.Errorf("%d items were put and %d got", n, len(sum.got))
	}
	for _, bad := range sum.bad {
		t.Error(bad)
	}
	if n == 0 || n == 3*ofEach*perMaker {
		t.Errorf("%d of %d items were put: the test has cancelled all or none", n, 3*ofEach*perMaker)
	}
}

// Blocking work on goroutines, and a context that ends as the item comes, a thousand times: either the call has it or the queue.
func TestServedAsContextEnds(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	q := queue.New[int](e.Loop(), 1)
	h := q.Handle()
	var kept, given int
	for i := range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		putErr := make(chan error, 1)
		go func() { putErr <- h.TryPut(i) }()
		v, err := h.Get(ctx)
		if failed := <-putErr; failed != nil {
			t.Fatal(failed)
		}
		switch {
		case err == nil:
			given++
		case errors.Is(err, context.Canceled):
			kept++
			if v, err = h.TryGet(); err != nil {
				t.Fatalf("item %d is lost: %v", i, err)
			}
		default:
			t.Fatal(err)
		}
		if n, err := h.Len(); v != i || n != 0 || err != nil {
			t.Fatalf("got %d, want %d; %d are left (%v)", v, i, n, err)
		}
	}
	t.Logf("%d were given to a call whose context ended, %d kept", given, kept)
}

// Other loops' blocking work can use a handle as any goroutine can.
func TestFromBlockingWork(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	h := queue.New[int](e.Loops()[0], 0).Handle()
	put := rondo.Run(e.Loops()[1], func(ctx context.Context) (int, error) { return 0, h.Put(ctx, 7) })
	get := rondo.Run(e.Loops()[1], func(ctx context.Context) (int, error) { return h.Get(ctx) })
	if v := rig.Result(t, get); v != 7 {
		t.Errorf("got %d", v)
	}
	rig.Result(t, put)
}
