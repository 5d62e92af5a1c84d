// Echo-task is the server of the example echo as straight-line code, with a task for each connection: what asyncio's
// start_server and its streams are in Python. Try it with "nc 127.0.0.1 7000".
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// echo serves one connection. Where it waits, the loop goes on with the others.
func echo(t *task.Task, s *stream.Stream) error {
	for {
		p, err := s.Next(t, 4096)
		if err != nil {
			return err // io.EOF when the client has said everything: that is reported to nobody
		}
		if _, err := s.Write(t, p); err != nil { // waits for a client that does not read its answers
			return err
		}
	}
}

func main() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := engine.Listen("tcp", "127.0.0.1:7000", stream.Handle(echo))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Listening on", listener.Addr())

	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	<-interrupted.Done()
	if err := engine.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
