package rondo

import (
	"os"
	"slices"
	"sync/atomic"
)

// OnSignal has fn called on the loop whenever the process gets sig, until remove is called or the engine ends. Several functions
// for one signal are called in the order in which they were given, on each loop that has any.
//
// Signals merge: of those that come before fn was called for the first, it hears once. None is lost to that, since fn
// is called after the last of them has come, and no burst of one signal hides another.
//
// While anybody in the process has asked for a signal, with OnSignal or [signal.Notify], it does not do what it would do otherwise,
// such as ending the process; nor is it ignored, if it was. When the last function of a signal is removed and nobody else has
// asked for it, it does again what it did before. See [os/signal] for which signals can be had.
//
// It does not keep Engine.Shutdown waiting, and fn is still called while the engine shuts down, so that a second
// SIGINT can mean something else. On a loop that has ended, OnSignal and remove do nothing. It panics if fn is nil. Only on
// the loop, remove too, which may be called from within fn, and again.
func (l *Loop) OnSignal(sig os.Signal, fn func(os.Signal)) (remove func()) {
	if fn == nil {
		panic("rondo: Loop.OnSignal needs a function")
	}
	if l.hasEnded() {
		return func() {}
	}
	l.mustOwn("Loop.OnSignal", "Loop.Post to get onto the loop")
	if l.stopped {
		return func() {}
	}
	s := loopSignals.On(l)
	r := &signalHearer{from: s.source(sig), fn: fn}
	r.from.hearers = append(r.from.hearers, r)
	return func() {
		if l.hasEnded() {
			return
		}
		l.mustOwn("the remove function of Loop.OnSignal", "Loop.Post to get onto the loop")
		s.remove(r)
	}
}

// hasEnded reports whether the loop has, so that nobody is on it any more.
func (l *Loop) hasEnded() bool { return closed(l.over) }

var loopSignals = NewLocal(func(l *Loop) *signals {
	s := &signals{loop: l}
	l.OnStop(s.stop)
	return s
})

// signals is what a loop's functions want to hear.
type signals struct {
	loop    *Loop
	sources []*signalSource
}

// signalSource is one signal.
type signalSource struct {
	loop    *Loop
	sig     os.Signal
	forget  func()      // ends the listening
	posted  atomic.Bool // on its way to the loop
	hearers []*signalHearer
}

type signalHearer struct {
	from    *signalSource
	fn      func(os.Signal)
	removed bool
}

func (s *signals) source(sig os.Signal) *signalSource {
	for _, src := range s.sources {
		if src.sig == sig {
			return src
		}
	}
	src := &signalSource{loop: s.loop, sig: sig}
	src.forget = s.loop.engine.world.Notify(sig, src.post)
	s.sources = append(s.sources, src)
	return src
}

func (s *signals) remove(r *signalHearer) {
	if r.removed {
		return
	}
	r.removed = true
	src := r.from
	src.hearers = slices.DeleteFunc(src.hearers, func(h *signalHearer) bool { return h == r })
	if len(src.hearers) > 0 {
		return
	}
	s.sources = slices.DeleteFunc(s.sources, func(other *signalSource) bool { return other == src })
	src.forget()
}

// post has the loop come, unless it has been asked already.
func (src *signalSource) post() {
	if !src.posted.Swap(true) {
		src.loop.add(src)
	}
}

// run is the signal on its loop. Each function is a piece of work of its own: one that panics must not keep the next
// from being called.
func (src *signalSource) run(l *Loop) {
	src.posted.Store(false) // what comes from now on is heard once more
	for _, r := range src.hearers {
		l.queue = append(l.queue, r)
	}
}

func (r *signalHearer) run(*Loop) {
	if !r.removed {
		r.fn(r.from.sig)
	}
}

// stop is the engine's end.
func (s *signals) stop() {
	for _, src := range s.sources {
		src.forget()
		for _, r := range src.hearers {
			r.removed = true
		}
	}
	s.sources = nil
}
