// Knock-task is the joke of the example knock as straight-line code, with a task for each side: the order of the lines is the order of
// the statements, and nobody has to remember how far the joke has come.
//
// It tells itself the joke once. With an argument, HOST:PORT, it tells it to the server there ("rondo knock-server").
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// lines are what both sides speak. A longer line ends the connection.
var lines = frame.LinesCRLF(1024)

// serve is the side that asks, for one connection.
func serve(t *task.Task, s *stream.Stream) error {
	for {
		line, err := s.ReadFrame(t, lines)
		if err != nil {
			return err // io.EOF when the client has left: that is reported to nobody
		}
		answer := "Who's there?"
		if said := string(line); said != "Knock knock" {
			answer = said + " who?"
		}
		if err := s.WriteFrame(t, lines, []byte(answer)); err != nil {
			return err
		}
	}
}

// tell tells the server at address the joke, and leaves.
func tell(t *task.Task, address string) error {
	s, err := stream.Dial(t, "tcp", address)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, turn := range []struct{ say, hear string }{
		{"Knock knock", "Who's there?"},
		{"Disappearing client", "Disappearing client who?"},
	} {
		fmt.Println("Client:", turn.say)
		if err := s.WriteFrame(t, lines, []byte(turn.say)); err != nil {
			return err
		}
		heard, err := s.ReadFrame(t, lines)
		if err != nil {
			return err
		}
		fmt.Printf("Server: %s\n", heard)
		if string(heard) != turn.hear {
			return fmt.Errorf("the server said %q, which is not how the joke goes", heard)
		}
	}
	return nil
}

func main() {
	err := task.Program{}.Run(func(t *task.Task) error {
		if len(os.Args) > 1 {
			return tell(t, os.Args[1])
		}
		listener, err := t.Engine().Listen("tcp", "127.0.0.1:0", stream.Handle(serve))
		if err != nil {
			return err
		}
		return tell(t, listener.Addr().String())
	})
	if err != nil {
		log.Fatal(err)
	}
}
