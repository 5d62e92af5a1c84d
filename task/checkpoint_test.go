package task_test

import (
	"errors"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// A checkpoint delivers a cancellation once, and says nothing else.
func TestCheckpoint(t *testing.T) {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	reason := errors.New("enough")
	got, err := task.Go(e.Loop(), func(t *task.Task) ([]error, error) {
		before := t.Checkpoint()
		t.Cancel(reason)
		return []error{before, t.Checkpoint(), t.Checkpoint()}, nil
	}).Wait(t.Context())
	if err != nil || len(got) != 3 || got[0] != nil || !errors.Is(got[1], reason) || got[2] != nil {
		t.Errorf("the checkpoints returned %v (%v), want nil, the reason, nil", got, err)
	}
}
