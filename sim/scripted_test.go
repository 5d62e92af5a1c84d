package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// Every fault that a script has is in the log when it is asked for and when it shows, so that what nothing comes of can be understood.
func TestScriptedFaultsAreLogged(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(w *sim.World, s, c *sim.Host)
		want   []string
	}{
		{"refusing", func(_ *sim.World, s, _ *sim.Host) { s.SetRefusing(true) }, []string{"s: set refusing true", "s: refuse c>s:7#1"}},
		{"silent", func(_ *sim.World, s, _ *sim.Host) { s.SetSilent(true) }, []string{"s: set silent true", "s: no answer c>s:7#1"}},
		{"aborts", func(_ *sim.World, s, _ *sim.Host) { s.AbortAccepts(1) }, []string{"s: abort accepts 1", "s: abort c>s:7#1"}},
		{"slow lookup", func(_ *sim.World, _, c *sim.Host) {
			c.SetLookup(func(string) (time.Duration, error) { return time.Second, nil })
		}, []string{"c: set lookup true", "c: slow lookup s 1s"}},
		{"failed lookup", func(_ *sim.World, _, c *sim.Host) {
			c.SetLookup(func(string) (time.Duration, error) { return 0, errors.New("no") })
		}, []string{"c: set lookup true", "c: failed lookup s"}},
		{"no lookup", func(_ *sim.World, _, c *sim.Host) { c.SetLookup(nil) }, []string{"c: set lookup false"}},
		{"link", func(w *sim.World, s, c *sim.Host) {
			w.SetLink(c, s, sim.Link{Latency: time.Second, Bandwidth: 100})
		}, []string{"s-c: set link latency 1s, jitter 0s, bandwidth 100"}},
		{"stall", func(w *sim.World, s, c *sim.Host) { w.Stall(c, s, time.Minute) }, []string{"s-c: stall c>s 1m0s"}},
		{"max files", func(_ *sim.World, s, _ *sim.Host) { s.SetMaxFiles(1) }, []string{"s: set max files 1"}},
		{"partition", func(w *sim.World, s, _ *sim.Host) { w.Partition(s) }, []string{"s-c: cut", "s-c: lost c>s:7#1"}},
		{"power off", func(_ *sim.World, s, _ *sim.Host) { s.PowerOff() }, []string{"s: power off", "s-c: lost c>s:7#1"}},
		{"backlog", func(_ *sim.World, s, _ *sim.Host) {
			if _, err := (rondo.ListenConfig{Backlog: 1}).Bind(s.Engine(), "tcp", ":8"); err != nil {
				panic(err)
			}
		}, []string{"s: backlog full c>s:8#2"}},
		{"script refuses", func(w *sim.World, _, _ *sim.Host) { w.OnConnect((*sim.Connection).Refuse) }, []string{"s: refuse c>s:7#1"}},
		{"script silences", func(w *sim.World, _, _ *sim.Host) { w.OnConnect((*sim.Connection).Silence) }, []string{"s-c: silent c>s:7#1"}},
		{"script aborts", func(w *sim.World, _, _ *sim.Host) { w.OnConnect((*sim.Connection).Abort) }, []string{"s: abort c>s:7#1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var w *sim.World
			sim.Run(t, sim.Config{Log: true}, func(world *sim.World) {
				w = world
				server, client := w.Host("s"), w.Host("c")
				server.Start(echoServer)
				w.Sleep(time.Second)
				c.script(w, server, client)
				for _, to := range []string{"s:7", "s:8", "s:8"} {
					ctx, cancel := w.WithTimeout(background, 2*time.Second)
					_, _ = client.Engine().DialContext(ctx, "tcp", to)
					cancel()
				}
				w.Sleep(time.Minute)
			})
			var all []string
			for _, e := range w.Log().Entries() {
				all = append(all, strings.TrimSpace(fmt.Sprintf("%s: %s %s", e.Where, e.What, e.Of)))
			}
			for _, want := range c.want {
				if !slices.Contains(all, want) {
					t.Errorf("%q is not in the log:\n%s", want, strings.Join(all, "\n"))
				}
			}
			var drawn strings.Builder
			_ = w.Log().Draw(&drawn)
			if strings.Contains(drawn.String(), "s-c ") {
				t.Errorf("a link is drawn as a host:\n%s", drawn.String())
			}
		})
	}
}
