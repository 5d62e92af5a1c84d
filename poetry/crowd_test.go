package poetry

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// crowdSize is how many clients a test can have here: each is two descriptors of this one process.
func crowdSize() int {
	switch {
	case os.Getenv("RONDO_POLLER") == "select":
		return 300 // select knows no descriptor above 1023
	case testing.Short() || raceEnabled:
		return 400
	case os.Getenv("RONDO_POLLER") == "poll":
		return 1000 // poll looks at every descriptor each time
	}
	return 5000
}

// TestCrowd has everybody served at the same time: nobody's poem goes on before all have had their first piece.
func TestCrowd(t *testing.T) { eachLoopClient(t, testCrowd) }

func testCrowd(t *testing.T, fetch loopFetcher) {
	n := crowdSize()
	const text = "0123456789abcdefghij"
	o := atOnce(text)
	o.Source.Read = func() ([]byte, error) { return []byte(text), nil }
	o.Delay = time.Hour
	o.StallAfter = AfterBytes(10)
	server, client := newEngine(t, 1), newEngine(t, 1)
	s, err := ListenAsync(server, o)
	if err != nil {
		t.Fatal(err)
	}
	addresses := make([]Address, n)
	for i := range addresses {
		addresses[i] = addressOf(s.Addr())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var pieces atomic.Int64
	c := Client{OnEvent: func(e Event) {
		if e.Kind == EventPiece && pieces.Add(1) == int64(n) {
			cancel() // all of them have had it, and nobody has left
		}
	}}
	r := fetch(&c, ctx, client.Loop(), addresses)
	if r.Bytes() != n*10 || r.mostAtOnce() != n {
		t.Errorf("%d bytes for %d clients, %d of them at a time", r.Bytes(), n, r.mostAtOnce())
	}
	for _, f := range r.Tasks {
		if f.Bytes != 10 {
			t.Fatalf("task %d got %d bytes: %v", f.Task, f.Bytes, f.Err)
		}
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestCrowdGetsWholePoems lets the same crowd have its poems to the end.
func TestCrowdGetsWholePoems(t *testing.T) { eachLoopClient(t, testCrowdGetsWholePoems) }

func testCrowdGetsWholePoems(t *testing.T, fetch loopFetcher) {
	n := crowdSize()
	text := strings.Repeat("Come live with me, and be my love. ", 3)
	o := atOnce(text)
	o.NumBytes, o.Delay = 35, time.Millisecond
	address := serveAsync(t, o)
	addresses := make([]Address, n)
	for i := range addresses {
		addresses[i] = address
	}
	r := fetch(&Client{Timeout: patience}, t.Context(), newEngine(t, 1).Loop(), addresses)
	for _, f := range r.Tasks {
		if f.Err != nil || string(f.Poem) != text {
			t.Fatalf("task %d got %q, %v", f.Task, f.Poem, f.Err)
		}
	}
}
