package poetry

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
)

// fetchers are the clients that every test of clients runs through.
var fetchers = map[Mode]func(*Client, context.Context, []Address) *Report{
	ModeBlocking: (*Client).FetchBlocking,
	ModeThreads:  (*Client).FetchThreads,
	ModeAsync:    onLoop((*Client).FetchAsync),
	ModeTask:     onLoop((*Client).FetchTasks),
}

// loopFetchers are those of them that need a loop.
var loopFetchers = map[Mode]loopFetcher{
	ModeAsync: (*Client).FetchAsync,
	ModeTask:  (*Client).FetchTasks,
}

type loopFetcher = func(*Client, context.Context, *rondo.Loop, []Address) *Report

// onLoop gives a client a loop of its own.
func onLoop(fetch loopFetcher) func(*Client, context.Context, []Address) *Report {
	return func(c *Client, ctx context.Context, addresses []Address) *Report {
		e, err := rondo.New(rondo.Config{Loops: 1})
		if err != nil {
			panic(err)
		}
		defer e.Close()
		return fetch(c, ctx, e.Loop(), addresses)
	}
}

func eachLoopClient(t *testing.T, test func(t *testing.T, fetch loopFetcher)) {
	for mode, fetch := range loopFetchers {
		t.Run(string(mode), func(t *testing.T) { test(t, fetch) })
	}
}

func eachClient(t *testing.T, test func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report)) {
	for mode, fetch := range fetchers {
		t.Run(string(mode), func(t *testing.T) { test(t, fetch) })
	}
}

// nobody is an address that nothing listens on.
func nobody(t *testing.T) Address {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return addressOf(l.Addr())
}

// TestFailuresAreTheirOwn fetches from a good server among bad ones.
func TestFailuresAreTheirOwn(t *testing.T) {
	eachClient(t, func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report) {
		t.Parallel() // each waits for its own timeout, which is long enough for a busy machine
		stall, reset := shortPoem("0123456789abcdefghij"), shortPoem("0123456789abcdefghij")
		stall.StallAfter, reset.ResetAfter = AfterBytes(12), AfterBytes(15)
		// A reset that overtakes the client's own connect would look like another failure, so it waits for the bytes.
		arrived := make(chan struct{})
		var waits atomic.Int64
		reset.Sleep = func(ctx context.Context, _ time.Duration) error {
			if waits.Add(1) == 2 {
				select {
				case <-arrived:
				case <-ctx.Done():
				}
			}
			return ctx.Err()
		}
		got := 0
		c := Client{Timeout: 2 * time.Second, OnEvent: func(e Event) {
			if e.Kind == EventPiece && e.Task == 4 {
				if got += e.Bytes; got == 15 {
					close(arrived)
				}
			}
		}}
		addresses := []Address{serve(t, shortPoem("a good poem")), nobody(t), serve(t, stall), serve(t, reset)}
		r := fetch(&c, t.Context(), addresses)
		for i, want := range []struct {
			err   error
			bytes int
			says  string
		}{
			{nil, 11, ""},
			{ErrRefused, 0, "refused the connection"},
			{ErrStalled, 12, "sent nothing more within 2s, after 12 bytes."},
			{ErrReset, 15, "reset the connection after 15 bytes."},
		} {
			f := r.Tasks[i]
			if !errors.Is(f.Err, want.err) || f.Bytes != want.bytes || len(f.Poem) != want.bytes {
				t.Errorf("task %d: %d bytes and %v, want %d and %v", i+1, f.Bytes, f.Err, want.bytes, want.err)
			}
			if f.Err != nil && (!strings.Contains(f.Err.Error(), want.says) || !strings.Contains(f.Err.Error(), f.Address)) {
				t.Errorf("task %d says %q", i+1, f.Err)
			}
			if (f.Bytes > 0) != (f.FirstByte != Never) || (i == 1) != (f.Connected == Never) {
				t.Errorf("task %d connected at %v, first byte at %v", i+1, f.Connected, f.FirstByte)
			}
		}
		if r.Poems() != 1 || r.Failed() != 3 {
			t.Errorf("%d poems, %d failed", r.Poems(), r.Failed())
		}
	})
}

func TestCancel(t *testing.T) {
	eachClient(t, func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report) {
		stall := shortPoem("0123456789")
		stall.StallAfter = AfterBytes(5)
		address := serve(t, stall)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := Client{OnEvent: func(e Event) {
			if e.Kind == EventPiece {
				cancel()
			}
		}}
		r := fetch(&c, ctx, []Address{address, address})
		for _, f := range r.Tasks {
			if !errors.Is(f.Err, ErrCancelled) || !errors.Is(f.Err, context.Canceled) {
				t.Errorf("task %d: %v", f.Task, f.Err)
			}
		}
	})
}

