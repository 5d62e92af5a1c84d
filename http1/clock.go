package http1

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
)

// clock is the loop's, read once a turn at the most, and the Date field of the present second (RFC 9110, section 6.6.1).
type clock struct {
	loop  *rondo.Loop
	turn  uint32
	known bool
	now   time.Duration // since the loop's zero
	date  atomic.Pointer[date]
}

// date holds for one second of the loop's clock. It need not begin with one of the world's, so the field is late by less than one.
type date struct {
	second time.Duration
	field  string
}

// elapsed is when the turn began, or a little later. Only on the loop.
func (c *clock) elapsed() time.Duration {
	if turn := c.loop.Turn(); !c.known || turn != c.turn {
		c.known, c.turn, c.now = true, turn, c.loop.Elapsed()
	}
	return c.now
}

// field is the Date field of a moment. Any goroutine may call it.
func (c *clock) field(now time.Duration) string {
	second := now / time.Second
	d := c.date.Load()
	if d == nil || d.second != second {
		d = &date{second, "Date: " + c.loop.Now().UTC().Format(http.TimeFormat) + "\r\n"}
		c.date.Store(d)
	}
	return d.field
}

// wheel has connections looked at when their time is over: a list for each second of the next few minutes. A connection whose due time moves, as it does with each request,
// stays where it is, and is only put in another list when its list's turn comes. So a request pays nothing, and a connection two pointers.
type wheel struct {
	loop  *rondo.Loop
	lists [wheelSize]conn // each the head of a ring
	at    int64           // the first second whose list may have anybody
	armed int64           // the second for which the timer is set
	count int             // of connections
	looks bool            // expire is under way, and arms the timer when it is done
	timer rondo.Timer
}

const (
	wheelSize = 256 // what is due later comes by more than once
	tick      = time.Second
	never     = time.Duration(1<<63 - 1)
)

func (w *wheel) init(l *rondo.Loop) {
	w.loop = l
	for i := range w.lists {
		c := &w.lists[i]
		c.next, c.prev = c, c
	}
}

// add puts h, which is in no list, where it is looked at when it is due.
func (w *wheel) add(h *conn, now time.Duration) {
	if w.count == 0 {
		w.at = int64(now / tick)
	}
	second := int64(h.due/tick) + 1 // when due is past
	second = min(max(second, w.at), w.at+wheelSize-1)
	list := &w.lists[second%wheelSize]
	h.prev, h.next = list.prev, list
	list.prev.next, list.prev = h, h
	h.listed = int32(second) //nolint:gosec // 68 years
	if w.count++; !w.looks && (w.count == 1 || second < w.armed) {
		w.timer.Stop()
		w.arm()
	}
}

func (w *wheel) remove(h *conn) {
	if h.next == nil {
		return
	}
	h.prev.next, h.next.prev = h.next, h.prev
	h.next, h.prev = nil, nil
	if w.count--; w.count == 0 && !w.looks {
		w.timer.Stop()
	}
}

// hasten sees to it that h is looked at when it is due, though that may be sooner than it was.
func (w *wheel) hasten(h *conn, now time.Duration) {
	if h.next == nil || int64(h.due/tick)+1 < int64(h.listed) {
		w.remove(h)
		w.add(h, now)
	}
}

// arm waits for the next list in which there is anybody.
func (w *wheel) arm() {
	next := w.at
	for next < w.at+wheelSize && w.lists[next%wheelSize].next == &w.lists[next%wheelSize] {
		next++
	}
	w.armed = next
	w.timer = w.loop.After(time.Duration(next)*tick-w.loop.Elapsed(), w.expire)
}

// expire looks at the connections whose second has come.
func (w *wheel) expire() {
	w.looks = true
	defer func() {
		w.looks = false
		if w.count > 0 {
			w.arm()
		}
	}()
	now := w.loop.Elapsed()
	for ; w.count > 0 && time.Duration(w.at)*tick <= now; w.at++ {
		for list := &w.lists[w.at%wheelSize]; list.next != list; {
			h := list.next
			w.remove(h)
			if h.due <= now {
				h.timeOut()
			}
			if h.due > now && h.is&lost == 0 {
				w.add(h, now) // in another list
			}
		}
	}
}
