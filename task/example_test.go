package task_test

import (
	"fmt"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// The one of the package's documentation.
func Example() {
	words, err := task.Run(func(t *task.Task) ([]string, error) {
		say := func(word string) *rondo.Future[string] {
			return task.Spawn(t, func(t *task.Task) (string, error) { return word, task.Sleep(t, time.Millisecond) })
		}
		return task.Gather(t, say("hello"), say("world")) // both sleep at the same time
	})
	fmt.Println(words, err)
	// Output: [hello world] <nil>
}
