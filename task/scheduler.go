package task

import (
	"runtime"
	"time"

	"github.com/rondo-go/rondo"
)

// scheduler runs the tasks of one loop, in the order in which they become ready.
type scheduler struct {
	loop    *rondo.Loop
	stage   *rondo.Stage
	first   *fiber // ready to run, linked by behind
	last    *fiber
	running *fiber
	active  bool // in batch
	left    int  // tasks that this batch may still resume
	yields  uint8

	live   *fiber // all that have not ended, the latest first
	count  int
	lastID uint64

	names map[*fiber]string // given by SetName

	idle     []*worker // coroutines without a task
	spare    *fiber    // without a task, linked by behind
	spares   int
	spots    *spot         // that are free, linked by next
	free     int           // of them
	turn     uint32        // the turn of the loop in which
	now      time.Duration // was read from its clock
	idlers   []func()      // to be called when all tasks have ended
	ending   bool          // cancelAll was called
	stopping bool          // the engine no longer waits for anything
	watch    *watchdog
}

const (
	// Tasks that one turn of the loop resumes, so that tasks which keep each other busy leave time for the network.
	batchBudget = 1024
	// How long tasks that yield to each other may keep the network waiting, and how often the clock is read for it: the tasks
	// compute, and nobody knows for how long.
	batchTime   = 500 * time.Microsecond
	yieldsATime = 16
	// Coroutines and fibers that are kept for the next tasks: some 3 MB.
	maxIdle = 1024
	// Waits that a task may begin after its engine has stopped, each of which fails at once. It is ended then, by a panic; and if it
	// recovers from as many of these, by runtime.Goexit.
	maxInsisted = 1000
)

var schedulers = rondo.NewLocal(newScheduler)

func newScheduler(l *rondo.Loop) *scheduler {
	s := &scheduler{loop: l, stopping: l.Stopping(), turn: l.Turn() - 1, names: map[*fiber]string{}}
	s.stage = l.NewStage(s.batch)
	if l.Debug() {
		s.watch = newWatchdog(l)
	}
	l.OnStop(s.stop)
	l.OnEnd(s.end)
	return s
}

// start makes t, which runs r, a task of this loop's. Its parent's number is zero if there is none; so is its group.
func (s *scheduler) start(t *Task, r runnable, parent uint64, g *Group) {
	f := s.spare
	if f != nil {
		s.spare, f.behind = f.behind, nil
		s.spares--
	} else {
		f = &fiber{sched: s}
	}
	s.lastID++
	t.fiber, t.id = f, s.lastID
	f.id, f.parent, f.runs, f.scope, f.pending = t.id, parent, r, &t.scope, t.pending
	if g != nil {
		g.add(f)
	}
	if f.next = s.live; f.next != nil {
		f.next.prev = f
	}
	s.live = f
	if s.count++; s.count == 1 {
		s.loop.Hold()
	}
	if s.stopping {
		r.end(rondo.ErrEngineClosed)
		s.recycle(f)
		return
	}
	if s.ending && f.group == nil {
		f.scope.cancel(f, ErrProgramEnded) // it does not begin
	}
	s.ready(f)
}

// ended takes a task out.
func (f *fiber) ended(err error) {
	s := f.sched
	if f.prev != nil {
		f.prev.next = f.next
	} else {
		s.live = f.next
	}
	if f.next != nil {
		f.next.prev = f.prev
	}
	f.next, f.prev = nil, nil
	if s.count--; s.count == 0 {
		s.loop.Release()
		for _, fn := range s.idlers {
			s.loop.Defer(fn)
		}
		s.idlers = nil
	}
	if f.group != nil {
		f.group.ended(f, err)
	}
}

// recycle keeps the fiber of a task that has ended, and of which nobody else knows now, for another.
func (s *scheduler) recycle(f *fiber) {
	f.id = 0
	f.runs, f.scope, f.group = nil, nil, nil
	if len(s.names) > 0 {
		delete(s.names, f)
	}
	if s.spares >= maxIdle || s.stopping {
		return
	}
	f.behind, s.spare = s.spare, f
	s.spares++
}

// ready has a task resumed in its turn.
func (s *scheduler) ready(f *fiber) {
	if s.first == nil {
		s.first = f
	} else {
		s.last.behind = f
	}
	s.last = f
	if !s.active {
		s.stage.Arm()
	}
}

// take is the next task to be resumed, nil if there is none or this turn of the loop has had its share.
func (s *scheduler) take() *fiber {
	f := s.first
	if f == nil || s.left <= 0 {
		return nil
	}
	s.left--
	if s.first = f.behind; s.first == nil {
		s.last = nil // lest it be kept when it has ended
	}
	f.behind = nil // nor may one that has ended keep others
	return f
}

