package rondo_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// promises are some on l, with what each was told by Cancel.
func promises(l *rondo.Loop, n int) (ps []*rondo.Promise[int], fs []*rondo.Future[int], reasons []*error) {
	for range n {
		p, reason := told(l)
		ps, fs, reasons = append(ps, p), append(fs, p.Future()), append(reasons, reason)
	}
	return ps, fs, reasons
}

// join is one of the joins, as text.
type join struct {
	name string
	of   func(l *rondo.Loop, fs ...*rondo.Future[int]) *rondo.Future[string]
}

var joins = []join{
	{"All", func(l *rondo.Loop, fs ...*rondo.Future[int]) *rondo.Future[string] { return text(rondo.All(l, fs...)) }},
	{"AllSettled", func(l *rondo.Loop, fs ...*rondo.Future[int]) *rondo.Future[string] {
		return text(rondo.AllSettled(l, fs...))
	}},
	{"First", func(l *rondo.Loop, fs ...*rondo.Future[int]) *rondo.Future[string] {
		return text(rondo.First(l, fs...))
	}},
	{"FirstSuccess", func(l *rondo.Loop, fs ...*rondo.Future[int]) *rondo.Future[string] {
		return text(rondo.FirstSuccess(l, fs...))
	}},
}

func text[T any](f *rondo.Future[T]) *rondo.Future[string] {
	return rondo.Then(f, func(v T) (string, error) { return fmt.Sprint(v), nil })
}

// Three futures are settled in the order third, first, second, with errors where the test says so.
func TestJoins(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	l, other := e.Loops()[0], e.Loops()[1]
	for _, tt := range []struct {
		join, errors string // the errors of the three
		want         string
		err          error // nil: a result
		left         []int // those that are cancelled if nobody settles them first
	}{
		{"All", "---", "[0 1 2]", nil, nil},
		{"All", "x--", "", errTest, []int{1}},
		{"All", "--x", "", errTest, []int{0, 1}},
		{"All", "-x-", "", errTest, nil},
		{"AllSettled", "---", "[{0 0 <nil>} {1 1 <nil>} {2 2 <nil>}]", nil, nil},
		{"AllSettled", "-xx", "[{0 0 <nil>} {1 0 an error of the test's own} {2 0 an error of the test's own}]", nil, nil},
		{"First", "---", "2", nil, []int{0, 1}},
		{"First", "--x", "", errTest, []int{0, 1}},
		{"FirstSuccess", "---", "2", nil, []int{0, 1}},
		{"FirstSuccess", "--x", "0", nil, []int{1}},
		{"FirstSuccess", "x-x", "1", nil, nil},
		{"FirstSuccess", "xxx", "", errTest, nil},
	} {
		for _, from := range []string{"this loop", "several loops", "done before"} {
			t.Run(tt.join+" "+tt.errors+" of "+from, func(t *testing.T) {
				of := joins[slices.IndexFunc(joins, func(j join) bool { return j.name == tt.join })].of
				ps, fs, reasons := promises(l, 3)
				if from == "several loops" {
					for _, i := range []int{0, 2} {
						ps[i], reasons[i] = told(other)
						fs[i] = ps[i].Future()
					}
				}
				settle := func() {
					for _, i := range []int{2, 0, 1} {
						if from != "done before" && slices.Contains(tt.left, i) {
							continue
						}
						if tt.errors[i] == 'x' {
							ps[i].Reject(errTest)
						} else {
							ps[i].Resolve(i)
						}
						if _, err := fs[i].Wait(t.Context()); (err != nil) != (tt.errors[i] == 'x') {
							t.Error(err)
						}
						rig.On(t, l, func() {}) // what came from another loop is here
					}
				}
				var f *rondo.Future[string]
				if from == "done before" { // they are looked at in the order in which they are given
					settle()
					rig.On(t, l, func() { f = of(l, fs[2], fs[0], fs[1]) })
				} else {
					rig.On(t, l, func() { f = of(l, fs...) })
					rig.On(t, other, func() {})
					settle()
				}
				got, err := f.Wait(t.Context())
				if from == "done before" && tt.join != "First" && tt.join != "FirstSuccess" {
					got = tt.want // in that other order
				}
				if got != tt.want || !errors.Is(err, tt.err) || tt.err == nil && err != nil {
					t.Errorf("it has come to %q, %v; want %q, %v", got, err, tt.want, tt.err)
				}
				if from != "done before" {
					for i, f := range fs {
						rig.On(t, f.Loop(), func() {
							if cancelled := *reasons[i] != nil; cancelled != slices.Contains(tt.left, i) {
								t.Errorf("number %d cancelled: %v (%v)", i, cancelled, *reasons[i])
							}
						})
					}
				}
			})
		}
	}
}

