package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"syscall"
	"time"

	"github.com/rondo-go/rondo"
)

// Program says how [Program.Run] runs a program. The zero Program is the usual one.
type Program struct {
	// Engine is the configuration of the program's engine, but that zero Loops means one here.
	Engine rondo.Config

	// Grace is how long what main has left may take to end: the other tasks, which are cancelled, and connections that still have
	// something to send. Zero means one second; what is left then is aborted.
	Grace time.Duration

	// Signals cancel the program's task. Nil means SIGINT and SIGTERM; an empty slice that is not nil, none.
	Signals []os.Signal
}

const defaultGrace = time.Second

// ErrProgramEnded is the reason for which the tasks are cancelled that a program's main leaves behind, and those that these start then, unless
// it is in a group.
var ErrProgramEnded = errors.New("task: the program's main function has ended")

// SignalError is the reason for which a program is cancelled that a signal ends.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return fmt.Sprintf("task: ended by the signal %q", e.Signal) }

// Run runs a whole program: an engine, and on its first loop a task that runs main. It returns what main returns, when that has
// ended, all other tasks have been cancelled with [ErrProgramEnded] and have ended, what was written is sent, and the engine is closed. The first SIGINT or SIGTERM cancels
// the task with a [*SignalError]; from then on signals do what they do by default, so that a second one ends the process. Not on
// a loop. (asyncio.run, trio.run.)
func Run[T any](main func(t *Task) (T, error)) (T, error) { return RunProgram(Program{}, main) }

// Run runs a program that has no result, as [RunProgram] does.
func (p Program) Run(main func(t *Task) error) error {
	_, err := RunProgram(p, func(t *Task) (struct{}, error) {
		t.SetName(runtime.FuncForPC(reflect.ValueOf(main).Pointer()).Name())
		return struct{}{}, main(t)
	})
	return err
}

// RunProgram is [Run] with this configuration.
func RunProgram[T any](p Program, main func(t *Task) (T, error)) (v T, err error) {
	if p.Engine.Loops == 0 {
		p.Engine.Loops = 1
	}
	e, err := rondo.New(p.Engine)
	if err != nil {
		return v, err
	}
	l := e.Loops()[0]
	var f *rondo.Future[T]
	started := make(chan struct{})
	stop := p.watch(func(reason error) { // before main begins: no signal of its own is missed
		<-started
		l.Post(func() { f.Cancel(reason) })
	})
	f = Go(l, main)
	close(started)
	v, err = f.Wait(context.Background())
	stop()
	if failed := p.finish(e); failed != nil {
		err = errors.Join(err, failed)
	}
	return v, err
}

// finish ends what main has left: first the tasks, then the connections, which may still send what was written.
func (p Program) finish(e *rondo.Engine) error {
	l := e.Loops()[0]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l.Post(func() { l.After(cmp.Or(p.Grace, defaultGrace), cancel) })
	for _, l := range e.Loops() {
		quiet := rondo.NewPromise[struct{}](l)
		l.Post(func() { schedulers.On(l).cancelAll(quiet) })
		if _, err := quiet.Future().Wait(ctx); err != nil {
			break
		}
	}
	if err := e.Shutdown(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// watch has cancel called at the first signal.
func (p Program) watch(cancel func(reason error)) (stop func()) {
	if p.Signals == nil {
		p.Signals = []os.Signal{os.Interrupt, syscall.SIGTERM}
	}
	if len(p.Signals) == 0 {
		return func() {}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, p.Signals...)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			cancel(&SignalError{s})
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
