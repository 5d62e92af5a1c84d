package wheel

import "math/bits"

// first returns the place of the earliest occupied slot and the first key it
// stands for; a place of -1 if all are empty. All keys in a level are below all
// in the next, since they share with tick the digit that those differ in.
func (w *Wheel[O]) first() (place int, key int64) {
	for level := range levels {
		if w.occupied[level] != 0 {
			digit := bits.TrailingZeros64(w.occupied[level])
			shift := level * levelBits
			above := w.tick >> (shift + levelBits) << levelBits
			return level<<levelBits | digit, (above | int64(digit)) << shift
		}
	}
	return -1, 0
}

// file puts t, whose deadline is in the future, where the highest digit in which
// its key differs from tick says.
func (w *Wheel[O]) file(t *Timer[O]) {
	key := (t.when - 1) >> tickBits
	level := (bits.Len64(uint64(key^w.tick)|63) - 1) / levelBits
	digit := int(key>>(level*levelBits)) & 63
	w.link(t, level<<levelBits|digit)
}

// cascade advances tick to key, where the slot at place begins, and files that
// slot's timers again. It goes from head to tail: the timers of one tick are in
// one slot always, in order of adding, which is why they need no serial number.
func (w *Wheel[O]) cascade(place int, key int64) {
	w.tick = key
	slot := w.take(place)
	for t := slot.head; t != nil; {
		next := t.next
		w.file(t)
		t = next
	}
}

// take empties the slot at place and returns what it held.
func (w *Wheel[O]) take(place int) list[O] {
	l := w.lists[place]
	w.lists[place] = list[O]{}
	w.occupied[place>>levelBits] &^= 1 << (place & 63)
	return l
}

// takePast removes from the slot at place the timers whose deadlines have passed.
func (w *Wheel[O]) takePast(place int) list[O] {
	var past list[O]
	for t := w.lists[place].head; t != nil; {
		next := t.next
		if t.when <= w.now {
			w.unlink(t)
			past.push(t)
		}
		t = next
	}
	return past
}

// makeDue merges batch, which is sorted, into the timers that are due.
func (w *Wheel[O]) makeDue(batch list[O]) {
	for t := batch.head; t != nil; t = t.next {
		t.place = duePlace + 1
	}
	w.lists[duePlace].merge(batch)
	w.occupied[levels] = 1
}

// link appends t to the list at place.
func (w *Wheel[O]) link(t *Timer[O], place int) {
	w.lists[place].push(t)
	t.place = uint16(place + 1)
	w.occupied[place>>levelBits] |= 1 << (place & 63)
}

// unlink takes t out of the list that it is in.
func (w *Wheel[O]) unlink(t *Timer[O]) {
	place := int(t.place - 1)
	l := &w.lists[place]
	l.remove(t)
	t.place = 0
	if l.head == nil {
		w.occupied[place>>levelBits] &^= 1 << (place & 63)
	}
}
