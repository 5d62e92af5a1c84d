package stream_test

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// What had arrived when the engine began to shut down is served to the last byte, by a task that reads what comes at once, and by one
// that takes its time, so that the connection is paused in the meantime.
func TestShutdownServesWhatHasArrived(t *testing.T) {
	t.Run("quick", func(t *testing.T) { shutdownServes(t, func(*task.Task) error { return nil }) })
	t.Run("slow", func(t *testing.T) { shutdownServes(t, task.Yield) })
}

func shutdownServes(t *testing.T, pause func(*task.Task) error) {
	want := pattern(300_000)
	arrived := make(chan struct{}, 1)
	var got []byte
	e := newEngine(t, rondo.Config{})
	// What is sent to a Unix socket has arrived. With TCP some of it would be on its way.
	ln, err := e.Listen("unix", filepath.Join(t.TempDir(), "socket"), stream.Handle(func(t *task.Task, s *stream.Stream) error {
		if _, err := task.Await(t, rondo.FromChan(t.Loop(), arrived)); err != nil {
			return err
		}
		for !s.Draining() { // nor does anything else happen in these turns
			if err := task.Yield(t); err != nil {
				return err
			}
		}
		for {
			p, err := s.Next(t, 40_000)
			if err == io.EOF { //nolint:errorlint // documented to be bare
				_, err = s.Write(t, []byte("all"))
				return err
			}
			if err != nil {
				return err
			}
			got = append(got, p...)
			if err := pause(t); err != nil {
				return err
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if err := peer.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := peer.(*net.UnixConn).SetWriteBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	if n, err := peer.Write(want); err != nil {
		t.Skipf("needs a socket that holds %d bytes, this one takes %d: %v", len(want), n, err)
	}
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(t.Context()) }()
	arrived <- struct{}{}
	expectEnd(t, peer, "all")
	if err := await(t, done); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d were read", len(got), len(want))
	}
}
