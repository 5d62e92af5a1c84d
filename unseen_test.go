package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

const unseen = "nobody looked at the error"

// awaitCollected collects garbage until the log has a report that contains text, and returns that.
func awaitCollected(t *testing.T, log *rig.Log, text string) string {
	t.Helper()
	for end := time.Now().Add(rig.Patience); !strings.Contains(log.Unasked(), text); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("nothing of %q in %q", text, log.Unasked())
		}
		runtime.GC()
	}
	return log.Await(t, text)
}

// holder has a promise within it.
type holder struct {
	before  [3]int
	promise rondo.Promise[int]
}

// loopError is an error that leads to its future.
type loopError struct{ future *rondo.Future[int] }

func (*loopError) Error() string { return "a loop" }

// blindNotes do not look.
type blindNotes struct{ notes }

func (*blindNotes) LooksAway() {}

// What is reported, with a place in this file.
func TestUnseenReported(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	l, other := e.Loops()[0], e.Loops()[1]
	for _, tt := range []struct {
		name string
		fail func()
	}{
		{"Reject", func() { rondo.NewPromise[int](l).Reject(errTest) }},
		{"Rejected", func() { rondo.Rejected[int](l, errTest) }},
		{"RejectOnLoop", func() { rig.On(t, l, func() { rondo.NewPromise[int](l).RejectOnLoop(errTest) }) }},
		{"within a struct", func() {
			h := new(holder)
			h.promise.Init(l)
			h.promise.Reject(fmt.Errorf("%w %v", errTest, h.before))
		}},
		{"an error that leads to its future", func() {
			p := rondo.NewPromise[int](l)
			p.Reject(errors.Join(errTest, &loopError{p.Future()}))
		}},
		{"behind a chain", func() {
			p := rondo.NewPromise[int](l)
			rig.On(t, l, func() { rondo.Then(p.Future().Shield(), double).Finally(func() {}) })
			p.Reject(errTest)
		}},
		{"by a callback", func() {
			rig.On(t, l, func() { rondo.Then(rondo.Resolved(l, 1), func(int) (int, error) { return 0, errTest }) })
		}},
		{"through a join", func() { rig.On(t, l, func() { rondo.All(l, rondo.Rejected[int](l, errTest)) }) }},
		{"told to the blind", func() {
			rig.On(t, l, func() {
				p, n := rondo.NewPromise[int](l), new(blindNotes)
				n.waiter.Init(n)
				p.Future().Watch(&n.waiter)
				p.RejectOnLoop(errTest)
				n.waiter.Init(n)
				p.Future().Watch(&n.waiter)
				if !p.Future().Failed() {
					t.Error("it has not failed")
				}
			})
		}},
		{"the second error of All", func() {
			rig.On(t, l, func() { rondo.All(l, rondo.Rejected[int](l, errReason), rondo.Rejected[int](l, errTest)).Ignore() })
		}},
		{"the second that is done of First", func() {
			rig.On(t, l, func() { rondo.First(l, rondo.Resolved(l, 1), rondo.Rejected[int](l, errTest)) })
		}},
		{"AllSettled cancelled", func() {
			rig.On(t, l, func() {
				rondo.AllSettled(l, rondo.Rejected[int](l, errTest), rondo.NewPromise[int](l).Future()).Cancel(errReason)
			})
		}},
		{"AsCompleted, whose second outcome nobody takes", func() {
			rig.On(t, l, func() {
				p := rondo.NewPromise[int](l)
				completed, abandon := rondo.AsCompleted(l, rondo.Rejected[int](l, errReason), p.Future())
				p.RejectOnLoop(errTest)
				_, _ = completed[0].Result()
				abandon(errReason)
			})
		}},
		{"AsCompleted, cancelled", func() {
			rig.On(t, l, func() {
				p := rondo.NewPromise[int](l)
				completed, _ := rondo.AsCompleted(l, p.Future())
				completed[0].Cancel(errReason)
				p.RejectOnLoop(errTest)
			})
		}},
		{"from another loop", func() { rondo.Transfer(rondo.Rejected[int](l, errTest), other) }},
		{"cancelled, but for another reason", func() {
			rig.On(t, l, func() {
				p := rondo.NewPromise[int](l)
				p.OnCancel(func(error) { p.RejectOnLoop(errTest) })
				p.Future().Cancel(errReason)
			})
		}},
		{"cancelled, and for another reason too", func() {
			rig.On(t, l, func() {
				p := rondo.NewPromise[int](l)
				p.OnCancel(func(reason error) { p.RejectOnLoop(errors.Join(reason, errTest)) })
				p.Future().Cancel(errReason)
			})
		}},
		{"cancelled behind a shield", func() {
			rig.On(t, l, func() {
				p := rondo.NewPromise[int](l)
				p.Future().Shield().Cancel(errReason)
				p.Reject(errTest)
			})
		}},
		{"Wait given up", func() {
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			p := rondo.NewPromise[int](l)
			if _, err := p.Future().Wait(ended); err == nil {
				t.Error("there is a result")
			}
			p.Reject(errTest)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.fail()
			report := awaitCollected(t, e.Log, errTest.Error())
			if !strings.Contains(report, unseen) {
				t.Errorf("the report is %s", report)
			}
			failed, made, debug := strings.Cut(report, " made=")
			// Who calls CancelFuture is not who fails: there the place is in the loop.
			if !strings.Contains(failed, "unseen_test.go") {
				t.Errorf("the place is not told: %s", report)
			}
			if debug != rondo.RaceEnabled || debug && !strings.Contains(made, "unseen_test.go") && !strings.Contains(made, "rig_test.go") {
				t.Errorf("where it was made: %s", report)
			}
		})
	}
}

