package rondo

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo/internal/world"
)

// Config says how an engine is built. The zero Config is a good one.
type Config struct {
	// Loops is the number of loops, each of which can keep one processor busy.
	// Zero means runtime.GOMAXPROCS(0).
	Loops int

	// Poller names the way to wait for events: "epoll", "poll" or "select" on Linux, "kqueue" on macOS
	// and the BSDs. Empty means the environment variable RONDO_POLLER, and if that is
	// empty too, the best that works here.
	Poller string

	// Debug has every call on a Conn, Timer or Loop check that it is made on the loop, and panic if
	// not. It costs about a microsecond a call. Under the race detector it is always on.
	Debug bool

	// ReadBuffer is the size in bytes of each loop's read buffer, and so the most that one
	// DataReceived gets when nothing was left. Zero means 64 KiB.
	ReadBuffer int

	// MaxReadBuffer is how many bytes a protocol may leave unconsumed before its connection ends with
	// a *BufferError. Zero means 1 MiB.
	MaxReadBuffer int

	// WriteLow, WriteHigh and WriteLimit are the water marks of connections for which
	// Conn.SetWriteLimits is not called, in bytes. Zero means 16 KiB, 64 KiB and 16 MiB, or what suits those
	// that are not zero.
	WriteLow, WriteHigh, WriteLimit int

	// CloseTimeout is how long a closed connection waits for a peer that reads nothing of what was
	// written. Zero means one minute.
	CloseTimeout time.Duration

	// MaxBlocking is how many functions given to Run run at the same time, and MaxQueued how many more
	// may wait. Zero means 256 and 65,536. (Names that Dial looks up do not count: 64 at a time, beside them.)
	MaxBlocking, MaxQueued int

	// Logger is told of what no caller can be told of: panics in callbacks, and accepting that pauses
	// for want of descriptors. Nil means slog.Default().
	Logger *slog.Logger
}

