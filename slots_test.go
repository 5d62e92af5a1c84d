package rondo

import (
	"math/rand/v2"
	"sync"
	"testing"
	"unsafe"
)

func TestSlots(t *testing.T) {
	for _, bit := range []token{0, watcherBit} {
		s := slots[int]{bit: bit}
		model := map[token]int{}
		var gone []token
		random := rand.New(rand.NewPCG(1, 1))
		for i := range 20_000 {
			if len(model) > 0 && random.IntN(100) < 45 {
				for tok := range model {
					s.remove(tok)
					s.remove(tok) // does nothing
					delete(model, tok)
					gone = append(gone, tok)
					break
				}
			} else {
				tok := s.put(i)
				if _, taken := model[tok]; taken {
					t.Fatalf("token %x was given twice", tok)
				}
				if tok&watcherBit != bit || tok == 0 {
					t.Fatalf("token %x of a table with the bit %x", tok, bit)
				}
				model[tok] = i
			}
		}
		if s.live != len(model) {
			t.Errorf("%d live, want %d", s.live, len(model))
		}
		for tok, want := range model {
			if v, ok := s.get(tok); !ok || v != want || !s.alive(tok) {
				t.Fatalf("%x is %d, %v, want %d", tok, v, ok, want)
			}
		}
		for _, tok := range gone {
			if _, ok := s.get(tok); ok || s.alive(tok) {
				t.Fatalf("%x is alive after its removal", tok)
			}
		}
		visited := map[token]int{}
		s.all(func(tok token, v int) {
			visited[tok] = v
			s.remove(tok) // all lets its function remove
		})
		if len(visited) != len(model) || s.live != 0 {
			t.Errorf("all visited %d entries of %d and left %d", len(visited), len(model), s.live)
		}
		for tok, v := range visited {
			if model[tok] != v {
				t.Fatalf("all gave %d for %x, want %d", v, tok, model[tok])
			}
		}
	}
}

func TestSlotsOfNobody(t *testing.T) {
	var s slots[int]
	for _, tok := range []token{0, 1, 1 << 32, 1<<32 | 300, ^token(0)} {
		if s.alive(tok) {
			t.Errorf("%x is alive in an empty table", tok)
		}
	}
	tok := s.put(7)
	for _, other := range []token{0, tok + 1, tok + 1<<32, tok + 2<<32, tok ^ 1<<40, tok + chunkSize} {
		if s.alive(other) {
			t.Errorf("%x is alive beside %x", other, tok)
		}
		s.remove(other)
	}
	if !s.alive(tok) {
		t.Error("the wrong one was removed")
	}
}

// A slot that was reused 2³¹ times starts over, without its tokens spilling into other bits.
func TestSlotsGenerationWraps(t *testing.T) {
	for _, bit := range []token{0, watcherBit} {
		s := slots[string]{bit: bit}
		s.remove(s.put("first"))
		s.chunk(0).generations[0].Store(maxGeneration - 3) // even: free
		seen := map[token]bool{}
		for range 5 {
			tok := s.put("again")
			if tok&watcherBit != bit || tok.index() != 0 || tok.generation()&1 != 1 || seen[tok] {
				t.Fatalf("token %x, generation %d", tok, tok.generation())
			}
			seen[tok] = true
			if v, ok := s.get(tok); !ok || v != "again" {
				t.Fatalf("generation %d is not found", tok.generation())
			}
			visits := 0
			s.all(func(visited token, _ string) {
				if visits++; visited != tok {
					t.Errorf("all gave %x for %x", visited, tok)
				}
			})
			if visits != 1 {
				t.Errorf("all visited %d entries", visits)
			}
			s.remove(tok)
			if s.alive(tok) {
				t.Fatalf("generation %d outlives its removal", tok.generation())
			}
		}
	}
}

// Other goroutines may ask for a token while the table grows.
func TestSlotsConcurrently(t *testing.T) {
	var s slots[int]
	first := s.put(1)
	gone := s.put(2)
	s.remove(gone)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !s.alive(first) || s.alive(gone) {
					t.Error("the answer changed")
					return
				}
			}
		})
	}
	for i := range 20 * chunkSize {
		s.put(i)
	}
	close(stop)
	wg.Wait()
}

// The price of an idle connection: this struct, its place in the table, and what the kernel and the
// protocol take.
func TestConnSize(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 128 {
		t.Errorf("a Conn takes %d bytes", size)
	}
}
