package rondo

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// Reconnect says how a connection is kept: made, and made again whenever it is lost or could not be made, after a delay that grows with each failure. Dial and Protocol must be given.
type Reconnect struct {
	// Dial makes one attempt, as Engine.Dial and secure.Config.Dial do, with a protocol for its connection. It is called on the loop, and should make
	// a connection of that loop (Dialer.Loop).
	Dial func(ctx context.Context, p Protocol) *Future[*Conn]

	// Protocol makes the protocol of one connection. It is called on the loop, before the attempt.
	Protocol func() Protocol

	// First is the longest delay after the first failure; each failure in a row doubles it, up to Most. The delay itself is drawn from zero to that ("full jitter"), so that clients that have lost the same server do not
	// come back together. Zero means 500 milliseconds and one minute.
	First, Most time.Duration

	// Stable is how long a connection must have lasted for its loss to count as the first failure. Zero means 10 seconds.
	Stable time.Duration

	// Failures is how many failures in a row are borne: with the next the client gives up. Zero means any number.
	Failures int

	// GiveUp reports whether there is no point in trying again after that error, of Dial or of ConnectionLost. Nil means that there always is. The end of the engine is the end in any case.
	GiveUp func(err error) bool

	// Changed is told on the loop of each change. Nil: nobody is.
	Changed func(ReconnectState)
}

// ReconnectState is what a client that reconnects is doing.
type ReconnectState struct {
	Conn     *Conn         // the connection that stands; nil if none does
	Err      error         // why the last attempt failed or the last connection was lost; nil as long as nothing went wrong. A connection that was closed here, or by its peer in good order, is lost with io.EOF
	Failures int           // in a row
	Delay    time.Duration // until the next attempt; 0 while one is under way, a connection stands, or all is over
	Over     bool          // nothing more will be tried
}

// Reconnector is a client that reconnects. Any goroutine may call Loop, Done and Stop; the rest belongs to the loop.
type Reconnector struct {
	cfg     Reconnect
	loop    *Loop
	token   token           // in the table where a shutdown finds it
	ctx     context.Context // of attempts
	cancel  context.CancelCauseFunc
	state   ReconnectState
	since   time.Time          // the connection stands
	attempt *Future[*Conn]     // under way
	timer   Timer              // until the next
	waiting []*Promise[*Conn]  // for a connection
	over    *Promise[struct{}] // how it ended
}

// ErrStopped is how a client ends that Reconnector.Stop has ended.
var ErrStopped = errors.New("rondo: reconnector stopped")

// Start begins to keep a connection, on that loop. It goes on until Stop, until it gives up, or until the engine shuts down. It panics without Dial and Protocol. Any goroutine may call it.
func (cfg Reconnect) Start(l *Loop) *Reconnector {
	if cfg.Dial == nil || cfg.Protocol == nil {
		panic("rondo: Reconnect.Start needs Dial and Protocol")
	}
	cfg.First, cfg.Most, cfg.Stable = orDefault(cfg.First, 500*time.Millisecond), orDefault(cfg.Most, time.Minute), orDefault(cfg.Stable, 10*time.Second)
	r := &Reconnector{cfg: cfg, loop: l, over: NewPromise[struct{}](l)}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	if !l.Post(func() {
		r.over.Future().Ignore() // who waits for a connection hears of it too
		if !l.drained {
			r.token = l.watchers.put(r)
		}
		r.dial()
	}) {
		r.over.Reject(ErrEngineClosed)
	}
	return r
}

// Loop is the client's loop.
func (r *Reconnector) Loop() *Loop { return r.loop }

// State is what the client is doing. Only on the loop.
func (r *Reconnector) State() ReconnectState {
	r.loop.mustOwn("Reconnector.State", "Loop.Post to get onto the loop")
	return r.state
}

