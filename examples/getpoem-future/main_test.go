package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/rondo-go/rondo"
)

// The results are in the order asked for, whichever came first.
func Example() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	getPoems(context.Background(), engine.Loop(), []string{slowServer(engine, "donne"), slowServer(engine, "yeats")})
	// Output:
	// Task 1: 3003 bytes of poetry
	// Task 2: 623 bytes of poetry
}

// An error comes by the same way as a poem: nobody has to remember to pass it on.
func ExampleGetPoem() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	_, err = GetPoem(engine.Loop(), "127.0.0.1:1").Wait(context.Background())
	fmt.Println(strings.Contains(fmt.Sprint(err), "connection refused"))
	// Output:
	// true
}
