package rondo_test

import (
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// OnLost is called after the protocol, with the same reason, whenever it was asked for.
func TestOnLost(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	c := rig.Result(t, e.Dial(t.Context(), "tcp", e.serve(func() rondo.Protocol { return echo{} }), r))
	told := make(chan string, 10)
	rig.On(t, e.Loop(), func() {
		c.OnLost(func(err error) { told <- "first " + err.Error() })
		c.OnLost(func(error) { panic("the next is called all the same") })
		c.OnLost(func(err error) { told <- "third " + err.Error() })
		c.Abort()
	})
	for _, want := range []string{"first " + rondo.ErrAborted.Error(), "third " + rondo.ErrAborted.Error()} {
		if got := rig.Await(t, told); got != want {
			t.Errorf("%q was told, not %q", got, want)
		}
	}
	rig.On(t, e.Loop(), func() {
		c.OnLost(func(err error) { told <- "late " + err.Error() })
	})
	if got := rig.Await(t, told); got != "late "+rondo.ErrClosed.Error() {
		t.Errorf("%q was told", got)
	}
	e.Log.Await(t, "the next is called all the same")
}
