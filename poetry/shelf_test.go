package poetry

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
)

// TestShelf: ten thousand readings of one file are one poem in memory.
func TestShelf(t *testing.T) {
	var s shelf
	keep := func(text string, err error) []byte {
		poem, got := s.read(func() ([]byte, error) { return []byte(text), err })
		if !errors.Is(got, err) {
			t.Errorf("reading %q: %v", text, got)
		}
		return poem
	}
	first := keep("a poem", nil)
	if again := keep("a poem", nil); &again[0] != &first[0] {
		t.Error("the same poem is kept twice")
	}
	if none := keep("half a po", io.ErrUnexpectedEOF); none != nil {
		t.Errorf("what could not be read comes as %q", none)
	}
	if again := keep("a poem", nil); &again[0] != &first[0] {
		t.Error("an error has the poem kept twice")
	}
	if other := keep("a goem", nil); string(other) != "a goem" || string(first) != "a poem" {
		t.Errorf("another poem comes as %q", other)
	}
	if none := keep("", nil); len(none) != 0 {
		t.Errorf("an empty file comes as %q", none)
	}
}

// TestShelfReadsOne: however many come at once, one copy is read at a time, and nobody gets an older one than there was when they came.
func TestShelfReadsOne(t *testing.T) {
	var s shelf
	var now, reading, most atomic.Int64
	var readers sync.WaitGroup
	for range 50 {
		readers.Go(func() {
			for range 20 {
				came := now.Add(1)
				poem, err := s.read(func() ([]byte, error) {
					if n := reading.Add(1); n > 1 {
						most.Store(n)
					}
					defer reading.Add(-1)
					return fmt.Append(nil, now.Load()), nil
				})
				got := int64(0)
				if _, scanErr := fmt.Sscan(string(poem), &got); err != nil || scanErr != nil || got < came {
					t.Errorf("at %d came %q, %v", came, poem, err)
				}
			}
		})
	}
	readers.Wait()
	if most.Load() > 1 {
		t.Errorf("%d read at once", most.Load())
	}
}

// TestShelfShares: who waits while the poem is read from its beginning to its end takes that for theirs, an error too; who comes later does not.
func TestShelfShares(t *testing.T) {
	for _, fails := range []error{nil, io.ErrUnexpectedEOF} {
		var s shelf
		came := s.begun.Load()
		if _, err := s.read(func() ([]byte, error) { return []byte("a poem"), fails }); !errors.Is(err, fails) {
			t.Errorf("reading: %v", err)
		}
		again := func() ([]byte, error) { return nil, errAgain }
		if _, err := s.readSince(came, again); !errors.Is(err, fails) {
			t.Errorf("who came before: %v", err)
		}
		if _, err := s.readSince(s.begun.Load(), again); !errors.Is(err, errAgain) {
			t.Errorf("who came after: %v", err)
		}
	}
}

var errAgain = errors.New("it is read again")
