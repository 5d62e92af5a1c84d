package main

import (
	"context"
	"fmt"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/knock"
)

func Example() {
	os.Args = os.Args[:1]
	main()
	// Output:
	// Client: Knock knock
	// Server: Who's there?
	// Client: Disappearing client
	// Server: Disappearing client who?
}

// Package knock's server understands the same client; an echo server does not play along, and that is the reason given.
func Example_servers() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	for _, serve := range []func() rondo.Protocol{knock.Server(nil, nil), inetd.Echo} {
		listener, err := engine.Listen("tcp", "127.0.0.1:0", serve)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(tell(context.Background(), engine.Loop(), listener.Addr().String()))
	}
	// Output:
	// Client: Knock knock
	// Server: Who's there?
	// Client: Disappearing client
	// Server: Disappearing client who?
	// <nil>
	// Client: Knock knock
	// Server: Knock knock
	// the server said "Knock knock", which is not how the joke goes
}
