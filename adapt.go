package rondo

import (
	"context"
	"errors"

	"github.com/rondo-go/rondo/internal/world"
)

// Chan is a channel on which what f comes to is sent once, or [ErrEngineClosed] if the engine closes before: for goroutines
// that select. It has room for it, so nobody need receive. The Index is 0. Who has called Chan is taken to look at the error, and
// waits for f until f is done. Only on the loop; receiving is for any goroutine.
func (f *Future[T]) Chan() <-chan Outcome[T] {
	f.loop.mustOwn("Future.Chan", "Future.Wait")
	ch := make(chan Outcome[T], 1)
	sent := false
	stop := f.loop.engine.world.AfterFunc(f.loop.engine.ctx, func() {
		f.loop.engine.block(f.loop.over)
		<-f.loop.over
		if !sent { // nobody changes it any more
			ch <- Outcome[T]{Err: ErrEngineClosed}
		}
	})
	f.OnDone(func(v T, err error) {
		stop()
		sent = true
		ch <- Outcome[T]{Value: v, Err: err}
	})
	return ch
}

// ErrChanClosed is the error of a future of [FromChan] whose channel was closed.
var ErrChanClosed = errors.New("rondo: the channel was closed before a value came")

// FromChan is the future of the next value that is sent on ch. It fails with [ErrChanClosed] if ch is closed, and with
// [ErrEngineClosed] if the engine is. A goroutine waits for the value until then, or until the future is cancelled; a value that it
// receives in that very moment is lost. Any goroutine may call it.
func FromChan[T any](l *Loop, ch <-chan T) *Future[T] {
	p := NewPromise[T](l)
	given := make(chan struct{})
	p.OnCancel(func(reason error) {
		close(given)
		p.RejectOnLoop(reason)
	})
	e := l.engine
	e.world.Go(world.Other, func() {
		var v T
		var ok, received bool
		e.world.Block(func() bool {
			select {
			case v, ok = <-ch:
				received = true
			default:
			}
			return received || closed(given) || closed(e.ctx.Done())
		})
		if !received {
			select {
			case v, ok = <-ch:
			case <-given:
				return
			case <-e.ctx.Done():
				p.Reject(ErrEngineClosed)
				return
			}
		}
		if ok {
			p.Resolve(v)
		} else {
			p.Reject(ErrChanClosed)
		}
	})
	return p.Future()
}

// FromContext is the future of ctx's end; its result is the context's cause. It leaves nothing with ctx once it is cancelled or
// the engine is closed; cancelling it leaves ctx alone. Any goroutine may call it.
func FromContext(l *Loop, ctx context.Context) *Future[error] { //nolint:revive // the loop comes first everywhere
	p := NewPromise[error](l)
	var stop func()
	p.OnCancel(func(reason error) { // before ctx can end
		stop()
		p.RejectOnLoop(reason)
	})
	stop = l.afterContext(ctx, func() { p.Resolve(context.Cause(ctx)) })
	return p.Future()
}

// Context is a context that ends when f is done, with f's error as its cause, context.Canceled if there is none; or
// when parent ends, the engine closes (with [ErrEngineClosed] as its cause), or cancel is called, which should be done in any
// case: until then f keeps the context, and f is taken to be waited for. Only on the loop; the context and cancel are for any
// goroutine.
func (f *Future[T]) Context(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	f.loop.mustOwn("Future.Context", "Future.Wait")
	ctx, end := context.WithCancelCause(parent)
	c := &futureContext{future: f, end: end}
	c.waiter.Init(c)
	stopEngine := f.loop.engine.world.AfterFunc(f.loop.engine.ctx, func() { end(ErrEngineClosed) })
	stop := f.loop.engine.world.AfterFunc(ctx, func() {
		stopEngine()
		f.loop.Post(func() { c.waiter.Stop() })
	})
	c.stop = func() { stop(); stopEngine() }
	f.Watch(&c.waiter)
	return ctx, func() { end(nil) }
}

// futureContext is a call of Context.
type futureContext struct {
	waiter Waiter
	future Awaitable
	end    context.CancelCauseFunc
	stop   func()
}

// FutureDone implements Notified.
func (c *futureContext) FutureDone() {
	c.stop()
	c.end(c.future.Err())
}
