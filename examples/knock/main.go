// Knock is the knock-knock joke of the introductions to Twisted, as callbacks: what its dataReceived has to guess, where a line
// ends, package framed knows. The example knock-task is the same as straight-line code; package knock is the one to use, with limits
// and reasons.
//
// It tells itself the joke once. With an argument, HOST:PORT, it tells it to the server there ("rondo knock-server").
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
)

// lines are what both sides speak. A longer line ends the connection.
var lines = frame.LinesCRLF(1024)

// server is the side that asks.
type server struct{}

func (server) ConnectionMade(*framed.Conn)        {}
func (server) ConnectionLost(*framed.Conn, error) {}

func (server) FrameReceived(c *framed.Conn, line []byte) {
	answer := "Who's there?"
	if said := string(line); said != "Knock knock" {
		answer = said + " who?"
	}
	_ = c.SendFrame([]byte(answer)) // an answer that is no line any more ends nothing: the client's was too long
}

// client is the side that has a joke to tell, and leaves when it has.
type client struct {
	told *rondo.Promise[struct{}]
	err  error
}

func (*client) ConnectionMade(c *framed.Conn) { say(c, "Knock knock") }

func (x *client) FrameReceived(c *framed.Conn, line []byte) {
	fmt.Printf("Server: %s\n", line)
	switch string(line) {
	case "Who's there?":
		say(c, "Disappearing client")
		return
	case "Disappearing client who?":
	default:
		x.err = fmt.Errorf("the server said %q, which is not how the joke goes", line)
	}
	_ = c.Close()
}

func (x *client) ConnectionLost(_ *framed.Conn, err error) {
	if x.err != nil {
		err = x.err
	}
	if err != nil {
		x.told.Reject(err)
		return
	}
	x.told.Resolve(struct{}{}) // nil: the end is our own Close
}

func say(c *framed.Conn, line string) {
	fmt.Printf("Client: %s\n", line)
	_ = c.SendFrame([]byte(line)) // an error ends the connection, or it has ended
}

// tell tells the server at address the joke, and waits until it is over.
func tell(ctx context.Context, loop *rondo.Loop, address string) error {
	told := rondo.NewPromise[struct{}](loop)
	dialer := rondo.Dialer{Loop: loop}
	if _, err := dialer.Dial(ctx, loop.Engine(), "tcp", address, framed.New(lines, &client{told: told})).Wait(ctx); err != nil {
		return err
	}
	_, err := told.Future().Wait(ctx)
	return err
}

func main() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	var address string
	if len(os.Args) > 1 {
		address = os.Args[1]
	} else {
		listener, err := engine.Listen("tcp", "127.0.0.1:0", framed.Handle(lines, func() framed.Handler { return server{} }))
		if err != nil {
			log.Fatal(err)
		}
		address = listener.Addr().String()
	}
	if err := tell(context.Background(), engine.Loop(), address); err != nil {
		log.Fatal(err)
	}
}
