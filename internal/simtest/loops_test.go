package simtest

import (
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// alarmClock is one timer and when it must fire.
type alarmClock struct {
	timer  rondo.Timer
	when   time.Duration // by the world's clock
	number int
	turn   uint32 // in which it was set
	period time.Duration
	over   bool
}

// ring has timers set, stopped and set anew on one loop, by chance.
type ring struct {
	w      *sim.World
	c      climate
	life   life
	loop   *rondo.Loop
	clocks []*alarmClock
	count  int
	left   int // to be made
}

func (r *ring) set() {
	if r.left == 0 {
		return
	}
	r.left--
	rnd := r.w.Rand()
	d := upTo(r.w, []time.Duration{time.Millisecond, time.Second, time.Hour}[rnd.IntN(3)])
	if rnd.IntN(4) == 0 {
		d = d.Truncate(100 * time.Microsecond) // so that some are due together
	}
	a := new(alarmClock)
	r.stamp(a, d)
	fn := func() { r.fired(a) }
	if rnd.IntN(10) == 0 && d > 0 {
		a.period = d
		a.timer = r.loop.Every(d, fn)
	} else {
		a.timer = r.loop.After(d, fn)
	}
	r.clocks = append(r.clocks, a)
}

func (r *ring) stamp(a *alarmClock, d time.Duration) {
	r.count++
	a.number, a.turn, a.when = r.count, r.loop.Turn(), r.w.Elapsed()+d
}

// precision is how late a timer may be.
const precision = 70 * time.Microsecond

func (r *ring) fired(a *alarmClock) {
	r.life.runs("a timer")
	now := r.w.Elapsed()
	switch {
	case a.over:
		r.w.Errorf("a timer fires that was stopped, or has fired")
	case now < a.when:
		r.w.Errorf("a timer fires %v too early", a.when-now)
	case now > a.when+precision+slack(r.c)-time.Millisecond:
		r.w.Errorf("a timer fires %v too late", now-a.when)
	}
	for _, b := range r.clocks {
		earlier := b.when < a.when || b.when == a.when && b.number < a.number
		if !b.over && b != a && earlier && b.turn != r.loop.Turn() && a.turn != r.loop.Turn() {
			r.w.Errorf("a timer due at %v fires before one due at %v", a.when, b.when)
		}
	}
	if a.period == 0 {
		if a.over = true; a.timer.Pending() {
			r.w.Errorf("a timer that has fired is pending")
		}
	} else {
		r.count++
		a.number, a.turn = r.count, r.loop.Turn()
		if a.when += a.period; a.when != now { // Every makes the very next call at once if it is due now; of later ones it leaves out that of now too
			for a.when <= now {
				a.when += a.period
			}
		}
	}
	r.act(a)
}

func (r *ring) act(own *alarmClock) {
	rnd := r.w.Rand()
	for range rnd.IntN(4) {
		a := own
		if rnd.IntN(2) == 0 {
			a = r.clocks[rnd.IntN(len(r.clocks))]
		}
		switch rnd.IntN(4) {
		case 0:
			if a.timer.Stop() == a.over {
				r.w.Errorf("Stop of a timer; over: %v", a.over)
			}
			a.over = true
		case 1:
			if a.period == 0 { // of Every the next call alone moves
				d := upTo(r.w, time.Second)
				if a.timer.Reset(d) == a.over {
					r.w.Errorf("Reset of a timer; over: %v", a.over)
				}
				if !a.over {
					r.stamp(a, d)
				}
			}
		default:
			r.set()
		}
	}
	if r.left == 0 && own.period > 0 && !own.over {
		own.timer.Stop()
		own.over = true
	}
}

// No timer fires early, late, out of order, after it was stopped or its process killed, or twice, whatever becomes of the clock on the wall.
func TestTimers(t *testing.T) {
	everywhere(t, 100, func(w *sim.World, c climate) {
		var e *rondo.Engine
		var rings []*ring // of the process that lives
		start(w, c, time.Minute, func(its *rondo.Engine, life life) {
			e, rings = its, nil
			for _, l := range e.Loops() {
				r := &ring{w: w, c: c, life: life, loop: l, left: 60}
				rings = append(rings, r)
				l.Post(func() {
					for range 1 + w.Rand().IntN(20) {
						r.set()
					}
				})
			}
		})
		w.Sleep(3 * time.Hour)
		for _, r := range rings {
			for _, a := range r.clocks {
				if !a.over && a.when+slack(c) < w.Elapsed() {
					w.Errorf("a timer due at %v has not fired", a.when)
				}
			}
		}
		end(w, e, c, time.Second)
	})
}

// What a goroutine posts runs in its order, all of it, and soon, on the one loop at a time; and nothing of it once the process was killed.
func TestPosts(t *testing.T) {
	everywhere(t, 100, func(w *sim.World, c climate) {
		var e *rondo.Engine
		var mail *letters // of the process that lives
		start(w, c, 5*time.Second, func(its *rondo.Engine, life life) {
			e = its
			mail = &letters{w: w, c: c, life: life, loops: its.Loops(), left: 4}
			for g := range mail.left {
				life.host.Go(func() { mail.post(g) })
			}
		})
		if c.dark {
			w.Sleep(settled)
		}
		w.Wait(func() bool { return mail != nil && !mail.life.over() && mail.left == 0 })
		end(w, e, c, time.Second)
		if e.Loop().Post(func() {}) {
			w.Errorf("a post after the end")
		}
	})
}

// letters are what goroutines of a process post.
type letters struct {
	w     *sim.World
	c     climate
	life  life
	loops []*rondo.Loop
	left  int // goroutines that have not come to their end; those that are killed never do
}

func (m *letters) post(g int) {
	w, r := m.w, m.w.Rand()
	var next, sent [2]int
	for range r.IntN(100) {
		i := r.IntN(2)
		l := m.loops[i]
		n := sent[i]
		sent[i]++
		began := w.Elapsed()
		if !l.Post(func() {
			m.life.runs("a post")
			if next[i] != n {
				w.Errorf("goroutine %d: its post %d runs in place of %d", g, n, next[i])
			}
			if late := w.Elapsed() - began; late > slack(m.c) {
				w.Errorf("a post waits for %v", late)
			}
			next[i] = n + 1
			if r.IntN(4) == 0 {
				l.After(upTo(w, time.Second), func() { m.life.runs("a timer") })
			}
		}) {
			w.Errorf("a post is refused")
		}
		if r.IntN(3) == 0 {
			w.Sleep(upTo(w, time.Second))
		}
	}
	w.Sleep(slack(m.c))
	m.life.runs("a goroutine")
	if next != sent {
		w.Errorf("goroutine %d: %v posts have run of %v", g, next, sent)
	}
	m.left--
}
