// Run-in-executor answers the blocking sleepers of the asyncio documents: the tasks of sleeping-tasks, whose sleep now is one
// that blocks. On the loop it would stop them all, so it runs on goroutines of its own, and the tasks wait for what comes of
// it. In Python:
//
//	@asyncio.coroutine
//	def sleep_coro(name, loop, seconds=1):
//	    future = loop.run_in_executor(None, time.sleep, seconds)
//	    print("[%s] coroutine will sleep for %d second(s)…" % (name, seconds))
//	    yield from future
//	    print("[%s] done!" % name)
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// second is shorter in the test.
var second = time.Second

// sleepCoro makes the function of a task.
func sleepCoro(name string, seconds int) func(t *task.Task) (string, error) {
	return func(t *task.Task) (string, error) {
		future := rondo.Run(t.Loop(), func(context.Context) (string, error) {
			time.Sleep(time.Duration(seconds) * second) //nolint:forbidigo // stands for a library that knows nothing of loops
			return name, nil
		})
		fmt.Printf("[%s] coroutine will sleep for %d second(s)…\n", name, seconds)
		name, err := task.Await(t, future)
		if err != nil {
			return "", err
		}
		fmt.Printf("[%s] done!\n", name)
		return name, nil
	}
}

// sleepAll returns the results in the order asked for. Which of B and C is done first is up to the machine.
func sleepAll(t *task.Task) ([]string, error) {
	return task.Gather(t,
		task.Spawn(t, sleepCoro("Task-A", 10)),
		task.Spawn(t, sleepCoro("Task-B", 1)),
		task.Spawn(t, sleepCoro("Task-C", 1)))
}

func main() {
	names, err := task.Run(sleepAll)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
}
