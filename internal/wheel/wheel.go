// Package wheel is a hierarchical timing wheel: the store of one event loop's
// timers, in which adding and removing cost the same few nanoseconds whether
// ten timers are outstanding or a million.
//
// Think of an odometer that counts ticks of about 66 µs, in base 64. A timer is
// filed under the highest digit in which its deadline differs from the present
// reading, in the slot for the value which that digit will have then. So level
// 0 has one slot for each tick that is left of the present 64, level 1 one slot
// for each group of 64 ticks that is left of the present 4,096, and so on; 8
// levels cover every int64 of nanoseconds. When the odometer reaches a slot of
// level 0, that slot's timers are due. When it reaches a slot of a higher level,
// that digit no longer differs, so the slot's timers are filed anew, further
// down (they cascade). A timer cascades at most 7 times, and one that is removed
// before its time, as most time limits are, usually never. A bitmap for each
// level says which slots are occupied, so time can jump by years without being
// stepped through.
//
// The idea is scheme 7 of G. Varghese and T. Lauck, "Hashed and Hierarchical
// Timing Wheels" (SOSP 1987). Filing by the highest differing digit, so that a
// level is never wrapped around and its first occupied slot is simply its
// lowest set bit, is a later refinement.
//
// The package has no locks and reads no clock: everything in it belongs to one
// goroutine, which passes the time in.
package wheel

import "math"

// Tick is the wheel's resolution in nanoseconds. Deadlines are rounded up to a
// multiple of it, which lets timers that are nearly simultaneous share one
// wake-up of the loop.
const Tick = 1 << tickBits

const (
	tickBits  = 16
	levelBits = 6 // 64 slots a level: one uint64 of occupancy
	levels    = (63 - tickBits + levelBits - 1) / levelBits
	lastTick  = math.MaxInt64 >> tickBits

	// The timers that are due but not yet popped are kept in the only slot of
	// one level more, so that removing a timer need not ask where it is.
	duePlace = levels << levelBits
)

// Timer is an entry in a [Wheel], meant to be a field of whatever it times: the
// wheel allocates nothing. The zero Timer is ready for use and not pending. A
// pending Timer must not be copied. A Timer is 32 bytes and an Owner.
type Timer[O any] struct {
	_ noCopy

	// Owner is the way back from a Timer that [Wheel.Pop] returned to what it
	// is a part of, typically a pointer to the struct around the Timer. The
	// wheel never looks at it.
	Owner O

	next, prev *Timer[O]
	when       int64
	place      uint16 // 1 + index into Wheel.lists; 0: not pending
}

// Pending reports whether t is in a wheel: added, and neither popped nor removed.
func (t *Timer[O]) Pending() bool { return t.place != 0 }

// When returns the deadline that t was last added with, in nanoseconds on the
// clock of the wheel; 0 if t was never added.
func (t *Timer[O]) When() int64 { return t.when }

// Wheel holds pending timers whose owners are of type O. The zero Wheel is empty
// and ready for use, at time 0. It takes about 8 KiB and must not be copied. Its
// methods may be called from one goroutine only, and a Timer that is pending in
// one Wheel must not be given to another.
//
// Times are nanoseconds on a monotonic clock of the caller's choice that does
// not go below 0.
type Wheel[O any] struct {
	_ noCopy

	now     int64 // the latest time that Expire was told
	tick    int64 // the odometer: now / Tick, except inside of Expire
	pending int

	// overdue says that a timer which was already past has been added since the
	// last Expire. It is in the slot of the present tick.
	overdue bool

	// A timer with the deadline when has the key (when-1)/Tick: the tick at
	// whose end it is due. Keys are never below tick. One that equals it is in
	// level 0; for all others the level's digit is above that of tick.
	occupied [levels + 1]uint64
	lists    [duePlace + 1]list[O]
}

// Len returns the number of pending timers, including those which are due and
// have not been popped.
func (w *Wheel[O]) Len() int { return w.pending }

