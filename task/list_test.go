package task_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

func TestNames(t *testing.T) {
	run(t, func(t *task.Task) error {
		named := spawn(t, func(t *task.Task) error { t.SetName("bob"); _, err := wait(t); return err })
		err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			g.Go(waitOnly)
			task.GoIn(g, wait)
			settle(t)
			tasks, err := task.Await(t, task.List(t.Loop()))
			if err != nil {
				return err
			}
			var happened record
			for _, i := range tasks {
				name := i.Name[strings.LastIndex(i.Name, "/")+1:]
				happened.add("%s(%v)", strings.TrimPrefix(name, "task_test."), i.Parent != 0)
			}
			g.Cancel(nil)
			return happened.expect("runOn.func1(false) bob(true) waitOnly(true) wait(true)")
		})
		named.Cancel(nil)
		return err
	})
}

func waitOnly(t *task.Task) error { _, err := wait(t); return err }

func TestTreeAndDump(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	ready := make(chan struct{}, 2)
	for _, l := range e.Loops() {
		task.Go(l, func(t *task.Task) (int, error) {
			t.SetName("parent")
			return 0, task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
				g.Go(func(t *task.Task) error {
					t.SetName("child")
					ready <- struct{}{}
					return task.Sleep(t, time.Hour)
				})
				return nil
			})
		})
	}
	rig.Await(t, ready)
	rig.Await(t, ready)
	var b strings.Builder
	if err := task.Dump(t.Context(), &b, e.Engine); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if len(lines) != 5 {
		t.Fatalf("the tree is\n%s", b.String())
	}
	for i, want := range []string{"1 parent: waiting for the end of 1 tasks of a group, ", "  2 child: waiting for sleep, "} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want %q...", i, lines[i], want)
		}
	}
	// An orphan stands at the top.
	b.Reset()
	err := task.WriteTree(&b, []task.Info{{ID: 7, Parent: 3, Name: "x", State: task.Running}, {ID: 9, Parent: 7, Name: "y"}}, time.Time{})
	if err != nil || b.String() != "7 x: running\n  9 y: ready\n" {
		t.Errorf("the tree is %q, %v", b.String(), err)
	}
}
