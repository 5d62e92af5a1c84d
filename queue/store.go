package queue

// What a queue that held more keeps room for. Beyond it a store that is three quarters empty is halved.
const keptRoom = 1024

// ring holds items in the order in which they came.
type ring[T any] struct {
	items []T // its length is a power of two, or 0
	first int
	n     int
}

func (r *ring[T]) push(v T) {
	if r.n == len(r.items) {
		r.resize(max(8, 2*r.n))
	}
	r.items[(r.first+r.n)&(len(r.items)-1)] = v
	r.n++
}

func (r *ring[T]) popFirst() T {
	v := r.clear(r.first)
	r.first = (r.first + 1) & (len(r.items) - 1)
	r.popped()
	return v
}

func (r *ring[T]) popLast() T {
	v := r.clear((r.first + r.n - 1) & (len(r.items) - 1))
	r.popped()
	return v
}

// clear empties a slot, so that the ring keeps nothing alive that is not in it.
func (r *ring[T]) clear(i int) T {
	var none T
	v := r.items[i]
	r.items[i] = none
	return v
}

func (r *ring[T]) popped() {
	r.n--
	if len(r.items) > keptRoom && r.n <= len(r.items)/4 {
		r.resize(len(r.items) / 2)
	}
}

func (r *ring[T]) resize(size int) {
	items := make([]T, size)
	end := min(r.first+r.n, len(r.items))
	k := copy(items, r.items[r.first:end])
	copy(items[k:], r.items[:r.n-k])
	r.items, r.first = items, 0
}

// heap holds items of which the least comes first, and of equal ones the oldest.
type heap[T any] struct {
	less  func(a, b T) bool
	items []ranked[T]
	count uint64 // of all that were ever pushed
}

type ranked[T any] struct {
	item T
	age  uint64 // count when it came
}

func (h *heap[T]) before(a, b *ranked[T]) bool {
	if h.less(a.item, b.item) {
		return true
	}
	return a.age < b.age && !h.less(b.item, a.item)
}

func (h *heap[T]) push(v T) {
	h.count++
	h.items = append(h.items, ranked[T]{v, h.count})
	for i := len(h.items) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.before(&h.items[i], &h.items[parent]) {
			return
		}
		h.items[i], h.items[parent] = h.items[parent], h.items[i]
		i = parent
	}
}

func (h *heap[T]) pop() T {
	last := len(h.items) - 1
	v := h.items[0].item
	h.items[0] = h.items[last]
	h.items[last] = ranked[T]{}
	h.items = h.items[:last]
	for i := 0; ; {
		least := 2*i + 1
		if least >= last {
			break
		}
		if right := least + 1; right < last && h.before(&h.items[right], &h.items[least]) {
			least = right
		}
		if !h.before(&h.items[least], &h.items[i]) {
			break
		}
		h.items[i], h.items[least] = h.items[least], h.items[i]
		i = least
	}
	if cap(h.items) > keptRoom && last <= cap(h.items)/4 {
		h.items = append(make([]ranked[T], 0, cap(h.items)/2), h.items...)
	}
	return v
}
