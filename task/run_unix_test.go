//go:build unix

package task_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/task"
)

// A signal cancels the program's task, which may clean up.
func TestRunSignal(t *testing.T) {
	p := task.Program{Signals: []os.Signal{syscall.SIGUSR1}}
	cleaned := false
	err := p.Run(func(t *task.Task) error {
		if name := t.Name(); !strings.Contains(name, "TestRunSignal") {
			return errors.New("the task is called " + name)
		}
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR1); err != nil {
			return err
		}
		_, err := wait(t)
		cleaned = task.Sleep(t, time.Millisecond) == nil
		return err
	})
	var s *task.SignalError
	if !errors.As(err, &s) || s.Signal != syscall.SIGUSR1 || !cleaned {
		t.Errorf("error %v, cleaned up: %v", err, cleaned)
	}
}
