package rondo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// ReconnectConfig says how a connection is kept.
type ReconnectConfig struct {
	// Dial makes a connection, with a protocol of its own each time. It is called on the Reconnector's loop, and given a context that ends with the
	// Reconnector. Any way to dial will do: [Engine.Dial], a Dialer's, that of a secure.Config.
	//
	//	Dial: func(ctx context.Context) *rondo.Future[*rondo.Conn] {
	//		return engine.Dial(ctx, "tcp", "example.com:7000", newClient())
	//	},
	Dial func(ctx context.Context) *Future[*Conn]

	// Backoff is how long it waits before it dials again.
	Backoff Backoff

	// Permanent says which errors end it: of dialing, and those that ConnectionLost got, nil included, which means that this side has closed the connection.
	// ErrEngineClosed always does. Nil means no others. It is called on the Reconnector's loop.
	Permanent func(err error) bool

	// OnState is told what it does, on the Reconnector's loop. Nil is nobody.
	OnState func(s ReconnectState)

	// Loop is the Reconnector's loop; the connections may belong to any. Nil means the one with the fewest connections.
	Loop *Loop
}

// ReconnectState is what a Reconnector does.
type ReconnectState struct {
	Phase    ReconnectPhase
	Failures int           // attempts in a row that have failed, or connections that were lost soon
	Delay    time.Duration // how long it waits, if it does
	Err      error         // why it waits or has stopped; nil also if this side has closed the connection
	Conn     Handle        // the connection, if there is one
}

// ReconnectPhase is one of the phases that a Reconnector goes through.
type ReconnectPhase uint8

// The phases: Connecting and Backoff take turns until it is Connected, and after a loss begin anew. Stopped is the last.
const (
	PhaseConnecting ReconnectPhase = iota
	PhaseConnected
	PhaseBackoff
	PhaseStopped
)

func (p ReconnectPhase) String() string {
	return [...]string{"connecting", "connected", "waiting", "stopped"}[p]
}

var (
	// ErrReconnectorStopped is why a Reconnector has stopped that was told to.
	ErrReconnectorStopped = errors.New("rondo: reconnector stopped")

	// ErrGaveUp is in the error of a Reconnector for which Backoff.Attempts have failed.
	ErrGaveUp = errors.New("rondo: too many attempts to connect have failed")
)

// Reconnector keeps a connection: it dials until one stands, and again when it is lost. Any goroutine may use it.
type Reconnector struct {
	cfg  ReconnectConfig
	loop *Loop

	// What follows belongs to the loop.
	ctx     context.Context
	cancel  context.CancelCauseFunc
	unwatch func() bool
	token   token
	state   ReconnectState
	since   time.Time // when the connection was made
	timer   Timer
	waiting []*Promise[Handle]
	ending  []*Promise[error]
	reason  error // why it is to stop; nil: it is not
	busy    bool  // a connection stands or is being made
	over    bool  // it has stopped
}

// Start begins to dial. It ends with Stop, with the context's cause when ctx ends, when the engine of its loop shuts down, or by what the configuration says. It panics if cfg.Dial
// is nil. Any goroutine may call it.
func (cfg ReconnectConfig) Start(ctx context.Context, e *Engine) *Reconnector {
	if cfg.Dial == nil {
		panic("rondo: ReconnectConfig needs a Dial")
	}
	l := cfg.Loop
	if l == nil {
		l = e.Loop()
	}
	r := &Reconnector{cfg: cfg, loop: l}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if !l.Post(func() { r.begin(ctx) }) {
		r.cancel(ErrEngineClosed)
	}
	return r
}

// Stop has it dial no more. An attempt is given up, and the connection closed as by Conn.Close. See WhenStopped for when that is done. Stopping again does nothing.
func (r *Reconnector) Stop() { r.loop.Post(func() { r.stop(ErrReconnectorStopped) }) }

// WhenConnected is the connection that stands, or the next one. The future, which belongs to the Reconnector's loop, fails with the reason when it stops. By the time that somebody looks, the
// connection may be lost again.
func (r *Reconnector) WhenConnected() *Future[Handle] {
	p := NewPromise[Handle](r.loop)
	p.OnCancel(func(reason error) {
		r.waiting = slices.DeleteFunc(r.waiting, func(other *Promise[Handle]) bool { return p == other })
		p.Reject(reason)
	})
	if !r.loop.Post(func() {
		switch {
		case r.reason != nil:
			p.Reject(r.reason)
		case r.state.Phase == PhaseConnected:
			p.Resolve(r.state.Conn)
		default:
			r.waiting = append(r.waiting, p)
		}
	}) {
		p.Reject(ErrEngineClosed)
	}
	return p.Future()
}

// WhenStopped has the reason once it has stopped and its last connection has ended: [ErrReconnectorStopped], the context's cause, ErrEngineClosed, an error that is permanent, or one of
// [ErrGaveUp] with the last that dialing gave. The future belongs to the Reconnector's loop.
func (r *Reconnector) WhenStopped() *Future[error] {
	p := NewPromise[error](r.loop)
	if !r.loop.Post(func() {
		if r.over {
			p.Resolve(r.reason)
		} else {
			r.ending = append(r.ending, p)
		}
	}) {
		p.Resolve(ErrEngineClosed)
	}
	return p.Future()
}

