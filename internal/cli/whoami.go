package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/goid"
	"github.com/rondo-go/rondo/task"
)

// introduction is what the command line of whoami says.
type introduction struct {
	workers string
	n       int
}

// maxIntroduced is the most workers that introduce themselves: nobody reads more lines.
const maxIntroduced = 10_000

func (p *program) whoami() *cobra.Command {
	i := introduction{workers: "goroutine", n: 4}
	cmd := &cobra.Command{
		Use:   "whoami [options] [N]",
		Short: "Hear who runs: the main program, and N workers",
		Long: fmt.Sprintf(`Hear who runs: the main program and N workers (from 0 to %d, 4 unless told
otherwise) each say who they are and what they do. With --workers goroutine the
numbers are those of Go's goroutines; task has tasks of one event loop, which
count from 1.`, maxIntroduced),
		Example: `  rondo whoami
  rondo whoami --workers task 10`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if len(args) > 1 {
				return wrong("The argument %q is one too many: give the number of workers, or nothing.", args[1])
			}
			n, err := wholeNumber(args[0], 0, maxIntroduced)
			if err != nil {
				return wrong("N: %v", err)
			}
			i.n = n
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if i.workers == "task" {
				return p.whoTasks(cmd.Context(), i.n)
			}
			return p.whoGoroutines(cmd.Context(), i.n)
		},
	}
	cmd.Flags().Var(choice{word: &i.workers, allowed: []string{"goroutine", "task"}, later: []string{"process"}}, "workers",
		"what the workers are")
	return cmd
}

// whoGoroutines has each worker end before the next begins: Go promises no order otherwise.
func (p *program) whoGoroutines(ctx context.Context, n int) error {
	whoami := func(name, what string) error {
		_, err := fmt.Fprintf(p.out, "Goroutine %d (%s) says: %s\n", goid.Get(), name, what)
		return err
	}
	if err := whoami("main", "I'm the main program"); err != nil {
		return err
	}
	for i := range n {
		said := make(chan error)
		go func() { said <- whoami(fmt.Sprintf("function-%d", i), fmt.Sprintf("I'm function %d", i)) }()
		if err := <-said; err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// whoTasks has the workers begin in the order in which they are started, as tasks do.
func (p *program) whoTasks(ctx context.Context, n int) error {
	whoami := func(t *task.Task, what string) error {
		_, err := fmt.Fprintf(p.out, "Task %d (%s) says: %s\n", t.ID(), t.Name(), what)
		return err
	}
	return onOneLoop(ctx, func(t *task.Task) error {
		t.SetName("main")
		if err := whoami(t, "I'm the main program"); err != nil {
			return err
		}
		return task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
			for i := range n {
				g.Go(func(t *task.Task) error {
					t.SetName(fmt.Sprintf("function-%d", i))
					return whoami(t, fmt.Sprintf("I'm function %d", i))
				})
			}
			return nil
		})
	})
}

// onOneLoop runs a task, and those that it starts, on an engine of their own, until ctx ends. (task.Run has signals of its own.)
func onOneLoop(ctx context.Context, fn func(t *task.Task) error) error {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	_, err = task.GoContext(ctx, e.Loop(), func(t *task.Task) (none struct{}, err error) {
		return none, fn(t)
	}).Wait(context.WithoutCancel(ctx))
	if ctx.Err() != nil && rondo.IsOnly(err, context.Cause(ctx)) {
		return context.Cause(ctx) // once, however many tasks it has ended
	}
	return err
}
