package rondo

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo/internal/world"
)

// This file is for layers that live on loops as the engine does: package task is one. Programs rarely need it.

// Stage is work that a loop does in each turn in which there is some, after posted work and before it sends what was
// written: for a layer that collects what it has to do and does it all at once.
type Stage struct {
	loop  *Loop
	fn    func()
	armed bool
}

// NewStage adds a stage to the loop. fn is called on the loop, once for each turn in which the stage is
// armed. Only on the loop.
func (l *Loop) NewStage(fn func()) *Stage {
	l.mustOwn("Loop.NewStage", "Loop.Post to get onto the loop")
	s := &Stage{loop: l, fn: fn}
	l.stages = append(l.stages, s)
	return s
}

// Arm has the stage's function called in this turn if its time has not passed, else in the next one, before which
// the loop does not wait. Only on the loop.
func (s *Stage) Arm() { s.armed, s.loop.armed = true, true }

// runStages is a phase of the turn. What was armed too late for it is for the next turn.
func (l *Loop) runStages() {
	if !l.armed {
		return
	}
	for l.stage < len(l.stages) {
		s := l.stages[l.stage]
		l.stage++
		if s.armed {
			s.armed = false
			s.fn()
		}
	}
	l.stage = 0
	l.armed = slices.ContainsFunc(l.stages, func(s *Stage) bool { return s.armed })
}

// Runner is work for a loop that is a value rather than a function.
type Runner interface {
	// Run is called on the loop.
	Run(l *Loop)
}

// call is a Runner on its way to the loop.
type call struct{ to Runner }

func (c *call) run(l *Loop) { c.to.Run(l) }

// PostRunner has r.Run called on the loop as Post has a function called. Any goroutine may call it.
func (l *Loop) PostRunner(r Runner) bool { return l.add(&call{r}) }

// Go runs fn on a goroutine of its own. Code over an engine that uses this and the next two in place of the go statement, of waiting for
// channels and of context.AfterFunc works in a simulation as well (package sim), where goroutines take turns. Any goroutine may call them.
func (e *Engine) Go(fn func()) { e.world.Go(world.Other, fn) }

// Block is called before a goroutine blocks, say in a select statement: in a simulation it returns once ready says true, which must not block, and is
// not called again then. Outside of one it returns at once, and the goroutine blocks by itself.
//
// What it waits for may be said by on: contexts, the channels of Engine.Done, and whatever is given to Wake. Ready is then asked only when one of them
// has ended or was woken, and else whenever nobody can go on, which costs something where a thousand goroutines wait.
func (e *Engine) Block(ready func() bool, on ...any) { e.world.Block(ready, on...) }

// Wake has those asked again whose Block was given on, which is compared as a key of a map is. Outside of a simulation it does nothing.
func (e *Engine) Wake(on any) { e.world.Wake(on) }

// AfterContext is context.AfterFunc: fn is called on a goroutine of its own when ctx has ended, unless stop is called before.
func (e *Engine) AfterContext(ctx context.Context, fn func()) (stop func() bool) {
	return e.world.AfterFunc(ctx, fn)
}

// Elapsed is the loop's clock as the time since its zero, a moment before the engine was made: cheaper than Now where only
// differences count. Any goroutine may call it.
func (l *Loop) Elapsed() time.Duration { return time.Duration(l.poller.Now()) }

// Local is a value of which each loop has its own: what a layer keeps on a loop.
type Local[T any] struct {
	index int
	make  func(*Loop) *T
}

var locals atomic.Int64

// NewLocal makes a Local whose values are made by make, on their loop, when they are first asked for. Call it for a
// package's variable: it is never freed.
func NewLocal[T any](make func(*Loop) *T) *Local[T] {
	return &Local[T]{int(locals.Add(1)) - 1, make}
}

// On is the value of loop l. Only on that loop.
func (k *Local[T]) On(l *Loop) *T {
	if k.index < len(l.locals) {
		if v, ok := l.locals[k.index].(*T); ok {
			return v
		}
	}
	l.mustOwn("Local.On", "Loop.Post to get onto the loop")
	for len(l.locals) <= k.index {
		l.locals = append(l.locals, nil)
	}
	v := k.make(l)
	l.locals[k.index] = v
	return v
}

// hooks are functions to be called as the engine comes to its end, in the order in which they were given.
type hooks struct {
	drain, stop, end []func()
}

// OnDrain has fn called, on the loop, when Engine.Shutdown begins: work that goes on without end should come to one
// now. Engine.Close does not call it, and once it has begun it is too late: see Draining. Only on the loop, as the other two.
func (l *Loop) OnDrain(fn func()) {
	l.mustOwn("Loop.OnDrain", "Loop.Post to get onto the loop")
	l.hooks.drain = append(l.hooks.drain, fn)
}

// OnStop has fn called, on the loop, when the engine no longer waits for anything: its connections have ended, no
// event and no timer will come, and what is still waiting must end now.
func (l *Loop) OnStop(fn func()) {
	l.mustOwn("Loop.OnStop", "Loop.Post to get onto the loop")
	l.hooks.stop = append(l.hooks.stop, fn)
}

// OnEnd has fn called, on the loop, when all else has been: it is the last that the loop does.
func (l *Loop) OnEnd(fn func()) {
	l.mustOwn("Loop.OnEnd", "Loop.Post to get onto the loop")
	l.hooks.end = append(l.hooks.end, fn)
}

// call calls each of fns once, whether or not the one before has panicked, and those that they add.
func (l *Loop) call(fns *[]func()) {
	for len(*fns) > 0 {
		fn := (*fns)[0]
		*fns = (*fns)[1:] // before it is called: runtime.Goexit has the loop begin anew
		l.attempt(func(*Loop) { fn() })
	}
}

// Turn counts the turns of the loop; it starts over after 2³². Only on the loop.
func (l *Loop) Turn() uint32 { return l.turns }

// Draining reports whether the engine has begun to shut down. Only on the loop.
func (l *Loop) Draining() bool { return l.drained }

// Stopping reports whether the engine no longer waits for anything. Only on the loop.
func (l *Loop) Stopping() bool { return l.stopped }

// Hold keeps Engine.Shutdown waiting until Release is called, as an open connection does; until its context ends. Only on the
// loop.
func (l *Loop) Hold() { l.engine.open.Add(1) }

// Release ends one Hold.
func (l *Loop) Release() { l.engine.release() }
