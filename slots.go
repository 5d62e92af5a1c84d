package rondo

import "sync/atomic"

// A token names an entry of a slots table and the generation of its slot: it is never valid
// again once the entry is removed, though the slot is soon reused. The upper bit tells the two
// tables of a loop apart, since the poller knows only tokens.
type token uint64

const watcherBit token = 1 << 63

func (t token) index() uint32 { return uint32(t) }

func (t token) generation() uint32 { return uint32(t>>32) &^ (1 << 31) }

const (
	chunkSize     = 256
	maxGeneration = 1<<31 - 1 // then it starts over: a token would have to be kept for 2³¹ reuses of its slot
)

// slots is a table from tokens to values. Only its loop puts, gets and removes; any goroutine may
// ask whether a token is alive. It grows by chunks that never move.
type slots[T any] struct {
	bit    token
	chunks atomic.Pointer[[]*chunk[T]]
	free   []uint32 // removed slots, the latest reused first, while its chunk is still in the cache
	used   uint32   // slots that were ever taken
	live   int
}

type chunk[T any] struct {
	values [chunkSize]T
	// generations are odd while the slot is taken.
	generations [chunkSize]atomic.Uint32
}

func (s *slots[T]) chunk(index uint32) *chunk[T] {
	chunks := s.chunks.Load()
	if chunks == nil || int(index/chunkSize) >= len(*chunks) {
		return nil
	}
	return (*chunks)[index/chunkSize]
}

func (s *slots[T]) put(v T) token {
	var i uint32
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
	} else {
		i = s.used
		s.used++
		if i%chunkSize == 0 {
			s.grow()
		}
	}
	c := s.chunk(i)
	c.values[i%chunkSize] = v
	s.live++
	return s.bit | token(c.generations[i%chunkSize].Add(1)&maxGeneration)<<32 | token(i)
}

// grow publishes a longer list rather than changing the one that others may be reading.
func (s *slots[T]) grow() {
	var chunks []*chunk[T]
	if old := s.chunks.Load(); old != nil {
		chunks = append(chunks, *old...)
	}
	chunks = append(chunks, new(chunk[T]))
	s.chunks.Store(&chunks)
}

// alive reports whether t's entry is still there. Any goroutine.
func (s *slots[T]) alive(t token) bool {
	c := s.chunk(t.index())
	return c != nil && t.generation()&1 == 1 && c.generations[t.index()%chunkSize].Load()&maxGeneration == t.generation()
}

func (s *slots[T]) get(t token) (v T, ok bool) {
	if !s.alive(t) {
		return v, false
	}
	return s.chunk(t.index()).values[t.index()%chunkSize], true
}

func (s *slots[T]) remove(t token) {
	if !s.alive(t) {
		return
	}
	var zero T
	c := s.chunk(t.index())
	c.values[t.index()%chunkSize] = zero
	c.generations[t.index()%chunkSize].Add(1)
	s.free = append(s.free, t.index())
	s.live--
}

// all calls f for each entry; f may remove any.
func (s *slots[T]) all(f func(token, T)) {
	for i := range s.used {
		c := s.chunk(i)
		if g := c.generations[i%chunkSize].Load() & maxGeneration; g&1 == 1 {
			f(s.bit|token(g)<<32|token(i), c.values[i%chunkSize])
		}
	}
}
