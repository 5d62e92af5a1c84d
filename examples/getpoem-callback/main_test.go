package main

import (
	"fmt"

	"github.com/rondo-go/rondo"
)

// The short poem is there first, though it was asked for last.
func Example() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	getPoems(engine.Loop(), []string{slowServer(engine, "donne"), slowServer(engine, "yeats")})
	// Output:
	// Task 2: 623 bytes of poetry
	// Task 1: 3003 bytes of poetry
}
