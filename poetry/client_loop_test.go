package poetry

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
)

// TestEngineEnds: whenever it does, the fetch returns, and a part of a poem is not taken for the whole.
func TestEngineEnds(t *testing.T) {
	eachLoopClient(t, func(t *testing.T, fetch loopFetcher) {
		stall := atOnce("0123456789abcdefghij")
		stall.StallAfter = AfterBytes(10)
		addresses := []Address{serveAsync(t, stall), nobody(t), {Host: "localhost", Port: nobody(t).Port}}
		for i := range 100 {
			e := newEngine(t, 1)
			began, ended := make(chan struct{}), make(chan *Report, 1)
			go func() {
				c := Client{OnEvent: func(ev Event) {
					if i%2 == 0 && ev.Kind == EventPiece {
						close(began)
					}
				}}
				ended <- fetch(&c, t.Context(), e.Loop(), addresses)
			}()
			if i%2 == 0 {
				<-began // in the middle of it; otherwise at any time
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			r := <-ended
			if f := r.Tasks[0]; !errors.Is(f.Err, rondo.ErrEngineClosed) {
				t.Errorf("with %d bytes it ends with %v", f.Bytes, f.Err)
			}
			if r.Failed() != 3 {
				t.Errorf("%d tasks failed", r.Failed())
			}
		}
	})
}

// TestShutdownLetsFetchesEnd: an engine that shuts down lets poems that are on their way come to their end.
func TestShutdownLetsFetchesEnd(t *testing.T) {
	eachLoopClient(t, func(t *testing.T, fetch loopFetcher) {
		const text = "0123456789abcdefghij"
		o := shortPoem(text)
		goOn := make(chan struct{})
		o.Sleep = func(ctx context.Context, _ time.Duration) error {
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
		address := serve(t, o)
		e := newEngine(t, 1)
		drained := watchDrain(t, e)
		began, ended := make(chan struct{}), make(chan *Report, 1)
		go func() {
			first := true
			c := Client{OnEvent: func(ev Event) {
				if ev.Kind == EventPiece && first {
					first = false
					close(began)
				}
			}}
			ended <- fetch(&c, t.Context(), e.Loop(), []Address{address})
		}()
		<-began
		down := make(chan error, 1)
		go func() { down <- e.Shutdown(t.Context()) }()
		<-drained
		for range 20 { // whoever is quick to end a quiet connection has had turns enough to do it
			turn := make(chan struct{})
			if e.Loop().Post(func() { close(turn) }) {
				<-turn
			}
		}
		close(goOn)
		if f := (<-ended).Tasks[0]; f.Err != nil || string(f.Poem) != text {
			t.Errorf("got %q, %v", f.Poem, f.Err)
		}
		if err := <-down; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

// watchDrain closes the channel when the engine begins to shut down.
func watchDrain(t *testing.T, e *rondo.Engine) <-chan struct{} {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := drainWatch(make(chan struct{}))
	if _, err := e.Dial(t.Context(), "tcp", l.Addr().String(), w).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

type drainWatch chan struct{}

func (drainWatch) ConnectionMade(*rondo.Conn)               {}
func (drainWatch) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (drainWatch) ConnectionLost(*rondo.Conn, error)        {}
func (w drainWatch) Drain(c *rondo.Conn)                    { close(w); c.Abort() }

// TestCancelledBeforeItBegan: the report has every task all the same.
func TestCancelledBeforeItBegan(t *testing.T) {
	eachClient(t, func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		kinds := map[EventKind]int{}
		c := Client{OnEvent: func(e Event) { kinds[e.Kind]++ }}
		r := fetch(&c, ctx, []Address{serve(t, atOnce("a poem")), nobody(t)})
		for _, f := range r.Tasks {
			if !errors.Is(f.Err, ErrCancelled) {
				t.Errorf("task %d: %v", f.Task, f.Err)
			}
		}
		if kinds[EventStarted] != 2 || kinds[EventFailed] != 2 {
			t.Errorf("events %v", kinds)
		}
	})
}
