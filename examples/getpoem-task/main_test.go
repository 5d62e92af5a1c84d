package main

import (
	"fmt"
	"strings"

	"github.com/rondo-go/rondo/task"
)

// The results are in the order asked for, whichever came first.
func Example() {
	_, err := task.Run(func(t *task.Task) (none struct{}, err error) {
		getPoems(t, []string{slowServer(t.Engine(), "donne"), slowServer(t.Engine(), "yeats")})
		return none, nil
	})
	fmt.Println(err)
	// Output:
	// Task 1: 3003 bytes of poetry
	// Task 2: 623 bytes of poetry
	// <nil>
}

// An error is returned to the caller, like any other in Go.
func ExampleGetPoem() {
	_, err := task.Run(func(t *task.Task) (string, error) { return GetPoem(t, "127.0.0.1:1") })
	fmt.Println(strings.Contains(fmt.Sprint(err), "connection refused"))
	// Output:
	// true
}
