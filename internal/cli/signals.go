package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// errInterrupted is what ends the context of a command at the first signal. INT or TERM after it ends it at once, HUP does not.
var errInterrupted = errors.New("interrupted")

// haste is how long a command may take after the second signal to say what has become of its work and to remove its socket files.
const haste = lastWords + 500*time.Millisecond

// ending is what the signals say of how the command ends.
type ending struct {
	hurry  chan struct{} // closed at the second signal
	second atomic.Int32  // which one that was
}

// status is that of a command which the second signal has ended, as a shell has it, and 0 if there was none.
func (e *ending) status() int {
	if s := e.second.Load(); s != 0 {
		return 128 + int(s)
	}
	return 0
}

// listenToSignals interrupts the command at the first signal. At the second it hurries; after a third, or if that takes too long, the process ends.
func listenToSignals(interrupt context.CancelCauseFunc) *ending {
	e := &ending{hurry: make(chan struct{})}
	signals := make(chan os.Signal, 3) // all, however close together they come
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup, which means that we should stay
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		<-signals
		interrupt(errInterrupted)
		for s := range signals {
			// A terminal that is closed may say so twice, once itself and once through its shell: that is no haste.
			again, ok := s.(syscall.Signal)
			if !ok || again == syscall.SIGHUP {
				continue
			}
			if !e.second.CompareAndSwap(0, int32(again)) {
				os.Exit(e.status())
			}
			close(e.hurry)
			go e.exitLate()
		}
	}()
	return e
}

// exitLate ends the process when it has had its time.
func (e *ending) exitLate() {
	late, cancel := context.WithTimeout(context.Background(), haste)
	defer cancel()
	<-late.Done()
	os.Exit(e.status())
}
