package queue

// Waiting is how many stand in the queue's lines. Only on the loop.
func (q *Queue[T]) Waiting() int {
	n := 0
	for _, l := range []*line[T]{&q.getters, &q.putters, &q.joiners} {
		for w := l.first; w != nil; w = w.next {
			n++
		}
	}
	return n
}

// Room is how many items the queue's store has room for. Only on the loop.
func (q *Queue[T]) Room() int {
	if q.sorted != nil {
		return cap(q.sorted.items)
	}
	return len(q.ring.items)
}

// Post posts to the queue's loop.
func (h Handle[T]) Post(fn func()) { h.queue.loop.Post(fn) }
