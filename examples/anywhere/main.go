// Anywhere is one server for every place: where it listens is its argument, and the rest of it does not know. Try
//
//	anywhere tcp:127.0.0.1:7000                 nc 127.0.0.1 7000
//	anywhere unix:/tmp/greet.sock               nc -U /tmp/greet.sock
//	anywhere 'tls:127.0.0.1:7443?selfsigned'    openssl s_client -quiet -connect 127.0.0.1:7443
//	anywhere stdio:                             type, and end with Ctrl-D
//	systemd-socket-activate -l 7000 anywhere systemd:
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
)

// greeter is one connection's protocol: it greets whoever says a name, a line each.
type greeter struct{}

func (greeter) ConnectionMade(*framed.Conn) {}

func (greeter) FrameReceived(c *framed.Conn, name []byte) {
	_ = c.SendFrame(fmt.Appendf(nil, "Hello, %s!", name)) // an error ends the connection, and ConnectionLost is told
}

func (greeter) ConnectionLost(*framed.Conn, error) {}

// serve serves at the place that the string means. The error says what is wrong with it, or could not be done.
func serve(e *rondo.Engine, at string) (*endpoint.Listener, error) {
	return endpoint.Listen(e, at, framed.Handle(frame.Lines(100), func() framed.Handler { return greeter{} }))
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: anywhere ENDPOINT, as tcp:127.0.0.1:7000 or unix:/tmp/greet.sock")
	}
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := serve(engine, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Println("Listening on", listener.Addrs()) // not on standard output, which may be the client's

	// It ends with Ctrl-C; over standard input and output also with its only connection.
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener.OnClose(stop)
	<-interrupted.Done()
	if err := engine.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
}
