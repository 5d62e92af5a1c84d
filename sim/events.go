package sim

// event is what happens at an instant. Among those of one instant the order is that in which they were made.
type event struct {
	at   int64
	seq  uint64
	what happening
}

type happening interface {
	happen(w *World)
	stopped() bool // it will not happen
}

// eventQueue is a heap of four children each.
type eventQueue struct {
	heap []event
	seq  uint64
}

// at has something happen.
func (w *World) at(when int64, what happening) {
	w.events.push(event{at: max(when, w.now), what: what})
}

func (e *event) before(other *event) bool {
	return e.at < other.at || e.at == other.at && e.seq < other.seq
}

func (q *eventQueue) push(e event) {
	q.seq++
	e.seq = q.seq
	q.heap = append(q.heap, e)
	i := len(q.heap) - 1
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&q.heap[up]) {
			break
		}
		q.heap[i] = q.heap[up]
		i = up
	}
	q.heap[i] = e
}

func (q *eventQueue) pop() (event, bool) {
	n := len(q.heap)
	if n == 0 {
		return event{}, false
	}
	first := q.heap[0]
	last := q.heap[n-1]
	q.heap[n-1] = event{}
	q.heap = q.heap[:n-1]
	if n--; n == 0 {
		return first, true
	}
	i := 0
	for {
		least := 4*i + 1
		if least >= n {
			break
		}
		for c := least + 1; c < min(4*i+5, n); c++ {
			if q.heap[c].before(&q.heap[least]) {
				least = c
			}
		}
		if !q.heap[least].before(&last) {
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.heap[i] = last
	return first, true
}
