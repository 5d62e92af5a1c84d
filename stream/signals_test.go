//go:build unix

package stream_test

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

func kill(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Error(err)
	}
}

// inProgram runs main, and what it returns must be nil.
func inProgram(t *testing.T, main func(t *task.Task) error) {
	t.Helper()
	if err := (task.Program{Signals: []os.Signal{}}).Run(main); err != nil {
		t.Error(err)
	}
}

func TestSignals(t *testing.T) {
	inProgram(t, func(tk *task.Task) error {
		signals := stream.NewSignals(tk, syscall.SIGUSR1, syscall.SIGUSR2)
		defer signals.Stop()
		for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGUSR1} {
			kill(t, sig)
			if got, err := signals.Next(tk); err != nil || got != sig {
				t.Errorf("got %v, %v, want %v", got, err, sig)
			}
		}
		return nil
	})
}

// A wait that is cancelled takes no signal with it.
func TestSignalsCancelled(t *testing.T) {
	inProgram(t, func(tk *task.Task) error {
		signals := stream.NewSignals(tk, syscall.SIGUSR1)
		defer signals.Stop()
		waiting := task.Spawn(tk, func(t *task.Task) (os.Signal, error) { return signals.Next(t) })
		if err := task.Yield(tk); err != nil {
			return err
		}
		if _, err := signals.Next(tk); !errors.Is(err, stream.ErrBusy) {
			t.Errorf("the second that waits is told %v", err)
		}
		waiting.Cancel(errEnough)
		if _, err := task.Await(tk, waiting); !errors.Is(err, errEnough) {
			t.Errorf("the cancelled wait returned %v", err)
		}
		kill(t, syscall.SIGUSR1)
		_, err := signals.Next(tk)
		return err
	})
}

// A loop over the signals ends when nobody listens any more.
func TestSignalsAll(t *testing.T) {
	inProgram(t, func(tk *task.Task) error {
		signals := stream.NewSignals(tk, syscall.SIGUSR1)
		kill(t, syscall.SIGUSR1)
		n := 0
		for sig, err := range signals.All(tk) {
			if err != nil || sig != syscall.SIGUSR1 {
				t.Errorf("got %v, %v", sig, err)
			}
			n++
			signals.Stop()
		}
		if n != 1 {
			t.Errorf("%d signals", n)
		}
		if _, err := signals.Next(tk); err != io.EOF { //nolint:errorlint // documented to be bare
			t.Errorf("after Stop: %v", err)
		}
		return nil
	})
}
