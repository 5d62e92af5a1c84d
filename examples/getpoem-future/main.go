// Getpoem-future is the second answer to the exercises of the slow poetry documents (getpoem-callback has the first, and
// getpoem-task a third): an asynchronous get_poetry cannot return the text, which is not there yet, but it can return a
// placeholder for it.
//
// A [rondo.Future] can be kept, passed on and put into a slice, and whoever wants the poem can ask for it: code on a loop
// with OnDone, and any goroutine with Wait. The error is in it as well, so none gets lost on the way.
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

// GetPoem begins to get the poem that is served at address, and returns at once what will be the poem. Any goroutine may
// call it.
func GetPoem(loop *rondo.Loop, address string) *rondo.Future[string] {
	promise := rondo.NewPromise[string](loop)
	loop.Post(func() {
		dialer := rondo.Dialer{Loop: loop}
		dialer.Dial(context.Background(), loop.Engine(), "tcp", address, &getter{promise: promise}).
			OnDone(func(_ *rondo.Conn, err error) {
				if err != nil {
					promise.Reject(err)
				}
			})
	})
	return promise.Future()
}

// A getter is the connection that one poem comes by.
type getter struct {
	poem    []byte
	promise *rondo.Promise[string]
}

func (g *getter) ConnectionMade(*rondo.Conn) {}

func (g *getter) DataReceived(_ *rondo.Conn, p []byte) int {
	g.poem = append(g.poem, p...) // a copy: p is the loop's
	return len(p)
}

func (g *getter) ConnectionLost(_ *rondo.Conn, err error) {
	if errors.Is(err, io.EOF) {
		g.promise.Resolve(string(g.poem)) // the server has said all that it has to say
		return
	}
	g.promise.Reject(err)
}

// getPoems gets all poems at once, and says what came of each in the order in which they were asked for.
func getPoems(ctx context.Context, loop *rondo.Loop, addresses []string) {
	var poems []*rondo.Future[string]
	for _, address := range addresses {
		poems = append(poems, GetPoem(loop, address))
	}
	// All of them are on their way. Waiting for the first does not keep the others.
	for i, poem := range poems {
		text, err := poem.Wait(ctx)
		if err != nil {
			fmt.Printf("Task %d failed: %v\n", i+1, err)
			continue
		}
		fmt.Printf("Task %d: %d bytes of poetry\n", i+1, len(text))
	}
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
	getPoems(context.Background(), engine.Loop(), addresses)
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
