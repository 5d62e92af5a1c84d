package simtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/sim"
)

// Every report says of every poem that it is here, and then all of it is, or that it is not, and why.
func TestPoetry(t *testing.T) {
	everywhere(t, 60, func(w *sim.World, c climate) {
		r := w.Rand()
		var poems []string
		for i := range 2 {
			poems = append(poems, strings.Repeat(fmt.Sprintf("line of poem %d\n", i), 1+r.IntN(100)))
		}
		engines := map[*sim.Host]*rondo.Engine{}
		unkind := false
		var addresses []poetry.Address
		for i, poem := range poems {
			o := poetry.DefaultOptions(poetry.PoemSource(poetry.Poem{Name: "poem", Text: poem}))
			o.Port, o.Iface = 100, "0.0.0.0"
			o.NumBytes, o.Delay, o.Jitter = 1+r.IntN(200), upTo(w, time.Second), upTo(w, time.Second)
			o.Random = r.Float64
			switch r.IntN(8) {
			case 0:
				o.StallAfter, unkind = poetry.AfterBytes(r.IntN(len(poem))), true
			case 1:
				o.ResetAfter, unkind = poetry.AfterBytes(r.IntN(len(poem))), true
			}
			h := w.Host(fmt.Sprint("server", i))
			h.Start(func(h *sim.Host) error {
				e := engine(h)
				engines[h] = e
				_, err := poetry.ListenAsync(e, o)
				return err
			})
			for range 1 + r.IntN(3) {
				addresses = append(addresses, poetry.Address{Host: h.Name(), Port: 100})
			}
		}
		w.Sleep(time.Millisecond)
		if r.IntN(4) == 0 { // some of the servers' ends come early
			unkind = true
			h := w.Host("server0")
			patience := upTo(w, 5*time.Second)
			w.After(upTo(w, 30*time.Second), func() {
				if e := engines[h]; h.Up() && e != nil {
					h.Go(func() { end(w, e, c, patience) })
				}
			})
		}
		reports, asked := 0, 0
		client := w.Host("client")
		for i := range 2 {
			if !client.Up() {
				break
			}
			asked++
			e := engine(client)
			read := &reader{w: w, client: poetry.Client{Now: w.Now, Timeout: 5*time.Second + upTo(w, time.Minute)}, done: make([]poetry.EventKind, len(addresses))}
			read.client.OnEvent = read.event
			client.Go(func() {
				defer func() { asked-- }()
				ctx, cancel := t.Context(), func() {}
				hurried := r.IntN(4) == 0
				switch {
				case r.IntN(6) == 0: // its own engine's end
					hurried = true
					patience := upTo(w, 5*time.Second)
					w.After(upTo(w, 30*time.Second), func() { client.Go(func() { end(w, e, c, patience) }) })
				case hurried:
					ctx, cancel = w.WithTimeout(ctx, upTo(w, 10*time.Second))
				}
				fetch := read.client.FetchAsync
				if i == 1 {
					fetch = read.client.FetchTasks
				}
				report := fetch(ctx, e.Loops()[r.IntN(2)], addresses)
				cancel()
				reports++
				read.check(report, addresses, poems, c.calm && !hurried && !unkind)
			})
		}
		w.Wait(func() bool { return asked == 0 || !client.Up() || len(w.Faults()) > 0 && w.Elapsed() > 2*time.Hour })
		if asked > 0 && client.Up() && !c.dark {
			w.Errorf("%d reports have not come", asked)
		}
	})
}

// killed reports whether a server's process was: its system then ends what was begun in good order, and who knows no better takes it for the end.
func killed(w *sim.World) bool {
	return slices.ContainsFunc(w.Faults(), func(id string) bool { return strings.HasPrefix(id, "kill server") })
}

// reader is a client and what it was told.
type reader struct {
	w      *sim.World
	client poetry.Client
	done   []poetry.EventKind
}

func (r *reader) event(e poetry.Event) {
	switch last := &r.done[e.Task-1]; {
	case *last == poetry.EventFinished, *last == poetry.EventFailed:
		r.w.Errorf("task %d: event %v after its end, %v", e.Task, e.Kind, *last)
	case e.Kind < *last:
		r.w.Errorf("task %d: event %v after %v", e.Task, e.Kind, *last)
	default:
		*last = e.Kind
	}
}

func (r *reader) check(report *poetry.Report, addresses []poetry.Address, poems []string, kind bool) {
	if len(report.Tasks) != len(addresses) {
		r.w.Errorf("a report of %d tasks in place of %d", len(report.Tasks), len(addresses))
		return
	}
	for i, f := range report.Tasks {
		poem := poems[0]
		if addresses[i].Host == "server1" {
			poem = poems[1]
		}
		whole := string(f.Poem) == poem
		switch {
		case f.Err == nil && !whole && !killed(r.w):
			r.w.Errorf("%s: %d bytes of %d pass for the whole poem", report.Mode, len(f.Poem), len(poem))
		case !strings.HasPrefix(poem, string(f.Poem)):
			r.w.Errorf("%s: what has come is not of the poem", report.Mode)
		case f.Err != nil && kind:
			r.w.Errorf("%s: %v", report.Mode, f.Err)
		case f.Err == nil && r.done[i] != poetry.EventFinished, f.Err != nil && r.done[i] != poetry.EventFailed:
			r.w.Errorf("%s: the last event is %v, and the report says %v", report.Mode, r.done[i], f.Err)
		case f.Err != nil && !isFailure(f.Err):
			r.w.Errorf("%s: %v is no Failure", report.Mode, f.Err)
		}
	}
}

func isFailure(err error) bool {
	_, ok := errors.AsType[*poetry.Failure](err)
	return ok
}