// Add makes t pending with the deadline when. If t is pending already, it is
// moved, and counts as added now. O(1).
//
// A deadline that is not after the latest time given to [Wheel.Expire], or is
// negative, has passed: t is due at the next Expire, not in the batch which that
// Expire has produced. A timer that is added with no delay each time it fires
// does therefore not keep the others from their turn. The wheel cannot know how
// much time has gone by since: a deadline that is computed with no delay from a
// fresh reading of the clock lies in the future and waits for its tick to end.
// There is no deadline too far off; [math.MaxInt64] serves as never.
func (w *Wheel[O]) Add(t *Timer[O], when int64) {
	if t.place != 0 {
		w.unlink(t)
	} else {
		w.pending++
	}
	t.when = when
	if when <= w.now {
		w.overdue = true
		w.link(t, int(w.tick&63))
		return
	}
	w.file(t)
}

// Remove makes t no longer pending, and reports whether it was. It applies just
// as well to a timer that is due: it will not be popped. O(1).
func (w *Wheel[O]) Remove(t *Timer[O]) bool {
	if t.place == 0 {
		return false
	}
	w.unlink(t)
	w.pending--
	return true
}

// Next returns the time, in nanoseconds, until which the loop may sleep before
// it calls [Wheel.Expire]; ok is false if no timer is pending. It is never later
// than the time at which a timer is due, but it can be earlier than that of any:
// timers which are far off are known only by their slot in a higher level, and
// Next answers with the earliest time that slot stands for. Calling Expire then
// makes no timer due, perhaps, but moves them to a lower level, so that a few
// such calls, 8 at most, come before the first timer. O(levels).
//
// If timers are due already, or have passed when they were added, Next returns
// the latest time given to Expire.
func (w *Wheel[O]) Next() (when int64, ok bool) {
	if w.pending == 0 {
		return 0, false
	}
	if w.overdue || w.occupied[levels] != 0 {
		return w.now, true
	}
	_, key := w.first()
	if key == lastTick { // its end is one more than an int64 can hold
		return math.MaxInt64, true
	}
	return (key + 1) << tickBits, true
}

// Expire sets the time to now, in nanoseconds, and makes due the timers whose
// time has come, for [Wheel.Pop] to hand out. A time before that of an earlier
// call counts as that time.
//
// A timer is due at the first multiple of [Tick] at or after its deadline, so
// never early and less than one tick late. An exception keeps the order: if a
// timer that was already past has been added since the last call, it must not
// overtake those with earlier deadlines which wait for the tick to end. Then all
// whose deadlines have passed become due.
//
// The cost depends on the number of timers that are due or cascade, not on how
// far now has moved.
func (w *Wheel[O]) Expire(now int64) {
	now = max(now, w.now)
	end := now >> tickBits
	var batch list[O]
	for {
		place, key := w.first()
		if place < 0 || key > end {
			break
		}
		if place >= 1<<levelBits {
			w.cascade(place, key)
			continue
		}
		if key == end {
			break
		}
		// Slots come in the order of time, so sorting each of them is enough.
		slot := w.take(place)
		slot.sort()
		batch.concat(slot)
	}
	w.now, w.tick = now, end

	// At the end of time no further tick will come that timers could wait for.
	if w.overdue || now == math.MaxInt64 {
		w.overdue = false
		slot := w.takePast(int(end & 63))
		slot.sort()
		batch.concat(slot)
	}
	if batch.head != nil {
		w.makeDue(batch)
	}
}

// Pop returns the next timer that is due, no longer pending, or nil if there is
// none. The order is that of deadlines, and among equal ones that of adding.
//
// Between calls any timer may be added or removed. A caller which stops halfway,
// because a callback panicked, loses nothing: the remaining timers stay due, for
// the next Pop, in order with those that further calls of [Wheel.Expire] add.
func (w *Wheel[O]) Pop() *Timer[O] {
	t := w.lists[duePlace].head
	if t != nil {
		w.Remove(t)
	}
	return t
}