// withDefaults fills in what is zero and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	// Of the water marks, those that are not given suit those that are.
	high := cmp.Or(max(0, c.WriteHigh), max(c.WriteLow, min(64<<10, cmp.Or(max(0, c.WriteLimit), 64<<10))))
	for _, f := range []struct {
		name  string
		value *int
		zero  int
	}{
		{"Loops", &c.Loops, runtime.GOMAXPROCS(0)},
		{"ReadBuffer", &c.ReadBuffer, 64 << 10},
		{"MaxReadBuffer", &c.MaxReadBuffer, 1 << 20},
		{"WriteHigh", &c.WriteHigh, high},
		{"WriteLow", &c.WriteLow, min(16<<10, high/4)},
		{"WriteLimit", &c.WriteLimit, max(16<<20, high)},
		{"MaxBlocking", &c.MaxBlocking, 256},
		{"MaxQueued", &c.MaxQueued, 1 << 16},
	} {
		if *f.value < 0 {
			return c, fmt.Errorf("rondo: Config.%s is %d: it must not be negative", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.zero
		}
	}
	if c.WriteLow > c.WriteHigh || c.WriteHigh > c.WriteLimit {
		return c, fmt.Errorf("rondo: Config.WriteLow (%d), WriteHigh (%d) and WriteLimit (%d) must not be in decreasing order",
			c.WriteLow, c.WriteHigh, c.WriteLimit)
	}
	if c.CloseTimeout < 0 {
		return c, fmt.Errorf("rondo: Config.CloseTimeout is %v: it must not be negative", c.CloseTimeout)
	}
	if c.CloseTimeout == 0 {
		c.CloseTimeout = time.Minute
	}
	if c.Poller == "" {
		c.Poller = os.Getenv("RONDO_POLLER")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Debug = c.Debug || raceEnabled
	return c, nil
}

// Engine is a set of loops, and what they share. Any goroutine may call its methods.
type Engine struct {
	config Config
	world  world.World
	all    []*Loop
	loops  sync.WaitGroup // their goroutines

	ctx    context.Context // of blocking work; ends when work is no longer waited for
	cancel context.CancelCauseFunc

	open    atomic.Int64  // connections, dials and blocking work, and 1 until Shutdown
	idle    chan struct{} // closed when open first becomes 0
	helpers atomic.Int32  // goroutines that compete with the loops for processors
	state   atomic.Int32

	idleOnce, drainOnce sync.Once
	stopped             atomic.Bool // stop has been called
	cutOff              atomic.Int64

	done     chan struct{} // closed when the loops have ended
	executor executor
	lookups  executor
}

// What Engine.state says; it only grows.
const (
	serving  int32 = iota
	draining       // no new connections; work goes on
	stopping       // work is no longer waited for
)

// New starts an engine. It serves until Shutdown or Close.
func New(config Config) (*Engine, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return newEngine(config, world.System(config.Poller))
}

// NewIn is New in another world than the operating system's: it is what package sim is made of. Config.Poller then means nothing.
func NewIn(w world.World, config Config) (*Engine, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return newEngine(config, w)
}

// newEngine is New for a configuration that is complete.
func newEngine(config Config, w world.World) (*Engine, error) {
	e := &Engine{config: config, world: w, idle: make(chan struct{}), done: make(chan struct{})}
	e.executor.limit, e.lookups.limit = config.MaxBlocking, lookupLimit
	e.open.Store(1)
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	for i := range config.Loops {
		p, err := w.Open()
		if err != nil {
			for _, l := range e.all {
				_ = l.poller.Shut()
			}
			return nil, fmt.Errorf("rondo: %w", err)
		}
		e.all = append(e.all, newLoop(e, i, p))
	}
	for _, l := range e.all {
		e.loops.Add(1)
		w.Go(world.Loop, l.run)
	}
	return e, nil
}

// Loops returns the engine's loops.
func (e *Engine) Loops() []*Loop { return append([]*Loop(nil), e.all...) }

// Loop returns the loop with the fewest connections.
func (e *Engine) Loop() *Loop {
	best := e.all[0]
	for _, l := range e.all[1:] {
		if l.load.Load() < best.load.Load() {
			best = l
		}
	}
	return best
}

// Conns is the number of connections, those included that are being made or handed to their loop.
func (e *Engine) Conns() int {
	n := int64(0)
	for _, l := range e.all {
		n += l.load.Load()
	}
	return int(n)
}

// Done is closed when the engine has ended: all its loops have.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Logger is where the engine reports what no caller can be told: Config.Logger, or slog.Default().
func (e *Engine) Logger() *slog.Logger { return e.config.Logger }

// Poller is the name of the poller that the loops use.
func (e *Engine) Poller() string { return e.all[0].poller.Name() }

// place chooses the loop of a new connection and counts it there at once, so that many that come
// together are spread.
func (e *Engine) place() *Loop {
	l := e.Loop()
	l.load.Add(1)
	return l
}

// release is the end of something that Shutdown waits for.
func (e *Engine) release() {
	if e.open.Add(-1) == 0 {
		e.idleOnce.Do(func() { e.close(e.idle) })
	}
}

// Shutdown ends the engine in good order. It closes the listeners, gives every connection the
// chance to finish (see [Drainer]), waits for blocking work, and returns nil when all is done. If
// ctx ends first, what is left is aborted and the context's cause returned. In either case every
// protocol has been told ConnectionLost and the loops have ended when Shutdown returns; only blocking
// work that ignores its context may still run.
//
// That it returns nil does not mean that every peer has been given, and has said, all that it might: see [Engine.CutOff].
//
// On a loop it would wait for itself: there it does nothing and returns [ErrOnLoop]. In blocking work
// given to Run it would too, until ctx ends. If Close is called meanwhile, Shutdown returns nil: it has
// nothing to wait for any more.
func (e *Engine) Shutdown(ctx context.Context) error {
	if e.onLoop() {
		return ErrOnLoop
	}
	e.drainOnce.Do(func() {
		e.state.Store(draining)
		for _, l := range e.all {
			e.open.Add(1) // held until the loop has begun to drain
			if !l.Post(func() { l.drain(); e.release() }) {
				e.release()
			}
		}
		e.release()
	})
	e.world.Block(func() bool { return closed(e.idle) || closed(ctx.Done()) }, e.idle, ctx)
	var err error
	select {
	case <-e.idle:
	case <-ctx.Done():
		select { // done by the time it gave up waiting is done
		case <-e.idle:
		default:
			err = context.Cause(ctx)
		}
	}
	e.stop()
	return err
}

// CutOff is how many connections and datagram sockets the end of the engine has cut off so far, and it is final when Shutdown or Close has returned. They are those that were open when the context of Shutdown ended
// or Close was called, and of those that have ended since Shutdown was called the ones that had not sent all that was written to them, because the peer has not read for Config.CloseTimeout, and the ones that were closed
// because they were still receiving after 8 MiB more. A datagram socket counts only if it has something left to send, or its protocol is a PacketDrainer. Those that their protocol has aborted do not count, nor those whose peer has left by itself. A program that says that it has ended in good order looks here first.
func (e *Engine) CutOff() int { return int(e.cutOff.Load()) }

// Close ends the engine at once: connections are reset, and ConnectionLost gets ErrEngineClosed.
// The error is nil, or ErrOnLoop as for Shutdown.
func (e *Engine) Close() error {
	if e.onLoop() {
		return ErrOnLoop
	}
	e.drainOnce.Do(e.release) // there is no time to drain in
	e.stop()
	return nil
}

// stop ends what is left, and waits for the loops.
func (e *Engine) stop() {
	// A sync.Once would have the second caller wait in a way that a simulation does not see.
	if e.stopped.CompareAndSwap(false, true) {
		e.state.Store(stopping)
		e.cancel(ErrEngineClosed)
		for _, l := range e.all {
			l.Post(l.stop)
		}
		for _, l := range e.all {
			e.block(l.over)
		}
		e.loops.Wait()
		e.close(e.done)
	}
	e.block(e.done)
	<-e.done
}

// block is called before a goroutine waits for a channel that is only ever closed, by close.
func (e *Engine) block(until chan struct{}) {
	e.world.Block(func() bool { return closed(until) }, until)
}

// close closes a channel that block may wait for.
func (e *Engine) close(ch chan struct{}) {
	close(ch)
	e.world.Wake(ch)
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// onLoop reports whether the caller is on any of the loops.
func (e *Engine) onLoop() bool { return slices.ContainsFunc(e.all, (*Loop).onLoop) }

// drain stops accepting and dialing, and has every connection finish. Each is a piece of work of its
// own: a Drain that panics must not keep the next one from being called.
func (l *Loop) drain() {
	l.shut()
	l.call(&l.hooks.drain)
	l.conns.all(func(_ token, c *Conn) { l.queue = append(l.queue, runFunc(c.drain)) })
}

// shut stops accepting and dialing.
func (l *Loop) shut() {
	l.drained = true
	l.watchers.all(func(_ token, w watcher) { w.shut() })
}

// stop ends what is left, and the loop with this turn.
func (l *Loop) stop() {
	l.shut()
	l.conns.all(func(_ token, c *Conn) { c.end(ErrEngineClosed, true) })
	l.stopped = true
	l.call(&l.hooks.stop)
}

// report tells the log what no caller can be told.
func (e *Engine) report(what string, err error) {
	e.config.Logger.Error(what, "error", err)
}
