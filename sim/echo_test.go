package sim_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

func echoHandler(t *task.Task, s *stream.Stream) error {
	for {
		p, err := s.Next(t, 4096)
		if err != nil {
			return err
		}
		if _, err := s.Write(t, p); err != nil {
			return err
		}
	}
}

func echoServer(h *sim.Host) error {
	_, err := h.Engine().Listen("tcp", ":7", stream.Handle(echoHandler))
	return err
}

func TestEcho(t *testing.T) {
	sim.Run(t, sim.Config{Log: true}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		client := w.Host("client")
		e := client.Engine()
		c, err := e.DialContext(background, "tcp", "server:7")
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("hello", 100_000)
		client.Go(func() {
			if _, err := io.WriteString(c, want); err != nil {
				t.Error(err)
			}
			_ = closeWrite(c)
		})
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		t.Log(w.Elapsed(), w.Events())
	})
}

func TestSleepTask(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("a").Engine()
		f := task.Go(e.Loop(), func(t *task.Task) (int, error) { return 1, task.Sleep(t, 10*time.Hour) })
		if v, err := f.Wait(background); v != 1 || err != nil {
			t.Error(v, err)
		}
		if d := w.Elapsed(); d < 10*time.Hour || d > 10*time.Hour+time.Millisecond {
			t.Error(d)
		}
	})
}

func TestStuck(t *testing.T) {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		e := w.Host("a").Engine()
		p := rondo.NewPromise[int](e.Loop())
		_, _ = task.Go(e.Loop(), func(t *task.Task) (int, error) { return task.Await(t, p.Future()) }).Wait(background)
	})
	if err == nil || !strings.Contains(err.Error(), "waits for ever") || !strings.Contains(err.Error(), "TestStuck.func1.1: waiting for a future of int") {
		t.Errorf("it is not said who waits for what: %v", err)
	}
}
