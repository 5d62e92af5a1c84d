// Package world is what an engine asks of its surroundings beside what its pollers give it: goroutines, the end of contexts,
// names and signals. There are two worlds: the [System], and the one that package sim makes up.
package world

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// World is an engine's surroundings. Any goroutine of an engine's may call its methods.
type World interface {
	// Open opens the poller of one more loop.
	Open() (poller.Poller, error)
	// Go runs fn on a goroutine of its own.
	Go(kind Kind, fn func())
	// TakesTurns reports whether the engine's goroutines run one at a time, each until it calls Block or has ended. Then none may
	// block in any other way.
	TakesTurns() bool
	// Block is called before a goroutine blocks. If they take turns it returns once ready says true, which must not block, and is not called
	// again then. Else it returns at once. Ready is asked when one of on, contexts and what Wake is given, has ended or was woken; without any of
	// them, whenever nobody can go on.
	Block(ready func() bool, on ...any)
	// Wake has the goroutines asked whose Block was given on. A channel is the same whichever its direction.
	Wake(on any)
	// AfterFunc is context.AfterFunc.
	AfterFunc(ctx context.Context, fn func()) (stop func() bool)
	// LookupNetIP and LookupPort are net.Resolver's.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	LookupPort(ctx context.Context, network, service string) (int, error)
	// Notify calls fn for each signal that comes, some time after it has, and at least once for all those that have come
	// before the call. Stop returns when fn is not being called any more and will not be.
	Notify(sig os.Signal, fn func()) (stop func())
	// Deadline is told of each deadline that a connection is given: a world that has a time of its own may object to one that is not.
	Deadline(t time.Time)
	// Random is an even number in [0, 1).
	Random() float64
	// Gone reports whether the world has ended under the engine, as it does for a process that is killed: nothing more happens in it, and
	// goroutines only give back what they hold.
	Gone() bool
}

// Kind says what an engine starts a goroutine for.
type Kind string

// The kinds of goroutines.
const (
	Loop  Kind = "a loop"
	Work  Kind = "blocking work" // functions given to Run, and names that are looked up
	Other Kind = "a goroutine"   // what the program has started, and what waits for another engine or a channel
)

// System is the world of the operating system. Its string is the poller's name, or empty for the best.
type System string

// Open implements World.
func (s System) Open() (poller.Poller, error) { return poller.Open(string(s)) }

// Go implements World.
func (System) Go(_ Kind, fn func()) { go fn() }

// TakesTurns implements World.
func (System) TakesTurns() bool { return false }

// Block implements World.
func (System) Block(func() bool, ...any) {}

// Wake implements World.
func (System) Wake(any) {}

// AfterFunc implements World.
func (System) AfterFunc(ctx context.Context, fn func()) (stop func() bool) {
	return context.AfterFunc(ctx, fn)
}

// LookupNetIP implements World.
func (System) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, network, host)
}

// LookupPort implements World.
func (System) LookupPort(ctx context.Context, network, service string) (int, error) {
	return net.DefaultResolver.LookupPort(ctx, network, service)
}

// Notify implements World. The channel has room for one signal: package signal drops what a channel has no room for, and what it
// drops here is what has come already. (It cannot forget one of several signals of a channel either, so each has its own.)
func (System) Notify(sig os.Signal, fn func()) (stop func()) {
	ch, quit := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(ch, sig)
	var listening sync.WaitGroup
	listening.Go(func() {
		for {
			select {
			case <-ch:
				fn()
			case <-quit:
				return
			}
		}
	})
	return func() {
		signal.Stop(ch)
		close(quit)
		listening.Wait()
	}
}

// Deadline implements World.
func (System) Deadline(time.Time) {}

// Random implements World.
func (System) Random() float64 { return rand.Float64() } //nolint:gosec // it spreads what comes at once

// Gone implements World.
func (System) Gone() bool { return false }