// The place where the promise was made is told in debug mode.
func TestUnseenDebug(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Debug: true})
	rondo.NewPromise[int](e.Loop()).Reject(errTest)
	_, made, ok := strings.Cut(awaitCollected(t, e.Log, unseen), " made=")
	if !ok || !strings.HasPrefix(made, "github.com/rondo-go/rondo_test.TestUnseenDebug (") {
		t.Errorf("it was made in %q", made)
	}
}

// What somebody has looked at, or knows, is not reported.
func TestUnseenNotReported(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	l, other := e.Loops()[0], e.Loops()[1]
	const (
		before = 1 << iota // it counts if the future is pending
		after              // it counts if the future has failed
	)
	for _, tt := range []struct {
		when int
		look func(f *rondo.Future[int])
	}{
		{after, func(f *rondo.Future[int]) { _, _ = f.Result() }},
		{after, func(f *rondo.Future[int]) { _ = f.Err() }},
		{before | after, func(f *rondo.Future[int]) { f.OnDone(func(int, error) {}) }},
		{before | after, func(f *rondo.Future[int]) { f.Ignore() }},
		{before | after, func(f *rondo.Future[int]) {
			n := new(notes)
			n.waiter.Init(n)
			f.Watch(&n.waiter)
		}},
		{before | after, func(f *rondo.Future[int]) { f.Catch(excuse) }},
		{before | after, func(f *rondo.Future[int]) { f.Chan() }},
		{before | after, func(f *rondo.Future[int]) { rondo.Then(f, double).Ignore() }},
		{before | after, func(f *rondo.Future[int]) { rondo.Then(rondo.Then(f, double), double).Cancel(errTest) }},
		{before | after, func(f *rondo.Future[int]) { rondo.AllSettled(l, f) }},
		{before | after, func(f *rondo.Future[int]) { rondo.All(l, f).Ignore() }},
		{before | after, func(f *rondo.Future[int]) { rondo.All(l, f, f, rondo.Transfer(f, l)).Ignore() }},
		{after, func(f *rondo.Future[int]) { rondo.All(l, f, rondo.Rejected[int](l, errTest)).Ignore() }},
		{before | after, func(f *rondo.Future[int]) { rondo.First(l, f).Ignore() }},
		{before | after, func(f *rondo.Future[int]) { rondo.FirstSuccess(l, f).Ignore() }},
		{before | after, func(f *rondo.Future[int]) { rondo.FirstSuccess(l, f, rondo.Resolved(l, 1)) }},
		{before | after, func(f *rondo.Future[int]) {
			completed, _ := rondo.AsCompleted(l, f)
			completed[0].OnDone(func(rondo.Outcome[int], error) {})
		}},
		{after, func(f *rondo.Future[int]) {
			completed, _ := rondo.AsCompleted(l, f)
			_, _ = completed[0].Result()
		}},
		{before | after, func(f *rondo.Future[int]) {
			completed, _ := rondo.AsCompleted(l, f)
			rondo.All(l, completed...)
		}},
		{before | after, func(f *rondo.Future[int]) { _, cancel := f.Context(t.Context()); t.Cleanup(cancel) }},
		{before, func(f *rondo.Future[int]) { f.Cancel(errReason) }},
	} {
		rig.On(t, l, func() {
			if tt.when&before != 0 {
				p := rondo.NewPromise[int](l)
				tt.look(p.Future())
				p.RejectOnLoop(errTest)
			}
			if tt.when&after != 0 {
				p := rondo.NewPromise[int](l)
				p.RejectOnLoop(errTest)
				tt.look(p.Future())
			}
		})
	}
	rig.On(t, l, func() { // cancelled for that reason
		p := rondo.NewPromise[int](l)
		p.OnCancel(func(reason error) { p.Reject(fmt.Errorf("wrapped: %w", errors.Join(reason, reason))) })
		p.Future().Cancel(errReason)
	})
	far := rondo.Transfer(rondo.Rejected[int](l, errTest), other)
	if _, err := far.Wait(t.Context()); !errors.Is(err, errTest) {
		t.Error(err)
	}
	p := rondo.NewPromise[int](l)
	p.Reject(errTest)
	if _, err := p.Future().Wait(t.Context()); !errors.Is(err, errTest) {
		t.Error(err)
	}
	collect(t, l)
	collect(t, other)
	if surprise := e.Log.Unasked(); surprise != "" {
		t.Errorf("reported: %s", surprise)
	}
	left := rondo.Rejected[int](l, errTest)
	e.Close()
	if _, err := left.Wait(t.Context()); !errors.Is(err, errTest) { // the loop is over, and it is a look all the same
		t.Error(err)
	}
	runtime.KeepAlive(left)
}

// collect returns when what nobody holds any more has been collected and reported: it makes something of its own
// that is, and the runtime's queue of such work is short.
func collect(t *testing.T, l *rondo.Loop) {
	t.Helper()
	for range 3 {
		rig.On(t, l, func() {}) // nothing of it is under way
		done := make(chan struct{})
		runtime.AddCleanup(new([4]int), func(int) { close(done) }, 0)
		runtime.GC()
		rig.Await(t, done)
	}
}
