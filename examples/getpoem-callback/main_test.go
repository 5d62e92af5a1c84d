package main

import (
	"fmt"
	"strings"

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

// An error reaches the caller too, since GetPoem remembers to pass it on in each of the places where there can be one.
func ExampleGetPoem() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	loop, called := engine.Loop(), make(chan struct{})
	loop.Post(func() {
		GetPoem(loop, "127.0.0.1:1", func(_ string, err error) {
			fmt.Println(strings.Contains(fmt.Sprint(err), "connection refused"))
			close(called)
		})
	})
	<-called
	// Output:
	// true
}
