// Echo is the smallest server: what comes is sent back. Try it with "nc 127.0.0.1 7000".
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/rondo-go/rondo"
)

// echo is one connection's protocol. Its methods are called by the connection's loop, one at a time, so it needs no
// locks, and it has no goroutine that could wait.
type echo struct{}

func (echo) ConnectionMade(*rondo.Conn) {}

// DataReceived says how many of the bytes it has dealt with: here always all of them.
func (echo) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p) // an error ends the connection, and ConnectionLost is told
	return len(p)
}

func (echo) ConnectionLost(*rondo.Conn, error) {}

// newEcho is called for each connection.
func newEcho() rondo.Protocol { return echo{} }

func main() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := engine.Listen("tcp", "127.0.0.1:7000", newEcho)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Listening on", listener.Addr())

	// The engine works on its own goroutines; this one only waits for Ctrl-C.
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-interrupted.Done()
	if err := engine.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
