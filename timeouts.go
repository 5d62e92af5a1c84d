package rondo

import (
	"math"
	"os"
	"time"
)

// IdleReceiver is implemented by protocols that want to say something before a connection ends for being idle, or to keep it. Idle is called when its idle timeout has
// passed; the connection is then the protocol's to close, and if it does not the time begins anew.
type IdleReceiver interface {
	Idle(c *Conn)
}

// What ConnectionLost gets of a connection that was ended because its time was over. Both are os.ErrDeadlineExceeded too, and net.Errors whose Timeout is true.
var (
	ErrIdle     error = timeOver("rondo: the connection was idle for longer than its idle timeout")
	ErrLifetime error = timeOver("rondo: the connection has reached the end of its lifetime")
)

type timeOver string

func (e timeOver) Error() string        { return string(e) }
func (e timeOver) Is(target error) bool { return target == os.ErrDeadlineExceeded } //nolint:errorlint // what Is is for
func (e timeOver) Timeout() bool        { return true }
func (e timeOver) Temporary() bool      { return true }

// timeouts are a connection's, if it has any. Its timer is not moved at each event: what comes and goes leaves its time, which is looked at when the timer fires.
type timeouts struct {
	idle, life time.Duration // 0: none
	active     int64         // when something came or went, by the poller's clock
	end        int64         // of the lifetime
	next       timerNode     // when to look
}

// SetIdleTimeout ends the connection with [ErrIdle] once no byte has been received and none taken by the kernel for d. Bytes count as they pass the network, below a layer;
// that reading is paused, or that the peer does not read, does not stop the time; that this side waits for one of its own rates does. Zero or less means no limit. While the connection is being closed Config.CloseTimeout holds instead. A protocol that is an
// [IdleReceiver] is asked first. The time begins now.
//
// The connection ends in good order, unless something is left to be sent: then it is reset. A connection with a timeout takes 176 bytes more than one without, and an event as
// good as no time.
func (c *Conn) SetIdleTimeout(d time.Duration) {
	c.own("Conn.SetIdleTimeout", "Handle.Do")
	c.setTimeout(d, func(t *timeouts, now int64) { t.idle, t.active = max(d, 0), now })
}

// SetLifetime ends the connection with [ErrLifetime] d from now, whatever it does then, in the way of SetIdleTimeout. Zero or less means no limit.
func (c *Conn) SetLifetime(d time.Duration) {
	c.own("Conn.SetLifetime", "Handle.Do")
	c.setTimeout(d, func(t *timeouts, now int64) { t.life, t.end = max(d, 0), now+min(int64(d), math.MaxInt64-now) })
}

// setTimeout changes the connection's timeouts. Lifting one of a connection without any makes none.
func (c *Conn) setTimeout(d time.Duration, change func(t *timeouts, now int64)) {
	if c.flags&isEnded != 0 || d <= 0 && (c.extra == nil || c.extra.timeouts == nil) {
		return
	}
	x := c.set()
	if x.timeouts == nil {
		t := &timeouts{next: timerNode{fn: c.checkTime, period: kept}}
		t.next.wheel.Owner = &t.next
		x.timeouts = t
		c.loop.timed++
	}
	now := c.loop.poller.Now()
	c.loop.begun = now // also of a turn in which there was nobody to read the clock for
	change(x.timeouts, now)
	x.timeouts.arm(c.loop)
}

// arm sets the timer for when something may be over.
func (t *timeouts) arm(l *Loop) {
	var next int64
	if t.idle > 0 {
		next = t.active + min(int64(t.idle), math.MaxInt64-t.active)
	}
	if t.life > 0 && (next == 0 || t.end < next) {
		next = t.end
	}
	if next > 0 {
		l.timers.Add(&t.next.wheel, next)
	} else {
		l.timers.Remove(&t.next.wheel)
	}
}

// stop is called at the connection's end.
func (t *timeouts) stop(l *Loop) {
	l.timers.Remove(&t.next.wheel)
	l.timed--
}

// checkTime is when something may be over.
func (c *Conn) checkTime() {
	t, l := c.extra.timeouts, c.loop
	now := l.poller.Now()
	if c.flags&readWaits != 0 || c.writeWaits() {
		t.active = now // it is this side that makes it wait
	}
	defer func() {
		if c.flags&isEnded == 0 {
			t.arm(l)
		}
	}()
	switch {
	case t.life > 0 && now >= t.end:
		c.timeOut(ErrLifetime)
	case t.idle > 0 && now-t.active >= int64(t.idle):
		t.active = now
		if c.flags&isClosing != 0 {
			return
		}
		p, ok := c.proto.(IdleReceiver)
		if !ok {
			c.timeOut(ErrIdle)
			return
		}
		before := l.current
		l.current = c
		p.Idle(c)
		c.settle()
		l.current = before
	}
}

// timeOut ends the connection, with a word of its layer if that can go out at once.
func (c *Conn) timeOut(reason error) {
	if c.flags&isLayered != 0 && c.flags&isClosing == 0 && !c.settleLayer() {
		return
	}
	if c.flags&(isLayered|isClosing|blocked) == isLayered && !c.extra.layerClosed && !c.extra.held && !c.sendsFiles() {
		c.closeLayer()
	}
	if c.flags&isEnded == 0 && c.out != nil && c.flags&blocked == 0 && c.sendOutput() != nil {
		return
	}
	c.end(reason, c.out != nil)
}

// touch notes that something has come or gone.
func (c *Conn) touch() {
	if x := c.extra; x != nil && x.timeouts != nil {
		x.timeouts.active = c.loop.begun
	}
}