// Errors of all come in the order in which the futures were given.
func TestFirstSuccessErrors(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	rig.On(t, l, func() {
		ps, fs, _ := promises(l, 2)
		f := rondo.FirstSuccess(l, fs...)
		ps[1].RejectOnLoop(errOther)
		ps[0].RejectOnLoop(errTest)
		if err := f.Err(); err == nil || err.Error() != errTest.Error()+"\n"+errOther.Error() {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestJoinsOfNone(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	rig.On(t, l, func() {
		if v, err := rondo.All[int](l).Result(); v == nil || len(v) != 0 || err != nil {
			t.Errorf("All: %v, %v", v, err)
		}
		if v, err := rondo.AllSettled[int](l).Result(); v == nil || len(v) != 0 || err != nil {
			t.Errorf("AllSettled: %v, %v", v, err)
		}
		state(t, "First", rondo.First[int](l), 0, rondo.ErrNoFutures)
		state(t, "FirstSuccess", rondo.FirstSuccess[int](l), 0, rondo.ErrNoFutures)
		completed, abandon := rondo.AsCompleted[int](l)
		if len(completed) != 0 {
			t.Errorf("AsCompleted: %d", len(completed))
		}
		abandon(nil)
	})
}

// Who decides a join leaves alone what somebody else waits for, and cancels what nobody does, be it behind or before
// the one that has decided, which may have been done from the beginning.
func TestJoinCancels(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	for _, j := range joins {
		t.Run(j.name, func(t *testing.T) {
			rig.On(t, l, func() {
				_, fs, reasons := promises(l, 3)
				shared := fs[1].Shield()
				f := j.of(l, fs...)
				f.Cancel(errReason)
				state(t, "the join", f, "", errReason)
				for i, want := range []error{errReason, nil, errReason} {
					if *reasons[i] != want { //nolint:errorlint // the very error
						t.Errorf("number %d was told %v", i, *reasons[i])
					}
				}
				if shared.Done() {
					t.Error("what is shared is done")
				}
			})
		})
	}
	for _, decided := range []*rondo.Future[int]{rondo.Resolved(l, 1), rondo.Rejected[int](l, errTest)} {
		rig.On(t, l, func() {
			_, fs, reasons := promises(l, 2)
			f := rondo.First(l, fs[0], decided, fs[1])
			if !f.Done() || *reasons[0] == nil || *reasons[1] == nil {
				t.Errorf("done: %v; told: %v, %v", f.Done(), *reasons[0], *reasons[1])
			}
			_ = f.Err()
		})
	}
}

// The same future may be given twice.
func TestJoinOfTheSame(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	l := e.Loops()[0]
	for _, from := range e.Loops() {
		for _, tt := range []struct {
			err  error
			want []string
		}{
			{nil, []string{"[3 3]", "[{0 3 <nil>} {1 3 <nil>}]", "3", "3"}},
			{errTest, []string{"", "[{0 0 an error of the test's own} {1 0 an error of the test's own}]", "", ""}},
		} {
			for i, j := range joins {
				p := rondo.NewPromise[int](from)
				var f *rondo.Future[string]
				rig.On(t, l, func() { f = j.of(l, p.Future(), p.Future()) })
				if tt.err == nil {
					p.Resolve(3)
				} else {
					p.Reject(tt.err)
				}
				if got, err := f.Wait(t.Context()); got != tt.want[i] || got == "" && !errors.Is(err, tt.err) {
					t.Errorf("%s has come to %s, %v", j.name, got, err)
				}
			}
		}
	}
}

func TestAsCompleted(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	rig.On(t, l, func() {
		ps, fs, reasons := promises(l, 5)
		completed, abandon := rondo.AsCompleted(l, fs...)
		ps[3].ResolveOnLoop(30)
		ps[1].RejectOnLoop(errTest)
		for i, want := range []rondo.Outcome[int]{{Index: 3, Value: 30}, {Index: 1, Err: errTest}} {
			if got, err := completed[i].Result(); got != want || err != nil {
				t.Errorf("number %d is %v, %v", i, got, err)
			}
		}
		if completed[2].Done() {
			t.Error("the third is done")
		}
		completed[2].Cancel(errOther) // what comes there is lost, and that is all
		ps[0].ResolveOnLoop(0)
		shared := fs[4].Shield()
		abandon(errReason)
		for i, f := range completed[2:] {
			if err := f.Err(); !errors.Is(err, []error{errOther, errReason, errReason}[i]) {
				t.Errorf("number %d has come to %v", i+2, err)
			}
		}
		if *reasons[2] != errReason || *reasons[4] != nil || shared.Done() { //nolint:errorlint // the very error
			t.Errorf("told %v and %v", *reasons[2], *reasons[4])
		}
		ps[4].ResolveOnLoop(4) // has nowhere to go
		abandon(errOther)      // and once more is nothing
	})
}
