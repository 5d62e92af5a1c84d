// Transform is a client of the poetry transform service, in which a request is a netstring of the form transform.poem, and so is the
// answer. It sends all of its requests at once, over one connection, and reads the answers, which come in the same order.
//
// Without arguments it asks a server of its own; otherwise the one at HOST:PORT ("rondo transformpoetry").
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// messages are what both sides speak. A poem may be longer when it has been transformed, so the limit is above the server's.
var messages = frame.Netstrings(4 * poetry.MaxTransformed)

// transform has the server at address make other poems of poem, one for each name of a transform. The server answers what it does not
// know with the end of the connection: the poems are those that came before.
func transform(t *task.Task, address, poem string, names ...string) (poems []string, err error) {
	s, err := stream.Dial(t, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, name := range names {
		if err := s.WriteFrame(t, messages, []byte(name+"."+poem)); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		answer, err := s.ReadFrame(t, messages)
		if errors.Is(err, io.EOF) {
			return poems, fmt.Errorf("the server does not know how to %s", name)
		}
		if err != nil {
			return poems, err
		}
		poems = append(poems, string(answer)) // a copy: the answer is valid until the next read
	}
	return poems, nil
}

const poem = "Never Seek To Tell Thy Love,\nLove That Never Told Can Be;\n"

func main() {
	err := task.Program{}.Run(func(t *task.Task) error {
		var address string
		if len(os.Args) > 1 {
			address = os.Args[1]
		} else {
			listener, err := t.Engine().Listen("tcp", "127.0.0.1:0", poetry.TransformServer(nil))
			if err != nil {
				return err
			}
			address = listener.Addr().String()
		}
		poems, err := transform(t, address, poem, "cummingsify", "backwards")
		for _, p := range poems {
			fmt.Print(p)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
