package main

import (
	"errors"
	"fmt"
	"net/url"
	"syscall"

	"github.com/rondo-go/rondo"
)

func Example() {
	main()
	// Output:
	// synchronous: "Where, like a pillow on a bed", <nil>
	// synchronous: "", fetching /prose: 404 Not Found
	// callback: "Where, like a pillow on a bed", <nil>
	// callback: "", fetching /prose: 404 Not Found
	// future: "Where, like a pillow on a bed", <nil>
	// future: "", fetching /prose: 404 Not Found
	// task: "Where, like a pillow on a bed", <nil>
	// task: "", fetching /prose: 404 Not Found
}

// A server that is not there is told to the caller as well.
func Example_refused() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	for _, way := range ways {
		_, err := way.fetch(engine, &url.URL{Scheme: "http", Host: "127.0.0.1:1", Path: "/"})
		fmt.Println(way.name, errors.Is(err, syscall.ECONNREFUSED))
	}
	// Output:
	// synchronous true
	// callback true
	// future true
	// task true
}