// Connected has the connection that stands, or the next that will. It fails with what ended the client: [ErrStopped], ErrEngineClosed, or the error after which it gave up. Only on the loop.
func (r *Reconnector) Connected() *Future[*Conn] {
	r.loop.mustOwn("Reconnector.Connected", "Loop.Post to get onto the loop")
	p := NewPromise[*Conn](r.loop)
	switch {
	case r.state.Conn != nil:
		p.Resolve(r.state.Conn)
	case r.state.Over:
		p.Reject(r.state.Err)
	default:
		r.waiting = append(r.waiting, p)
	}
	return p.Future()
}

// Done fails when the client has ended, with the reason: see Connected. It never succeeds.
func (r *Reconnector) Done() *Future[struct{}] { return r.over.Future() }

// Stop ends the client: an attempt that is under way is given up, a connection that stands is closed as Conn.Close closes it. Its protocol is told as always.
func (r *Reconnector) Stop() {
	r.loop.Post(func() { r.end(ErrStopped) })
}

func (r *Reconnector) end(reason error) {
	if r.state.Over {
		return
	}
	c, attempt := r.state.Conn, r.attempt
	r.timer.Stop()
	if r.token != 0 {
		r.loop.watchers.remove(r.token)
	}
	r.change(ReconnectState{Err: reason, Failures: r.state.Failures, Over: true})
	r.cancel(reason)
	if attempt != nil {
		attempt.Cancel(reason)
	}
	if c != nil {
		_ = c.Close()
	}
	waiting := r.waiting
	r.waiting = nil
	for _, p := range waiting {
		p.Reject(reason)
	}
	r.over.Reject(reason)
}

func (r *Reconnector) change(s ReconnectState) {
	r.state = s
	if r.cfg.Changed != nil {
		r.cfg.Changed(s)
	}
}

// shut implements watcher: the engine shuts down. A connection that stands ends in its own way.
func (r *Reconnector) shut() {
	if r.state.Conn == nil {
		r.end(ErrEngineClosed)
	}
}

// ready implements watcher.
func (r *Reconnector) ready(poller.Ready) {}

// dial makes an attempt.
func (r *Reconnector) dial() {
	if r.loop.drained {
		r.end(ErrEngineClosed)
	}
	if r.state.Delay != 0 && !r.state.Over {
		r.change(ReconnectState{Err: r.state.Err, Failures: r.state.Failures})
	}
	if r.state.Over {
		return
	}
	attempt := r.cfg.Dial(r.ctx, r.cfg.Protocol())
	r.attempt = attempt
	attempt.OnDone(func(c *Conn, err error) {
		r.attempt = nil
		switch {
		case r.state.Over && c != nil:
			_ = c.Close()
		case r.state.Over:
		case err != nil:
			r.failed(err)
		default:
			r.stands(c)
		}
	})
}

// stands is an attempt that succeeded.
func (r *Reconnector) stands(c *Conn) {
	r.since = r.loop.Now()
	r.change(ReconnectState{Conn: c, Err: r.state.Err, Failures: r.state.Failures})
	waiting := r.waiting
	r.waiting = nil
	for _, p := range waiting {
		p.Resolve(c)
	}
	c.OnLost(func(err error) {
		if r.state.Over {
			return
		}
		if err == nil {
			err = io.EOF
		}
		r.failed(err)
	})
}

// failed is an attempt that failed, or a connection that was lost.
func (r *Reconnector) failed(err error) {
	failures := r.state.Failures + 1
	if c := r.state.Conn; c != nil && r.loop.Now().Sub(r.since) >= r.cfg.Stable {
		failures = 1
	}
	switch {
	case r.loop.drained || errors.Is(err, ErrEngineClosed):
		r.end(ErrEngineClosed)
		return
	case r.cfg.GiveUp != nil && r.cfg.GiveUp(err), r.cfg.Failures > 0 && failures > r.cfg.Failures:
		r.state.Failures = failures
		r.end(err)
		return
	}
	most := min(r.cfg.First, r.cfg.Most)
	for i := 1; i < failures && most < r.cfg.Most; i++ {
		most = min(2*most, r.cfg.Most)
	}
	delay := max(1, time.Duration(r.loop.Rand().Int64N(int64(most)+1)))
	r.timer = r.loop.After(delay, r.dial)
	r.change(ReconnectState{Err: err, Failures: failures, Delay: delay})
}
