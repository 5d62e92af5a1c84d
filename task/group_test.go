package task_test

import (
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// The last child ends in the turn in which the task that waits for it is cancelled, but before that task runs.
func TestGroupCancelledAsLastChildEnds(t *testing.T) {
	run(t, func(t *task.Task) error {
		p := rondo.NewPromise[int](t.Loop())
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			return 0, task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				task.GoIn(g, func(t *task.Task) (int, error) { return task.Await(t, p.Future()) })
				return nil
			})
		})
		settle(t)
		p.ResolveOnLoop(1)
		f.Cancel(errTest)
		_, err := task.Await(t, f)
		return wantErr("the group", err, errTest)
	})
}
