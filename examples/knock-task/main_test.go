package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
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

// An echo server does not play along, and that is the reason given.
func Example_echo() {
	fmt.Println(task.Run(func(t *task.Task) (none struct{}, err error) {
		listener, err := t.Engine().Listen("tcp", "127.0.0.1:0", inetd.Echo)
		if err != nil {
			return none, err
		}
		return none, tell(t, listener.Addr().String())
	}))
	// Output:
	// Client: Knock knock
	// Server: Knock knock
	// {} the server said "Knock knock", which is not how the joke goes
}

// A piece of a line is no line: as long as the end of a knock is missing, nobody answers.
func TestPieces(t *testing.T) {
	sim.Task(t, func(tk *task.Task) error {
		listener, err := tk.Engine().Listen("tcp", "127.0.0.1:0", stream.Handle(serve))
		if err != nil {
			return err
		}
		s, err := stream.Dial(tk, "tcp", listener.Addr().String())
		if err != nil {
			return err
		}
		defer s.Close()
		for _, piece := range []string{"Knock ", "knock\r"} {
			if _, err := s.Write(tk, []byte(piece)); err != nil {
				return err
			}
			var answer []byte
			silent, err := task.MoveOnAfter(tk, time.Second, func(tk *task.Task) (err error) {
				answer, err = s.ReadFrame(tk, lines)
				return err
			})
			if !silent || err != nil {
				t.Errorf("%q was answered by %q (%v)", piece, answer, err)
			}
		}
		if _, err := s.Write(tk, []byte("\n")); err != nil {
			return err
		}
		answer, err := s.ReadFrame(tk, lines)
		if string(answer) != "Who's there?" || err != nil {
			t.Errorf("the answer is %q (%v)", answer, err)
		}
		return nil
	})
}
