package http1

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/rondo-go/rondo/task"
)

// requestContext is a request's context: it ends when the handler has returned, the client has gone, or the engine no longer waits. It costs no channel until somebody asks for one.
type requestContext struct {
	shard *shard
	local func() any // the connection's local address
	task  *task.Task // in which the handler runs, if it does

	mu    sync.Mutex
	err   error
	done  chan struct{}
	after map[*func()]func() // of AfterFunc
	left  bool               // it ended since the client has left
	told  chan bool          // of CloseNotify
}

// serverKey is the key under which a request's context has its *Server.
type serverKey struct{}

// ServerOf is the server that a request has come to; nil if it is none of this package.
func ServerOf(ctx context.Context) *Server {
	s, _ := ctx.Value(serverKey{}).(*Server)
	return s
}

// taskKey is that of the task.
type taskKey struct{}

// Deadline implements context.Context, as those below do.
func (*requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (x *requestContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.done == nil {
		x.done = make(chan struct{})
		if x.err != nil {
			close(x.done)
		}
	}
	return x.done
}

func (x *requestContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err
}

func (x *requestContext) Value(key any) any {
	switch key {
	case serverKey{}:
		return x.shard.server
	case http.ServerContextKey:
		return x.shard.standard
	case taskKey{}:
		return x.task
	case http.LocalAddrContextKey:
		return x.local()
	}
	return nil
}

// AfterFunc is what package context looks for, lest it start a goroutine for each context that is derived.
func (x *requestContext) AfterFunc(fn func()) (stop func() bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		x.shard.loop.Engine().Go(fn)
		return func() bool { return false }
	}
	key := &fn
	if x.after == nil {
		x.after = map[*func()]func(){}
	}
	x.after[key] = fn
	return func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		_, ok := x.after[key]
		delete(x.after, key)
		return ok
	}
}

// end ends it. Any goroutine may call it.
func (x *requestContext) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil {
		return
	}
	x.err = context.Canceled
	if x.done != nil {
		close(x.done)
		x.shard.loop.Engine().Wake(x)
		x.shard.loop.Engine().Wake((<-chan struct{})(x.done))
	}
	for _, fn := range x.after {
		x.shard.loop.Engine().Go(fn)
	}
	x.after = nil
}

// leave ends it because the client has left. Any goroutine may call it.
func (x *requestContext) leave() {
	x.mu.Lock()
	x.left = true
	x.tell()
	x.mu.Unlock()
	x.end()
}

// notify is a channel that tells when the client leaves.
func (x *requestContext) notify() <-chan bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.told == nil {
		x.told = make(chan bool, 1)
		x.tell()
	}
	return x.told
}

// tell tells it, once and with the lock held.
func (x *requestContext) tell() {
	if x.left && x.told != nil {
		select {
		case x.told <- true:
		default:
		}
		x.shard.loop.Engine().Wake((<-chan bool)(x.told))
	}
}
