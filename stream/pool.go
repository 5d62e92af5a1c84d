package stream

import "github.com/rondo-go/rondo"

// pool keeps one loop's buffers: most streams hold one for a moment at each message.
type pool struct{ free [][]byte }

const (
	bufferSize = 4 << 10
	maxFree    = 32 // buffers, of at most maxPooled bytes each
	maxPooled  = maxBuffered
)

var buffers = rondo.NewLocal(func(*rondo.Loop) *pool { return new(pool) })

func (b *pool) get() []byte {
	if n := len(b.free); n > 0 {
		p := b.free[n-1]
		b.free = b.free[:n-1]
		return p
	}
	return make([]byte, 0, bufferSize)
}

func (b *pool) put(p []byte) {
	if cap(p) <= maxPooled && len(b.free) < maxFree {
		b.free = append(b.free, p[:0])
	}
}