// begin is the first thing that happens on the loop.
func (r *Reconnector) begin(given context.Context) {
	if r.loop.drained {
		r.stop(ErrEngineClosed)
		return
	}
	r.token = r.loop.watchers.put(r) // where a shutdown finds it
	r.unwatch = r.loop.engine.world.AfterFunc(given, func() {
		r.loop.Post(func() { r.stop(context.Cause(given)) })
	})
	if r.reason == nil {
		r.dial()
	}
}

// enter goes on to a phase, and tells of it.
func (r *Reconnector) enter(s ReconnectState) {
	r.state = s
	if r.cfg.OnState != nil {
		r.cfg.OnState(s)
	}
}

// dial makes one attempt.
func (r *Reconnector) dial() {
	r.busy = true
	r.enter(ReconnectState{Phase: PhaseConnecting, Failures: r.state.Failures})
	if r.reason != nil { // OnState has stopped it
		r.lost(r.reason, 0)
		return
	}
	r.busy = false // should Dial panic
	f := r.cfg.Dial(r.ctx)
	r.busy = true
	if !f.Loop().Post(func() { f.OnDone(r.dialed) }) {
		r.lost(ErrEngineClosed, 0)
	}
}

// dialed is an attempt's result. It is called on the connection's loop.
func (r *Reconnector) dialed(c *Conn, err error) {
	if err != nil {
		r.loop.Post(func() { r.lost(err, 0) })
		return
	}
	h := c.Handle()
	r.loop.Post(func() { r.connected(h) })
	c.OnLost(func(reason error) {
		r.loop.Post(func() { r.lost(reason, r.loop.Now().Sub(r.since)) })
	})
}

func (r *Reconnector) connected(h Handle) {
	r.since = r.loop.Now()
	if r.reason != nil {
		_ = h.Close()
		return
	}
	waiting := r.waiting
	r.waiting = nil
	r.enter(ReconnectState{Phase: PhaseConnected, Failures: r.state.Failures, Conn: h})
	for _, p := range waiting {
		p.Resolve(h)
	}
}

// lost is told that an attempt has failed, or that a connection has ended which has lasted so long.
func (r *Reconnector) lost(err error, lasted time.Duration) {
	r.busy = false
	connected := r.state.Phase == PhaseConnected
	failures := r.state.Failures + 1
	if connected && lasted >= orDefault(r.cfg.Backoff.Reset, resetAfter) {
		failures = 0
	}
	switch {
	case r.reason != nil:
		r.finish()
		return
	case r.ctx.Err() != nil: // of which the attempt was told first
		r.stop(context.Cause(r.ctx))
		return
	case errors.Is(err, ErrEngineClosed), r.cfg.Permanent != nil && r.cfg.Permanent(err):
		r.stop(orClosed(err))
		return
	case r.cfg.Backoff.Attempts > 0 && failures >= r.cfg.Backoff.Attempts:
		r.stop(fmt.Errorf("%w: the last of %d: %w", ErrGaveUp, failures, orClosed(err)))
		return
	}
	delay := r.cfg.Backoff.Delay(max(failures-1, 0), r.loop.Rand().Float64())
	r.timer = r.loop.After(delay, func() {
		if r.reason == nil {
			r.dial()
		}
	})
	r.enter(ReconnectState{Phase: PhaseBackoff, Failures: failures, Delay: delay, Err: err})
}

const resetAfter = 10 * time.Second

// orClosed is the error of a connection that has ended, in words if this side has closed it.
func orClosed(err error) error {
	if err == nil {
		return ErrClosed
	}
	return err
}

// ready implements watcher. It waits for no descriptor.
func (r *Reconnector) ready(poller.Ready) {}

// shut implements watcher. The connection ends as connections of its engine do.
func (r *Reconnector) shut() { r.stop(ErrEngineClosed) }

// stop has it end.
func (r *Reconnector) stop(reason error) {
	if r.reason != nil {
		return
	}
	r.reason = reason
	r.timer.Stop()
	r.cancel(reason)
	if r.unwatch != nil {
		r.unwatch()
	}
	if r.token != 0 {
		r.loop.watchers.remove(r.token)
	}
	switch {
	case !r.busy:
		r.finish()
	case r.state.Phase == PhaseConnected && !errors.Is(reason, ErrEngineClosed):
		_ = r.state.Conn.Close()
	}
	for _, p := range r.waiting {
		p.Reject(reason)
	}
	r.waiting = nil
}

// finish is the last thing that happens.
func (r *Reconnector) finish() {
	r.over = true
	r.enter(ReconnectState{Phase: PhaseStopped, Failures: r.state.Failures, Err: r.reason})
	for _, p := range r.ending {
		p.Resolve(r.reason)
	}
	r.ending = nil
}