// TestDeadlineOfCallerIsNoStall: a context that runs out is the caller's doing, not the server's.
func TestDeadlineOfCallerIsNoStall(t *testing.T) {
	eachClient(t, func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report) {
		stall := shortPoem("0123456789")
		stall.StallAfter = AfterBytes(0)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		r := fetch(&Client{Timeout: time.Minute}, ctx, []Address{serve(t, stall)})
		if err := r.Tasks[0].Err; !errors.Is(err, ErrCancelled) || errors.Is(err, ErrStalled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestPoemTooLong(t *testing.T) {
	eachClient(t, func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report) {
		r := fetch(&Client{MaxBytes: 15}, t.Context(), []Address{serve(t, shortPoem(strings.Repeat("x", 1000)))})
		if f := r.Tasks[0]; !errors.Is(f.Err, ErrTooLong) || f.Bytes != 15 || !strings.HasSuffix(f.Err.Error(), " sent more than 15 bytes, the most that a poem may have.") {
			t.Errorf("%d bytes, %v", f.Bytes, f.Err)
		}
	})
}

// TestTimingLaw: fetched one after the other, the poems take the sum of their times; all at once, the time of the
// longest. It holds what was measured against itself, so a busy machine makes it slower and not wrong.
func TestTimingLaw(t *testing.T) {
	const delay = 2 * time.Millisecond
	var addresses []Address
	pieces := []int{25, 20, 15}
	for _, n := range pieces {
		o := shortPoem(strings.Repeat("x", 10*n))
		o.Delay, o.Sleep = delay, nil
		addresses = append(addresses, serve(t, o))
	}
	blocking := new(Client).FetchBlocking(t.Context(), addresses)
	threads := new(Client).FetchThreads(t.Context(), addresses)
	async := fetchers[ModeAsync](new(Client), t.Context(), addresses)
	tasks := fetchers[ModeTask](new(Client), t.Context(), addresses)

	for _, r := range []*Report{blocking, threads, async, tasks} {
		for i, f := range r.Tasks {
			if least := time.Duration(pieces[i]) * delay; f.Err != nil || f.Elapsed() < least {
				t.Errorf("%s: task %d took %v (%v), less than its %d delays", r.Mode, f.Task, f.Elapsed(), f.Err, pieces[i])
			}
		}
	}
	if blocking.Total() != blocking.Sum() || blocking.mostAtOnce() != 1 {
		t.Errorf("blocking: %v in all, %v added up, %d at a time", blocking.Total(), blocking.Sum(), blocking.mostAtOnce())
	}
	for i := 1; i < len(blocking.Tasks); i++ {
		if blocking.Tasks[i].Start < blocking.Tasks[i-1].End {
			t.Errorf("blocking: task %d began before the last one ended", i+1)
		}
	}
	for _, r := range []*Report{threads, async, tasks} {
		if r.mostAtOnce() != 3 || r.Total() > r.Longest()*3/2 || r.Total() > r.Sum()*4/5 {
			t.Errorf("%s: %v in all, the longest %v, %v added up, %d at a time",
				r.Mode, r.Total(), r.Longest(), r.Sum(), r.mostAtOnce())
		}
	}
}

// TestEvents: each task begins once and ends once, and its pieces add up.
func TestEvents(t *testing.T) {
	eachClient(t, func(t *testing.T, fetch func(*Client, context.Context, []Address) *Report) {
		got := map[int][]EventKind{}
		bytes := map[int]int{}
		c := Client{OnEvent: func(e Event) { // no lock: one event at a time is promised, and the race detector listens
			got[e.Task] = append(got[e.Task], e.Kind)
			if e.Kind == EventPiece {
				bytes[e.Task] += e.Bytes
			}
		}}
		r := fetch(&c, t.Context(), []Address{serve(t, shortPoem("one")), nobody(t), serve(t, shortPoem("three"))})
		for _, f := range r.Tasks {
			kinds := got[f.Task]
			last := EventFinished
			if f.Err != nil {
				last = EventFailed
			}
			if kinds[0] != EventStarted || kinds[len(kinds)-1] != last || bytes[f.Task] != f.Bytes {
				t.Errorf("task %d: events %v, %d bytes", f.Task, kinds, bytes[f.Task])
			}
		}
	})
}
