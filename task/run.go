package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"syscall"

	"github.com/rondo-go/rondo"
)

// Program says how [Program.Run] runs a program. The zero Program is the usual one.
type Program struct {
	// Engine is the configuration of the program's engine, but that zero Loops means one here.
	Engine rondo.Config

	// Signals cancel the program's task. Nil means SIGINT and SIGTERM; an empty slice that is not nil, none.
	Signals []os.Signal
}

// SignalError is the reason for which a program is cancelled that a signal ends.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return fmt.Sprintf("task: ended by the signal %q", e.Signal) }

// Run runs a whole program: an engine, and on its first loop a task that runs main. It returns what main returns, when that has
// ended, all other tasks have been cancelled and have ended, and the engine is closed. The first SIGINT or SIGTERM cancels
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
	defer func() {
		if failed := e.Close(); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	l := e.Loops()[0]
	f := Go(l, main)
	defer p.watch(func(reason error) { l.Post(func() { f.Cancel(reason) }) })()
	return f.Wait(context.Background())
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
