package task_test

import (
	"fmt"

	"github.com/rondo-go/rondo/task"
)

func ExampleTask_ID() {
	_, err := task.Run(func(t *task.Task) (none struct{}, err error) {
		fmt.Println("task", t.ID())
		_, err = task.Await(t, task.Spawn(t, func(t *task.Task) (none struct{}, err error) {
			fmt.Println("task", t.ID())
			return none, nil
		}))
		return none, err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// task 1
	// task 2
}
