package rondo_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/rondo-go/rondo"
)

// forwarder is a client's protocol until its server is there. What the client sends is left with the kernel.
type forwarder struct{ target string }

func (r forwarder) ConnectionMade(client *rondo.Conn) {
	client.PauseReading()
	d := rondo.Dialer{Loop: client.Loop()}
	d.Dial(context.Background(), client.Loop().Engine(), "tcp", r.target, waiting{}).OnDone(func(server *rondo.Conn, err error) {
		if err == nil {
			_, err = rondo.Pipe(client, server, nil)
		}
		if err != nil {
			client.Abort() // it, and what was dialed for it
			if server != nil {
				server.Abort()
			}
		}
	})
}

func (forwarder) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (forwarder) ConnectionLost(*rondo.Conn, error)    {}

// waiting is the server's protocol until the two are joined.
type waiting struct{}

func (waiting) ConnectionMade(c *rondo.Conn)         { c.PauseReading() }
func (waiting) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (waiting) ConnectionLost(*rondo.Conn, error)    {}

// A proxy. Its connections belong to one loop, two by two, and what passes does not pass through the program where the kernel can move it.
func ExamplePipe() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	server, err := engine.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return echo{} })
	if err != nil {
		log.Fatal(err)
	}
	proxy, err := engine.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return forwarder{server.Addr().String()} })
	if err != nil {
		log.Fatal(err)
	}

	c, err := net.Dial("tcp", proxy.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "through and back")
	_ = c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	fmt.Printf("%s, %v\n", answer, err)
	// Output: through and back, <nil>
}
