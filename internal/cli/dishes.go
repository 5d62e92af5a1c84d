package cli

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/task"
)

// dishwashing is what the command line of dishes says: a washer and dryers, over a queue of dishes that can be joined.
type dishwashing struct {
	workers   string
	dryers    int
	wash, dry time.Duration
	dishes    []string
}

// maxDryers is more than there can be dishes on a command line, or nearly.
const maxDryers = 10_000

func (p *program) dishes() *cobra.Command {
	d := dishwashing{workers: "task", dryers: 1, dishes: []string{"salad", "bread", "entree", "dessert"}}
	cmd := &cobra.Command{
		Use:   "dishes [options] [DISH ...]",
		Short: "Wash dishes and dry them: workers over a queue",
		Long: `Wash dishes and dry them: a washer puts each dish into a queue, from which the
dryers get it. It ends when every dish has been dried. Without names the dishes
are salad, bread, entree and dessert.

--workers task has the washer and the dryers on one event loop, as tasks;
goroutine has a goroutine for each, and promises no order.`,
		Example: `  rondo dishes
  rondo dishes --dryers 2 --wash 5 --dry 10
  rondo dishes --workers goroutine plate cup`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			for _, dish := range args {
				if strings.TrimSpace(dish) == "" {
					return wrong("A dish needs a name: one of the arguments is empty.")
				}
			}
			if len(args) > 0 {
				d.dishes = args
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.workers == "task" {
				return p.dishTasks(cmd.Context(), d)
			}
			return p.dishGoroutines(cmd.Context(), d)
		},
	}
	f := cmd.Flags()
	f.Var(whole{&d.dryers, 1, maxDryers}, "dryers", fmt.Sprintf("how many dryers, from 1 to %d", maxDryers))
	f.Var(choice{word: &d.workers, allowed: []string{"goroutine", "task"}, later: []string{"process", "redis"}}, "workers",
		"what the washer and the dryers are")
	f.Var(seconds{&d.wash}, "wash", "how long it takes to wash a dish, 0 or more (default 0)")
	f.Var(seconds{&d.dry}, "dry", "how long it takes to dry one, 0 or more (default 0)")
	return cmd
}

// dishTasks needs no lock, and is in order: a task goes on until it waits.
func (p *program) dishTasks(ctx context.Context, d dishwashing) error {
	work := func(t *task.Task, doing, dish string, takes time.Duration) error {
		if _, err := fmt.Fprintf(p.out, "%s %s dish\n", doing, dish); err != nil || takes == 0 {
			return err
		}
		return task.Sleep(t, takes)
	}
	washer := func(t *task.Task, dishes *queue.Queue[string]) error {
		for _, dish := range d.dishes {
			if err := work(t, "Washing", dish, d.wash); err != nil {
				return err
			}
			if err := dishes.Put(t, dish); err != nil {
				return err
			}
		}
		return nil
	}
	dryer := func(t *task.Task, dishes *queue.Queue[string]) error {
		for {
			dish, err := dishes.Get(t)
			if err != nil {
				return err
			}
			if err := work(t, "Drying", dish, d.dry); err != nil {
				return err
			}
			dishes.TaskDone()
		}
	}
	return onOneLoop(ctx, func(t *task.Task) error {
		dishes := queue.New[string](t.Loop(), queue.Unbounded)
		return task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			for range d.dryers {
				g.Go(func(t *task.Task) error { return dryer(t, dishes) })
			}
			if err := washer(t, dishes); err != nil {
				return err
			}
			if err := dishes.Join(t); err != nil {
				return err
			}
			g.Cancel(nil) // the dryers, who would wait for ever
			return nil
		})
	})
}

// dishGoroutines is the same with goroutines: the queue is on a loop, which they reach by its handle.
func (p *program) dishGoroutines(ctx context.Context, d dishwashing) error {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	var output sync.Mutex
	work := func(doing, dish string, takes time.Duration) error {
		output.Lock()
		_, err := fmt.Fprintf(p.out, "%s %s dish\n", doing, dish)
		output.Unlock()
		if err != nil || takes == 0 {
			return err
		}
		return pause(ctx, takes)
	}
	washer := func(dishes queue.Handle[string]) error {
		for _, dish := range d.dishes {
			if err := work("Washing", dish, d.wash); err != nil {
				return err
			}
			if err := dishes.Put(ctx, dish); err != nil {
				return err
			}
		}
		return dishes.Join(ctx)
	}
	dryer := func(dishes queue.Handle[string]) error {
		for {
			dish, err := dishes.Get(ctx)
			if err != nil {
				return err
			}
			if err := work("Drying", dish, d.dry); err != nil {
				return err
			}
			dishes.TaskDone()
		}
	}

	dishes := queue.New[string](e.Loop(), queue.Unbounded).Handle()
	var dryers sync.WaitGroup
	for range d.dryers {
		dryers.Go(func() { stop(dryer(dishes)) }) // one that fails ends the others; the first reason counts
	}
	err = washer(dishes)
	stop(nil) // the dryers, who would wait for ever
	dryers.Wait()
	return err
}

// pause blocks its goroutine for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-over.Done()
	return context.Cause(ctx) // nil if it is only the time that is over
}
