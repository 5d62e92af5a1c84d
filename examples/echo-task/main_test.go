package main

import (
	"bufio"
	"fmt"
	"net"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
)

func Example() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	listener, err := engine.Listen("tcp", "127.0.0.1:0", stream.Handle(echo))
	if err != nil {
		fmt.Println(err)
		return
	}

	// Any client will do.
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Fprintln(conn, "Is anybody there?")
	answer, err := bufio.NewReader(conn).ReadString('\n')
	fmt.Print(answer)
	fmt.Println(err)
	// Output:
	// Is anybody there?
	// <nil>
}