// batch is the loop's stage.
func (s *scheduler) batch() {
	s.active, s.left = true, batchBudget
	for f := s.take(); f != nil; f = s.take() {
		s.resume(f)
	}
	s.active = false
	if s.first != nil {
		s.stage.Arm()
	}
}

// resume runs a task until it waits or ends.
func (s *scheduler) resume(f *fiber) {
	w := f.worker
	if w == nil {
		w = s.begin(f)
	}
	before := s.running
	w.nested = before != nil
	s.running = f
	if s.watch != nil {
		s.watch.enter(w)
	}
	w.next()
	if s.watch != nil {
		s.watch.leave(before)
	}
	s.running = before
	if w.exited {
		go w.stop() // which runtime.Goexit ends too
	}
}

// begin gives a task the coroutine that it will run on.
func (s *scheduler) begin(f *fiber) *worker {
	var w *worker
	if last := len(s.idle) - 1; last < 0 {
		w = newWorker()
	} else {
		w = s.idle[last]
		s.idle[last] = nil
		s.idle = s.idle[:last]
	}
	w.fiber, f.worker = f, w
	return w
}

// keep reports whether a coroutine that has nothing to do is kept.
func (s *scheduler) keep(w *worker) bool {
	if len(s.idle) >= maxIdle || s.stopping {
		return false
	}
	s.idle = append(s.idle, w)
	return true
}

// clock is the time of this turn: reading it for each wait would cost as much as a switch.
func (s *scheduler) clock() time.Duration {
	if turn := s.loop.Turn(); turn != s.turn {
		s.turn, s.now = turn, s.loop.Elapsed()
	}
	return s.now
}

// haveWorkedEnough is asked at each Yield whether the batch has lasted long enough.
func (s *scheduler) haveWorkedEnough() bool {
	if s.yields++; s.yields%yieldsATime != 0 {
		return false
	}
	return s.loop.Elapsed()-s.clock() > batchTime
}

// stop is called when the engine no longer waits. Every task hears of it, in the wait that it is in and in
// each that it still begins.
func (s *scheduler) stop() {
	s.stopping = true
	for f := s.live; f != nil; f = f.next {
		f.pending = true
		f.root().cancel(f, rondo.ErrEngineClosed)
		for s := f.scope; s != nil; s = s.outer {
			if s.shield { // as a context it does not end with those further out
				s.cancel(f, rondo.ErrEngineClosed)
			}
		}
		f.interrupt()
	}
}

// cancelAll cancels every task, and resolves quiet when all have ended. Tasks that those start as they clean up are cancelled too, but for the children
// of groups: what a task waits for to clean up is waited for, and they are part of that.
func (s *scheduler) cancelAll(quiet *rondo.Promise[struct{}]) {
	s.ending = true
	for f := s.live; f != nil; f = f.next {
		f.root().cancel(f, ErrProgramEnded)
	}
	WhenIdle(s.loop, func() { quiet.ResolveOnLoop(struct{}{}) })
}

// WhenIdle has fn called, on the loop and not from within WhenIdle, when there is no task on loop l that has not ended. Only on the loop.
func WhenIdle(l *rondo.Loop, fn func()) {
	if s := schedulers.On(l); s.count > 0 {
		s.idlers = append(s.idlers, fn)
	} else {
		l.Defer(fn)
	}
}

// Len is the number of tasks on loop l that have not ended. Only on the loop.
func Len(l *rondo.Loop) int { return schedulers.On(l).count }

// insist is what every wait that begins then returns. A task that goes on all the same is ended.
func (f *fiber) insist() error {
	if w := f.worker; w.insisted < maxInsisted {
		w.insisted++
		return rondo.ErrEngineClosed
	}
	f.kill()
	return nil
}

// kill ends the task, by which it is called. What it waits for, if it does, is told, lest the task be found there later.
func (f *fiber) kill() {
	w := f.worker
	if on := w.on; on != nil {
		w.on = nil
		w.abandon(on, errKilled)
	}
	if w.insisted++; w.insisted > 2*maxInsisted {
		runtime.Goexit()
	}
	panic(errKilled)
}

func (f *fiber) root() *scope {
	s := f.scope
	for s.outer != nil {
		s = s.outer
	}
	return s
}

// end is the loop's end.
func (s *scheduler) end() {
	for _, w := range s.idle {
		w.stop()
	}
	s.idle, s.first, s.last = nil, nil, nil
	for s.live != nil { // parked by something that does not let go
		f := s.live
		if f.worker == nil {
			f.runs.end(rondo.ErrEngineClosed)
			s.recycle(f)
			continue
		}
		// A coroutine that runtime.Goexit ends takes with it whoever waits for it.
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.worker.stop()
		}()
		<-done
	}
	if s.watch != nil {
		s.watch.end()
	}
}
