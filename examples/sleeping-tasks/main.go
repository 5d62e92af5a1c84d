// Sleeping-tasks answers the sleeping coroutines of the asyncio documents. A, B and C begin in this order and sleep 10, 1 and
// 1 seconds, all at once on one loop: B and C are done first, and the whole takes the 10 seconds of A. In Python:
//
//	@asyncio.coroutine
//	def sleep_coro(name, seconds=1):
//	    print("[%s] coroutine will sleep for %d second(s)…" % (name, seconds))
//	    yield from asyncio.sleep(seconds)
//	    print("[%s] done!" % name)
//
//	tasks = [asyncio.Task(sleep_coro('Task-A', 10)),
//	         asyncio.Task(sleep_coro('Task-B')),
//	         asyncio.Task(sleep_coro('Task-C'))]
//	loop.run_until_complete(asyncio.gather(*tasks))
package main

import (
	"fmt"
	"log"
	"time"

	"github.com/rondo-go/rondo/task"
)

// second is shorter in the test.
var second = time.Second

// sleepCoro makes the function of a task, as calling a coroutine function in Python makes a coroutine.
func sleepCoro(name string, seconds int) func(t *task.Task) (string, error) {
	return func(t *task.Task) (string, error) {
		fmt.Printf("[%s] coroutine will sleep for %d second(s)…\n", name, seconds)
		if err := task.Sleep(t, time.Duration(seconds)*second); err != nil {
			return "", err // it was cancelled
		}
		fmt.Printf("[%s] done!\n", name)
		return name, nil
	}
}

// sleepAll returns the results in the order asked for, whichever comes first.
func sleepAll(t *task.Task) ([]string, error) {
	return task.Gather(t,
		task.Spawn(t, sleepCoro("Task-A", 10)),
		task.Spawn(t, sleepCoro("Task-B", 1)),
		task.Spawn(t, sleepCoro("Task-C", 1)))
}

func main() {
	names, err := task.Run(sleepAll) // run_until_complete; Ctrl-C cancels it
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(names)
}
