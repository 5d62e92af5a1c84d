// Getpoem-callback answers two exercises of the slow poetry documents: could an asynchronous client have a function
// get_poetry that returns the text of a poem? And if not, what would such a function take and return instead?
//
// It could not. When the function returns, the poem is not there yet; and if it waited for the poem, it would keep the
// loop from working for anybody else, this poem's own bytes included. So it takes a function to call with the poem, and
// returns nothing: [GetPoem]. The example in getpoem-future returns a placeholder instead, and in getpoem-task it is only a
// task that waits, so that there the function does return the text.
//
// Without arguments it reads two poems from slow servers of its own; otherwise from the HOST:PORTs given.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
)

// GetPoem begins to get the poem that is served at address, and returns at once. Later, on the loop, done is called,
// once, with the poem or with an error. Call GetPoem on the loop too.
func GetPoem(loop *rondo.Loop, address string, done func(poem string, err error)) {
	dialer := rondo.Dialer{Loop: loop}
	dialer.Dial(context.Background(), loop.Engine(), "tcp", address, &getter{done: done}).
		OnDone(func(_ *rondo.Conn, err error) {
			if err != nil {
				done("", err)
			}
		})
}

// A getter is the connection that one poem comes by. What a function that waits would keep in local variables, it keeps
// in fields, from one call to the next.
type getter struct {
	poem []byte
	done func(string, error)
}

func (g *getter) ConnectionMade(*rondo.Conn) {}

func (g *getter) DataReceived(_ *rondo.Conn, p []byte) int {
	g.poem = append(g.poem, p...) // a copy: p is the loop's
	return len(p)
}

func (g *getter) ConnectionLost(_ *rondo.Conn, err error) {
	if errors.Is(err, io.EOF) {
		g.done(string(g.poem), nil) // the server has said all that it has to say
		return
	}
	g.done("", err)
}

// getPoems gets all poems at once, says so as each one comes, and returns when it has them all.
func getPoems(loop *rondo.Loop, addresses []string) {
	allDone := make(chan struct{})
	left := len(addresses)
	loop.Post(func() {
		for i, address := range addresses {
			GetPoem(loop, address, func(poem string, err error) {
				if err != nil {
					fmt.Printf("Task %d failed: %v\n", i+1, err)
				} else {
					fmt.Printf("Task %d: %d bytes of poetry\n", i+1, len(poem))
				}
				if left--; left == 0 { // no lock: all of this is on one loop
					close(allDone)
				}
			})
		}
	})
	<-allDone
}

func main() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	addresses := os.Args[1:]
	if len(addresses) == 0 {
		addresses = []string{slowServer(engine, "donne"), slowServer(engine, "yeats")}
	}
	getPoems(engine.Loop(), addresses)
}

// slowServer serves a poem that is built in, 300 bytes every tenth of a second, and returns its address.
func slowServer(engine *rondo.Engine, name string) string {
	poem, _ := poetry.Lookup(name)
	options := poetry.DefaultOptions(poetry.PoemSource(poem))
	options.NumBytes = 300
	server, err := poetry.ListenAsync(engine, options)
	if err != nil {
		log.Fatal(err)
	}
	return server.Addr().String()
}
