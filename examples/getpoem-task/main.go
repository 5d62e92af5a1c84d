// Getpoem-task is the third answer to the exercises of the slow poetry documents (see getpoem-callback and getpoem-future for the
// others): an asynchronous get_poetry that does return the text. [GetPoem] is called by a task, and where it waits for the
// poem only that task waits. It reads like the blocking program of the documents, and an error is returned like any other.
//
// Without arguments it reads two poems from slow servers of its own; otherwise from the HOST:PORTs given.
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// GetPoem gets the poem that is served at address.
func GetPoem(t *task.Task, address string) (string, error) {
	s, err := stream.Dial(t, "tcp", address)
	if err != nil {
		return "", err
	}
	defer s.Close()
	poem, err := io.ReadAll(s.IO(t))
	return string(poem), err
}

// getPoems gets all poems at once, with a task for each, and says what came of each in the order in which they were asked for.
func getPoems(t *task.Task, addresses []string) {
	var poems []*rondo.Future[string]
	for _, address := range addresses {
		poems = append(poems, task.Spawn(t, func(t *task.Task) (string, error) { return GetPoem(t, address) }))
	}
	for i, poem := range poems {
		text, err := task.Await(t, poem)
		if err != nil {
			fmt.Printf("Task %d failed: %v\n", i+1, err)
			continue
		}
		fmt.Printf("Task %d: %d bytes of poetry\n", i+1, len(text))
	}
}

func main() {
	err := task.Program{}.Run(func(t *task.Task) error {
		addresses := os.Args[1:]
		if len(addresses) == 0 {
			addresses = []string{slowServer(t.Engine(), "donne"), slowServer(t.Engine(), "yeats")}
		}
		getPoems(t, addresses)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
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
