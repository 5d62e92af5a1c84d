package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// job has a rank, and a name that tells equal ones apart.
type job struct {
	rank int
	name string
}

func byRank(a, b job) bool { return a.rank < b.rank }

// Each kind has its order, which putting and getting in turns does not disturb.
func TestOrders(t *testing.T) {
	in := []job{{2, "a"}, {1, "b"}, {2, "c"}, {3, "d"}, {1, "e"}, {2, "f"}}
	tests := []struct {
		name string
		make func(l *rondo.Loop, capacity int) *queue.Queue[job]
		want string // all put, then all got
		pair string // two put, one got, and so on
	}{
		{"FIFO", queue.New[job], "abcdef", "abcdef"},
		{"LIFO", queue.NewLIFO[job], "fedcba", "bdfeca"},
		{"priority", func(l *rondo.Loop, n int) *queue.Queue[job] { return queue.NewPriority(l, n, byRank) }, "beacfd", "baecfd"},
	}
	for _, test := range tests {
		for _, capacity := range []int{len(in), queue.Unbounded} {
			t.Run(fmt.Sprintf("%s/%d", test.name, capacity), func(t *testing.T) {
				inTask(t, func(tk *task.Task) {
					q := test.make(tk.Loop(), capacity)
					get := func(to *strings.Builder) {
						j, err := q.Get(tk)
						if err != nil {
							t.Error(err)
						}
						to.WriteString(j.name)
					}
					var all, pair strings.Builder
					for _, j := range in {
						if err := q.Put(tk, j); err != nil {
							t.Error(err)
						}
					}
					for range in {
						get(&all)
					}
					for i, j := range in {
						if err := q.TryPut(j); err != nil {
							t.Error(err)
						}
						if i%2 == 1 {
							get(&pair)
						}
					}
					for q.Len() > 0 {
						get(&pair)
					}
					if all.String() != test.want || pair.String() != test.pair {
						t.Errorf("got %s and %s, want %s and %s", &all, &pair, test.want, test.pair)
					}
				})
			})
		}
	}
}

// Many items come out in order, also after the store has grown, gone round and shrunk.
func TestManyItems(t *testing.T) {
	const n = 4_000
	inTask(t, func(tk *task.Task) {
		fifo, lifo := queue.New[int](tk.Loop(), queue.Unbounded), queue.NewLIFO[int](tk.Loop(), queue.Unbounded)
		sorted := queue.NewPriority(tk.Loop(), queue.Unbounded, func(a, b int) bool { return a < b })
		for round := range 3 {
			for i := range 7 * round {
				_ = fifo.TryPut(i)
			}
			for range 7 * round {
				_, _ = fifo.TryGet()
			}
			for i := range n {
				_, _, _ = fifo.TryPut(i), lifo.TryPut(i), sorted.TryPut(i*7919%n)
			}
			for i := range n {
				a, errA := fifo.TryGet()
				b, errB := lifo.TryGet()
				c, errC := sorted.TryGet()
				if a != i || b != n-1-i || c != i || errors.Join(errA, errB, errC) != nil {
					t.Errorf("item %d: got %d, %d and %d (%v)", i, a, b, c, errors.Join(errA, errB, errC))
					return
				}
			}
		}
	})
}

// A queue holds as many items as it says, and then Put waits. A rendezvous holds none.
func TestBounds(t *testing.T) {
	for _, capacity := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(capacity), func(t *testing.T) {
			inTask(t, func(tk *task.Task) {
				q := queue.New[int](tk.Loop(), capacity)
				if q.Cap() != capacity {
					t.Errorf("Cap is %d", q.Cap())
				}
				for i := range capacity {
					if err := q.TryPut(i); err != nil {
						t.Errorf("item %d: %v", i, err)
					}
				}
				if err := q.TryPut(9); !errors.Is(err, queue.ErrFull) || q.Len() != capacity {
					t.Errorf("one too many: %v, Len is %d", err, q.Len())
				}
				put := task.Spawn(tk, func(tk *task.Task) (int, error) { return 0, q.Put(tk, capacity) })
				turns(tk, 3)
				if put.Done() || q.Len() != capacity {
					t.Errorf("Put did not wait; Len is %d", q.Len())
				}
				for i := range capacity + 1 {
					if v, err := q.TryGet(); v != i || err != nil {
						t.Errorf("got %d (%v), want %d", v, err, i)
					}
				}
				if _, err := task.Await(tk, put); err != nil {
					t.Error(err)
				}
				if _, err := q.TryGet(); !errors.Is(err, queue.ErrEmpty) {
					t.Errorf("an empty queue gave %v", err)
				}
			})
		})
	}
}

