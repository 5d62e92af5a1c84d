package simtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/queue"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
)

var (
	errFailed    = errors.New("failed")
	errUnwanted  = errors.New("unwanted")
	tick         = time.Millisecond
	mostTasks    = 300
	semaphoreCap = 3
)

// anyProgram is tasks that do anything there is to do, by chance, and share what can be shared.
type anyProgram struct {
	w       *sim.World
	life    life
	lock    task.Lock
	holders int // of the lock
	cond    *task.Condition
	inside  int // the condition's lock
	sem     *task.Semaphore
	taken   int
	ev      task.Event
	bar     *task.Barrier
	alive   int // functions that have not returned
	all     []*rondo.Future[int]
	other   *rondo.Loop
	goods   *goods
}

// goods are numbered items in queues, each of which is got once or is still there.
type goods struct {
	w    *sim.World
	qs   []*queue.Queue[int]
	next int
	put  map[int]bool // what Put has taken
	got  map[int]bool
	lost map[int]bool // Put was cut off by the end of the engine: who knows
}

func (g *goods) offer(put func(v int) error) error {
	g.next++
	v := g.next
	err := put(v)
	switch {
	case err == nil:
		g.put[v] = true
	case errors.Is(err, rondo.ErrEngineClosed):
		g.lost[v] = true
	case g.got[v]:
		g.w.Errorf("item %d was got, and its Put returned %v", v, err)
	}
	return err
}

func (g *goods) take(v int, err error) error {
	if err != nil {
		return err
	}
	if g.got[v] || v == 0 {
		g.w.Errorf("item %d was got twice, or never put", v)
	}
	g.got[v] = true
	return nil
}

func (g *goods) act(t *task.Task, own bool) error {
	r := g.w.Rand()
	q := g.qs[r.IntN(len(g.qs))]
	h := q.Handle()
	switch r.IntN(4) {
	case 0, 1:
		return g.offer(func(v int) error {
			if own && r.IntN(2) == 0 {
				return q.Put(t, v)
			}
			return h.PutFrom(t, v)
		})
	}
	if own && r.IntN(2) == 0 {
		return g.take(q.Get(t))
	}
	return g.take(h.GetFrom(t))
}

// count is called when nobody waits any more: what was put and not got must be there.
func (g *goods) count() {
	for _, q := range g.qs {
		for {
			v, err := q.TryGet()
			if err != nil {
				break
			}
			_ = g.take(v, nil)
		}
	}
	for v := range g.put {
		if !g.got[v] {
			g.w.Errorf("item %d is lost", v)
		}
	}
	for v := range g.got {
		if !g.put[v] && !g.lost[v] {
			g.w.Errorf("item %d was got, and its Put has not succeeded", v)
		}
	}
}

// held runs while a task holds what so many may hold.
func (p *anyProgram) held(t *task.Task, holders *int, n, most int) {
	if *holders += n; *holders > most {
		p.w.Errorf("%d hold what %d may", *holders, most)
	}
	_ = task.Yield(t)
	*holders -= n
}

func (p *anyProgram) act(t *task.Task, depth int) (int, error) {
	p.alive++
	defer func() { p.alive-- }()
	r := p.w.Rand().IntN
	for range 1 + r(6) {
		if err := p.step(t, depth); err != nil && r(3) == 0 {
			return 0, err
		}
	}
	return 1, nil
}

func (p *anyProgram) step(t *task.Task, depth int) (err error) {
	p.life.runs("a task")
	r := p.w.Rand().IntN
	switch r(18) {
	case 0:
		return task.Sleep(t, upTo(p.w, 3*tick))
	case 1, 2:
		if err = p.lock.Lock(t); err == nil {
			p.held(t, &p.holders, 1, 1)
			p.lock.Unlock()
		}
	case 3:
		if err = p.cond.L.Lock(t); err == nil {
			err = task.WithTimeout(t, tick, func(t *task.Task) error { return p.cond.Wait(t) })
			p.held(t, &p.inside, 1, 1)
			p.cond.L.Unlock()
		}
	case 4:
		p.cond.Notify(r(3))
	case 5:
		n := 1 + r(2)
		if err = p.sem.Acquire(t, n); err == nil {
			p.held(t, &p.taken, n, semaphoreCap)
			p.sem.Release(n)
		}
	case 6:
		if depth < 3 {
			return p.group(t, depth)
		}
	case 7, 8:
		if depth < 3 && len(p.all) < mostTasks {
			f := task.Spawn(t, func(t *task.Task) (int, error) { return p.act(t, depth+1) })
			f.Ignore()
			p.all = append(p.all, f)
			if r(2) == 0 {
				_, err = task.Await(t, f)
			}
		}
	case 9, 10:
		p.all[r(len(p.all))].Cancel(errUnwanted)
	case 11:
		return task.Shielded(t, func(t *task.Task) error {
			return task.WithTimeout(t, tick, func(t *task.Task) error { return p.ev.Wait(t) })
		})
	case 12:
		p.ev.Set()
		p.ev.Clear()
	case 13:
		f := task.Go(p.other, func(t *task.Task) (int, error) { return 1, task.Sleep(t, tick) })
		_, err = task.Await(t, f)
	case 14:
		return task.WithTimeout(t, tick, func(t *task.Task) error { _, err := p.bar.Wait(t); return err })
	default:
		_, err = task.MoveOnAfter(t, upTo(p.w, 5*tick), func(t *task.Task) error { return p.goods.act(t, true) })
	}
	return err
}

