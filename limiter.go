package rondo

import (
	"sync"
	"time"
)

// Limiter allows so much a second, and after a silence a burst at once: a token bucket. It counts bytes for [Conn.SetReadLimiter], [Conn.SetWriteLimiter] and their
// namesakes of a ListenConfig, connections for ListenConfig.AcceptLimiter. Many connections can share one, also of several listeners, loops and engines of one world:
// together they get its rate, and those that want more than that take turns. Any goroutine may use it.
type Limiter struct {
	mu    sync.Mutex
	rate  int64 // tokens a second; 0 is no limit
	grain int64 // tokens that are worth waking somebody for, and that one gets at a time while others wait
	full  int64 // the burst, in billionths of a token
	level int64 // likewise; what is there
	at    time.Time
	first *place // who waits longest: its timer is the only one that is set
	last  *place
}

const (
	billion = 1_000_000_000

	// The largest burst, so that billionths of it can be counted.
	maxBurst = 4 << 30

	// The grain is what a 256th of a second gives. A slow rate has fewer turns, and a fast one more, so that a turn is worth its system call.
	minGrain, maxGrain       = 512, 16 << 10
	turnsASecond, fewerTurns = 256, 64

	// The least burst is what so many parts of a second give, 5 milliseconds' worth: a timer may come a millisecond late, and what does not fit into the burst
	// meanwhile is lost.
	burstsASecond = 200
)

// place is a place in a limiter's line. All but its links is its loop's.
type place struct {
	loop  *Loop
	retry func() // takes again, or leaves
	want  int64

	limiter    *Limiter // in whose line it is; nil: in none
	next, prev *place
	timer      Timer
}

// NewLimiter returns a Limiter of so much a second, and at most burst at once. A burst of zero or less means a tenth of a second's worth; the least is
// 5 milliseconds' worth, and 1, the most 4 Gi. A rate of zero or less is no limit.
func NewLimiter(perSecond, burst int) *Limiter {
	l := new(Limiter)
	l.Set(perSecond, burst)
	l.level = l.full
	return l
}

// Set changes the rate and the burst, as [NewLimiter] has them. Who waits is served by the new rate from now on. What is there stays, up to the new burst.
func (l *Limiter) Set(perSecond, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.rate
	if l.first != nil {
		l.refill(l.first.loop.Now()) // by the old rate until now
	}
	l.rate = max(int64(perSecond), 0)
	if burst <= 0 {
		burst = perSecond / 10
	}
	l.full = min(max(int64(burst), l.rate/burstsASecond, 1), maxBurst) * billion
	l.grain = max(min(max(l.rate/turnsASecond, minGrain), l.rate/fewerTurns, maxGrain, l.full/billion/2), 1)
	l.level = min(l.level, l.full)
	if before == 0 {
		l.level = l.full
	}
	l.arm(nil)
}

// Rate returns the rate and the burst that hold.
func (l *Limiter) Rate() (perSecond, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.rate), int(l.full / billion)
}

// take returns how many of want tokens p's owner may use now. If that is none, p is in line and its retry will be called.
func (l *Limiter) take(p *place, want int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 {
		l.remove(p)
		l.arm(p.loop)
		return want
	}
	l.refill(p.loop.Now())
	p.want = int64(want)
	if l.first != nil && l.first != p || l.level < l.enough(p) {
		l.append(p)
		return 0
	}
	l.remove(p)
	n := min(int64(want), l.level/billion)
	if l.first != nil {
		n = min(n, l.grain)
	}
	l.level -= n * billion
	l.arm(p.loop)
	return int(n)
}

// enough is how much must be there for p to be served, in billionths.
func (l *Limiter) enough(p *place) int64 { return min(p.want, l.grain) * billion }

// give returns tokens that were not used; less than zero takes those that were used already.
func (l *Limiter) give(p *place, n int) {
	if n == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 {
		return
	}
	l.refill(p.loop.Now())
	l.level = min(l.level+int64(n)*billion, l.full)
	l.arm(p.loop)
}

// refill adds what has come since it was called last.
func (l *Limiter) refill(now time.Time) {
	if l.rate == 0 {
		return
	}
	elapsed := int64(now.Sub(l.at))
	if elapsed <= 0 { // loops do not read the clock in the order in which they come here
		return
	}
	l.at = now
	if room := l.full - l.level; elapsed > room/l.rate {
		l.level = l.full
	} else {
		l.level += elapsed * l.rate
	}
}

// append puts p in line, unless it is.
func (l *Limiter) append(p *place) {
	if p.limiter == nil {
		p.limiter, p.prev = l, l.last
		if l.last != nil {
			l.last.next = p
		} else {
			l.first = p
		}
		l.last = p
	}
	if l.first == p {
		l.arm(p.loop)
	}
}

// remove takes p out of line, if it is in it. It is called on p's loop.
func (l *Limiter) remove(p *place) {
	if p.limiter != l {
		return
	}
	p.timer.Stop()
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.last = p.prev
	}
	p.limiter, p.next, p.prev = nil, nil, nil
}

// leave is remove for who does not want anything any more.
func (p *place) leave() {
	l := p.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(p)
	l.arm(p.loop)
}

// arm sets the timer of who is first in line for when there is enough. It is called on the loop here, nil if it may be another's.
func (l *Limiter) arm(here *Loop) {
	p := l.first
	if p == nil {
		return
	}
	if p.loop != here {
		p.loop.Post(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.first == p {
				l.refill(p.loop.Now())
				l.arm(p.loop)
			}
		})
		return
	}
	p.timer.Stop()
	var wait int64
	if l.rate > 0 {
		wait = max(l.enough(p)-l.level+l.rate-1, 0) / l.rate
	}
	p.timer = p.loop.After(time.Duration(wait), p.retry)
}