// Those who wait are served in the order in which they came, in every kind of queue, and nobody overtakes them.
func TestFairness(t *testing.T) {
	for name, make := range map[string]func(l *rondo.Loop, capacity int) *queue.Queue[int]{
		"FIFO": queue.New[int], "LIFO": queue.NewLIFO[int],
	} {
		t.Run(name, func(t *testing.T) {
			inTask(t, func(tk *task.Task) {
				q := make(tk.Loop(), 1)
				var got [3]int
				var order []int
				for i := range got {
					task.Spawn(tk, func(tk *task.Task) (int, error) {
						var err error
						got[i], err = q.Get(tk)
						order = append(order, i)
						return 0, err
					}).Ignore()
				}
				turns(tk, 1)
				for i := range got {
					if err := q.TryPut(i + 1); err != nil { // the first three are spoken for, so there is room
						t.Error(err)
					}
				}
				if v, err := q.TryGet(); !errors.Is(err, queue.ErrEmpty) {
					t.Errorf("TryGet has overtaken, and got %d (%v)", v, err)
				}
				turns(tk, 2)
				if got != [3]int{1, 2, 3} || !slices.Equal(order, []int{0, 1, 2}) {
					t.Errorf("got %v in the order %v", got, order)
				}

				order = nil
				_ = q.TryPut(0)
				for i := range 3 {
					task.Spawn(tk, func(tk *task.Task) (int, error) {
						err := q.Put(tk, i+1)
						order = append(order, i)
						return 0, err
					}).Ignore()
				}
				turns(tk, 1)
				for i := range 4 {
					if v, err := q.TryGet(); v != i || err != nil {
						t.Errorf("got %d (%v), want %d", v, err, i)
					}
					if i < 3 {
						if err := q.TryPut(9); !errors.Is(err, queue.ErrFull) {
							t.Errorf("TryPut has overtaken: %v", err)
						}
					}
				}
				turns(tk, 2)
				if !slices.Equal(order, []int{0, 1, 2}) {
					t.Errorf("room was given in the order %v", order)
				}
			})
		})
	}
}

// What makes no sense is refused with a sentence.
func TestMisuse(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	a, b := e.Loops()[0], e.Loops()[1]
	for name, test := range map[string]struct {
		call func(tk *task.Task)
		want string
	}{
		"capacity": {func(*task.Task) { queue.New[int](a, -2) }, "cannot be -2"},
		"no order": {func(*task.Task) { queue.NewPriority[int](a, 1, nil) }, "compares two items"},
		"TaskDone": {func(*task.Task) {
			q := queue.New[int](a, 1)
			_ = q.TryPut(1) // put is not got
			q.TaskDone()
		}, "more often than items were got"},
		"other loop": {func(tk *task.Task) { _ = queue.New[int](b, 1).Put(tk, 1) }, "queue"},
	} {
		t.Run(name, func(t *testing.T) {
			said := rig.Result(t, task.Go(a, func(tk *task.Task) (said string, _ error) {
				defer func() { said = fmt.Sprint(recover()) }()
				test.call(tk)
				return "", nil
			}))
			if !strings.Contains(said, test.want) {
				t.Errorf("it said %q, want something with %q", said, test.want)
			}
		})
	}
}

// Lists of tasks say what of which queue is waited for.
func TestListed(t *testing.T) {
	inTask(t, func(tk *task.Task) {
		full, empty := queue.New[int](tk.Loop(), 1), queue.New[int](tk.Loop(), 1)
		empty.SetName("jobs")
		_ = full.TryPut(1)
		fs := []*rondo.Future[int]{
			task.Spawn(tk, func(tk *task.Task) (int, error) { return empty.Get(tk) }),
			task.Spawn(tk, func(tk *task.Task) (int, error) { return 0, full.Put(tk, 2) }),
			task.Spawn(tk, func(tk *task.Task) (int, error) { return 0, full.Join(tk) }),
		}
		turns(tk, 1)
		infos, err := task.Await(tk, task.List(tk.Loop()))
		if err != nil {
			t.Error(err)
		}
		var waits []string
		for _, i := range infos {
			waits = append(waits, i.Awaits)
		}
		for _, want := range []string{"an item of queue jobs", "room in a queue", "the end of all items of a queue"} {
			if !slices.Contains(waits, want) {
				t.Errorf("nobody waits for %q: %q", want, waits)
			}
		}
		for _, f := range fs {
			f.Cancel(errEnough)
		}
	})
}
