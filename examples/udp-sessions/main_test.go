package main

import (
	"fmt"
	"net"
	"time"

	"github.com/rondo-go/rondo"
)

func Example() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	socket, err := engine.ListenPacket("udp", "127.0.0.1:0", newPeers())
	if err != nil {
		fmt.Println(err)
		return
	}

	// Any client will do. Here are two.
	for range 2 {
		conn, err := net.Dial("udp", socket.Addr().String())
		if err != nil {
			fmt.Println(err)
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		buf := make([]byte, 100)
		for _, line := range []string{"hello", "is anybody there?"} {
			fmt.Fprint(conn, line)
			n, err := conn.Read(buf)
			fmt.Println(string(buf[:n]), err)
		}
	}
	// Output:
	// 1: hello <nil>
	// 2: is anybody there? <nil>
	// 1: hello <nil>
	// 2: is anybody there? <nil>
}
