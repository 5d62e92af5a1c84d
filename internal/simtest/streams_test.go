package simtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// protocol is the talker as one with EOFReceived, or as one without.
func (t *talker) protocol() rondo.Protocol {
	if t.p.w.Rand().IntN(4) == 0 && t.how != byHalf {
		return t
	}
	return half{t}
}

// attempt is a Dial that must end once.
type attempt struct {
	t     *talker
	ended bool
}

func (p *party) dial(h *sim.Host, e *rondo.Engine) *attempt {
	w := p.w
	r := w.Rand()
	t := p.newTalker(h, true)
	a := &attempt{t: t}
	d := rondo.Dialer{Timeout: time.Second + upTo(w, 20*time.Second)}
	if r.IntN(2) == 0 {
		d.Loop = e.Loops()[r.IntN(2)]
	}
	began := w.Elapsed()
	f := d.Dial(context.Background(), e, "tcp", "server:7", t.protocol())
	posted := f.Loop().Post(func() {
		if r.IntN(10) == 0 {
			f.Loop().After(upTo(w, time.Second), func() { f.Cancel(nil) })
		}
		f.OnDone(func(c *rondo.Conn, err error) {
			switch took := w.Elapsed() - began; {
			case a.ended:
				t.errorf("Dial has ended twice")
			case took > d.Timeout+slack(p.climate):
				t.errorf("Dial took %v, and was given %v", took, d.Timeout)
			case err == nil && !t.made, err != nil && t.made:
				t.errorf("Dial ends with %v; ConnectionMade was called: %v", err, t.made)
			case err == nil && c != t.conn:
				t.errorf("Dial gives another's connection")
			case p.climate.calm && err != nil && !errors.Is(err, context.Canceled) && !p.closed:
				t.errorf("Dial: %v", err)
			}
			a.ended = true
		})
	})
	if !posted {
		a.ended = true
		if _, err := f.Wait(context.Background()); !errors.Is(err, rondo.ErrEngineClosed) {
			t.errorf("Dial on a closed engine: %v", err)
		}
	}
	return a
}

// On every stream come the bytes that were sent, in their order, and then its end; every protocol is told all of it, once; and every engine ends.
func TestStreams(t *testing.T) {
	everywhere(t, 150, conversations)
}

func conversations(w *sim.World, c climate) {
	r := w.Rand()
	p := &party{w: w, climate: c, life: map[*sim.Host]int{}, shut: map[*sim.Host]int{}}
	engines := map[*sim.Host]*rondo.Engine{}
	server := w.Host("server")
	cfg := rondo.ListenConfig{ReusePort: r.IntN(2) == 0}
	if r.IntN(4) == 0 {
		cfg.MaxConns = 1 + r.IntN(4)
	}
	server.Start(func(h *sim.Host) error {
		p.life[h]++
		e := engine(h)
		engines[h] = e
		_, err := cfg.Listen(e, "tcp", ":7", func() rondo.Protocol { return p.newTalker(h, false).protocol() })
		return err
	})
	var attempts []*attempt
	dialing := 0
	hosts := []*sim.Host{w.Host("first"), w.Host("second")}
	for _, h := range hosts {
		h.Start(func(h *sim.Host) error {
			p.life[h]++
			e := engine(h)
			engines[h] = e
			dialing++
			defer func() { dialing-- }()
			for range 1 + r.IntN(4) {
				attempts = append(attempts, p.dial(h, e))
				w.Sleep(upTo(w, 5*time.Second))
			}
			return nil
		})
	}
	hosts = append(hosts, server)
	switch r.IntN(6) {
	case 0: // the server hears at once of those who come and of its end
		w.Sleep(100 * time.Microsecond)
		server.Pause(10 * time.Millisecond)
		w.Sleep(5 * time.Millisecond)
		p.close(server, engines)
	case 1, 2: // in the midst of it
		w.Sleep(time.Millisecond + upTo(w, 5*time.Second))
		p.end(hosts[r.IntN(3)], engines)
	}
	if !c.calm {
		w.Sleep(time.Minute)
	}
	w.Wait(func() bool {
		for _, h := range hosts {
			if !h.Up() {
				return false
			}
		}
		for _, a := range attempts {
			if !a.ended && !a.t.gone() {
				return false
			}
		}
		for _, t := range p.all {
			if !t.over() {
				return false
			}
		}
		return dialing == 0
	})
	for _, h := range hosts {
		p.end(h, engines)
	}
	for _, t := range p.all {
		switch o := t.other; {
		case t.gone():
		case t.made && !t.lost:
			t.errorf("was never told ConnectionLost")
		case c.calm && o != nil && t.clean() && o.clean() && (t.seen != o.total || t.err != nil):
			t.errorf("%d bytes of %d have come; %v", t.seen, o.total, t.err)
		}
	}
}

// clean reports whether nothing stood in the way of its saying all.
func (t *talker) clean() bool { return t.how == byHalf && !t.drained() && !t.overrun }

func (p *party) end(h *sim.Host, engines map[*sim.Host]*rondo.Engine) {
	patience := time.Duration(0)
	if p.w.Rand().IntN(3) > 0 {
		patience = time.Millisecond + upTo(p.w, 10*time.Second)
	}
	p.endWithin(h, engines, patience)
}

func (p *party) close(h *sim.Host, engines map[*sim.Host]*rondo.Engine) { p.endWithin(h, engines, 0) }

// endWithin ends the engine of a host, unless that is down.
func (p *party) endWithin(h *sim.Host, engines map[*sim.Host]*rondo.Engine, patience time.Duration) {
	e := engines[h]
	if !h.Up() || e == nil {
		return
	}
	p.closed = true
	life := p.life[h]
	p.shut[h] = life
	if over := func() bool { return p.life[h] != life || !h.Up() }; !over() {
		done := false
		h.Go(func() { end(p.w, e, p.climate, patience); done = true })
		p.w.Wait(func() bool { return done || over() })
	}
}
