package wheel

// list is a doubly linked list through the timers themselves. It keeps its tail,
// rather than being a ring, so that push touches one timer that may not be in
// the cache instead of two. The zero list is empty.
type list[O any] struct {
	head, tail *Timer[O]
}

func (l *list[O]) push(t *Timer[O]) {
	t.prev, t.next = l.tail, nil
	if l.tail == nil {
		l.head = t
	} else {
		l.tail.next = t
	}
	l.tail = t
}

// remove leaves no pointers in t: a timer that outlives its neighbours must not
// keep them from the garbage collector.
func (l *list[O]) remove(t *Timer[O]) {
	if t.prev == nil {
		l.head = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		l.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.prev, t.next = nil, nil
}

// concat moves all of other to the end of l.
func (l *list[O]) concat(other list[O]) {
	switch {
	case other.head == nil:
	case l.head == nil:
		*l = other
	default:
		l.tail.next, other.head.prev = other.head, l.tail
		l.tail = other.tail
	}
}

// merge moves all of other into l, both sorted; l's go first among equals.
func (l *list[O]) merge(other list[O]) {
	if l.head == nil || other.head == nil || l.tail.when <= other.head.when {
		l.concat(other)
		return
	}
	l.relink(mergeChains(l.head, other.head))
}

// sort sorts by deadline and is stable. A bottom-up merge sort needs no memory
// but a few words of stack, and cannot be driven to quadratic time by whoever
// chooses the deadlines. Most slots are in order already and leave at once.
func (l *list[O]) sort() {
	if l.sorted() {
		return
	}
	// chains[i] is nil or a sorted chain of 2^i timers, all of which come
	// before those of chains[i-1].
	var chains [48]*Timer[O]
	for t := l.head; t != nil; {
		next := t.next
		t.next = nil
		i := 0
		for ; chains[i] != nil; i++ {
			t = mergeChains(chains[i], t)
			chains[i] = nil
		}
		chains[i] = t
		t = next
	}
	var all *Timer[O]
	for _, c := range chains {
		all = mergeChains(c, all)
	}
	l.relink(all)
}

func (l *list[O]) sorted() bool {
	if l.head == nil {
		return true
	}
	for t := l.head; t.next != nil; t = t.next {
		if t.next.when < t.when {
			return false
		}
	}
	return true
}

// relink makes l the list of the timers in chain, whose prev are not valid.
func (l *list[O]) relink(chain *Timer[O]) {
	l.head, l.tail = chain, nil
	for t := chain; t != nil; t = t.next {
		t.prev = l.tail
		l.tail = t
	}
}

// mergeChains merges two sorted chains, linked by next only and ended by nil;
// a's go first among equals.
func mergeChains[O any](a, b *Timer[O]) *Timer[O] {
	var head *Timer[O]
	end := &head
	for a != nil && b != nil {
		if b.when < a.when {
			*end, b = b, b.next
		} else {
			*end, a = a, a.next
		}
		end = &(*end).next
	}
	if a == nil {
		a = b
	}
	*end = a
	return head
}

// noCopy makes go vet complain where a struct that contains it is copied.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
