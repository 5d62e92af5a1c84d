package sim_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

const poem = "The poetry of earth is never dead:\nWhen all the birds are faint with the hot sun,\nAnd hide in cooling trees, a voice will run\n"

// servePoem is a slow server: a line every five seconds.
func servePoem(h *sim.Host) error {
	_, err := h.Engine().Listen("tcp", ":7000", stream.Handle(func(t *task.Task, s *stream.Stream) error {
		for line := range strings.Lines(poem) {
			if _, err := s.Write(t, []byte(line)); err != nil {
				return err
			}
			if err := task.Sleep(t, 5*time.Second); err != nil {
				return err
			}
		}
		return nil
	}))
	return err
}

// fetchPoem is its client.
func fetchPoem(e *rondo.Engine, address string) (string, error) { //nolint:unparam // the program that it stands for knows of more servers
	return task.Go(e.Loop(), func(t *task.Task) (string, error) {
		s, err := stream.Dial(t, "tcp", address)
		if err != nil {
			return "", err
		}
		defer s.Close()
		text, err := io.ReadAll(s.IO(t))
		return string(text), err
	}).Wait(context.Background())
}

// A poem arrives although its reader is cut off for a while in the midst of it.
func TestPartition(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(servePoem)
		client := w.Host("client")
		w.After(time.Second, func() { w.Partition(client) })
		w.After(time.Minute, w.Heal)
		text, err := fetchPoem(client.Engine(), "server:7000")
		if text != poem || err != nil || w.Elapsed() < time.Minute {
			t.Errorf("%q, %v, after %v", text, err, w.Elapsed())
		}
	})
}

func ExampleSimulate() {
	w, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		server := w.Host("server")
		server.Start(servePoem)
		w.After(7*time.Second, server.Kill)
		text, err := fetchPoem(w.Host("client").Engine(), "server:7000")
		fmt.Printf("%d lines, %v\n", strings.Count(text, "\n"), err)

		server.Restart()
		text, err = fetchPoem(w.Host("client").Engine(), "server:7000")
		fmt.Printf("%d lines, %v\n", strings.Count(text, "\n"), err)
	})
	fmt.Println(w.Elapsed().Round(time.Second), err)
	// Output:
	// 2 lines, <nil>
	// 3 lines, <nil>
	// 22s <nil>
}