func (p *anyProgram) group(t *task.Task, depth int) error {
	r := p.w.Rand().IntN
	return task.WithGroup(t, func(t *task.Task, g *task.Group) error {
		for range 1 + r(4) {
			g.Go(func(t *task.Task) error {
				_, err := p.act(t, depth+1)
				return err
			})
		}
		switch r(6) {
		case 0:
			return errFailed
		case 1:
			g.Cancel(nil)
		case 2:
			return task.Sleep(t, tick)
		}
		return nil
	})
}

// Whatever tasks do, and however it ends: each future is done, no function goes on, a lock has one holder, and no item is lost or given twice. Of a process that
// is killed the futures never are, and its locks and items are gone; its functions have ended too.
func TestTasks(t *testing.T) {
	everywhere(t, 100, func(w *sim.World, c climate) {
		r := w.Rand()
		var e *rondo.Engine
		var all []*anyProgram // one for each process
		start(w, c, 20*tick, func(its *rondo.Engine, life life) {
			e = its
			p := newProgram(w, e, life)
			all = append(all, p)
			p.start(e.Loops()[0])
			p.others(life.host, p.other)
		})
		w.Wait(func() bool { return len(all) > 0 })
		if !c.dark && r.IntN(2) == 0 { // the end comes in the midst of it
			w.Sleep(upTo(w, 20*tick))
		} else {
			w.Sleep(5*time.Minute + slack(c))
			l := e.Loops()[0]
			on(w, l, func() { all[len(all)-1].rest(l) })
		}
		end(w, e, c, upTo(w, 10*tick)*time.Duration(r.IntN(2)))
		for _, p := range all {
			if p.alive != 0 {
				w.Errorf("%d functions have not returned", p.alive)
			}
		}
		pending := errors.New("pending")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(pending)
		for _, f := range all[len(all)-1].all {
			if _, err := f.Wait(ctx); errors.Is(err, pending) {
				w.Errorf("a future is pending at the end")
			}
		}
	})
}

func newProgram(w *sim.World, e *rondo.Engine, life life) *anyProgram {
	l := e.Loops()[0]
	g := &goods{w: w, put: map[int]bool{}, got: map[int]bool{}, lost: map[int]bool{}}
	g.qs = []*queue.Queue[int]{queue.New[int](l, 0), queue.New[int](l, 3), queue.NewLIFO[int](l, 2), queue.NewPriority(l, 4, func(a, b int) bool { return a < b })}
	return &anyProgram{
		w: w, life: life, sem: task.NewSemaphore(semaphoreCap), bar: task.NewBarrier(3), cond: task.NewCondition(nil), other: e.Loops()[1], goods: g,
	}
}

// start starts the first tasks, and waits until it has.
func (p *anyProgram) start(l *rondo.Loop) {
	on(p.w, l, func() {
		for range 20 {
			f := task.Start(l, func(t *task.Task) (int, error) { return p.act(t, 0) })
			f.Ignore()
			p.all = append(p.all, f)
		}
	})
}

// rest is called on the loop when all tasks should be over.
func (p *anyProgram) rest(l *rondo.Loop) {
	if n := task.Len(l); n != 0 {
		p.w.Errorf("%d tasks are left", n)
	}
	if p.lock.Locked() || p.cond.L.Locked() || p.bar.Waiting() != 0 {
		p.w.Errorf("a lock is held, or a barrier waited for, by nobody")
	}
	p.goods.count()
}

// others use the queues from elsewhere: tasks of another loop, and goroutines.
func (p *anyProgram) others(h *sim.Host, other *rondo.Loop) {
	w, g := p.w, p.goods
	for range 6 {
		f := task.Go(other, func(t *task.Task) (int, error) {
			p.alive++
			defer func() { p.alive-- }()
			for range 10 {
				if _, err := task.MoveOnAfter(t, upTo(w, 5*tick), func(t *task.Task) error { return g.act(t, false) }); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		p.all = append(p.all, f)
		q := g.qs[w.Rand().IntN(len(g.qs))].Handle()
		h.Go(func() {
			for range 10 {
				ctx, cancel := w.WithTimeout(context.Background(), upTo(w, 5*tick))
				if w.Rand().IntN(2) == 0 {
					_ = g.offer(func(v int) error { return q.Put(ctx, v) })
				} else {
					_ = g.take(q.Get(ctx))
				}
				cancel()
			}
		})
	}
}

// on runs fn on a loop, and waits for it.
func on(w *sim.World, l *rondo.Loop, fn func()) {
	done := false
	l.Post(func() { fn(); done = true })
	w.Wait(func() bool { return done })
}
