package sim_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

// A configuration that cannot be is refused, before anything runs, with the name of what is wrong.
func TestConfigThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		cfg  sim.Config
		want string
	}{
		{sim.Config{Faults: sim.Faults{Latency: -1}}, "Config.Faults.Latency is -1ns"},
		{sim.Config{Faults: sim.Faults{Kill: 1 << 62}}, "Config.Faults.Kill is "},
		{sim.Config{Faults: sim.Faults{Kill: time.Second, Repair: 1 << 62}}, "Config.Faults.Repair is "},
		{sim.Config{Faults: sim.Faults{Until: -time.Second}}, "Config.Faults.Until is -1s"},
		{sim.Config{Faults: sim.Faults{Refuse: -1, Lose: 1}}, "Config.Faults.Refuse is -1, and a chance is from 0 to 1"},
		{sim.Config{Faults: sim.Faults{LookupSlow: 2}}, "Config.Faults.LookupSlow is 2"},
		{sim.Config{Faults: sim.Faults{Cut: math.NaN()}}, "Config.Faults.Cut is NaN"},
		{sim.Config{Link: sim.Link{Jitter: -1}}, "Config.Link.Jitter is -1ns"},
		{sim.Config{Link: sim.Link{Bandwidth: -1}}, "Config.Link.Bandwidth is -1"},
		{sim.Config{Limit: -1}, "Config.Limit is -1ns"},
	} {
		ran := false
		_, err := sim.Simulate(c.cfg, func(*sim.World) { ran = true })
		if err == nil || !strings.Contains(err.Error(), "sim: "+c.want) || ran {
			t.Errorf("want %q: %v; it ran: %v", c.want, err, ran)
		}
	}
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) { w.SetLink(w.Host("a"), w.Host("b"), sim.Link{Latency: -1}) })
	if err == nil || !strings.Contains(err.Error(), "sim: Link.Latency is -1ns") {
		t.Errorf("%v", err)
	}
	if _, err := sim.Simulate(sim.Config{Faults: sim.Chaos()}, func(*sim.World) {}); err != nil {
		t.Errorf("chaos: %v", err)
	}
}

// A host that is to be spared and never comes is misspelt.
func TestSpareMisspelt(t *testing.T) {
	run := func(spare ...string) error {
		_, err := sim.Simulate(sim.Config{Faults: sim.Faults{Kill: time.Second, Spare: spare}}, func(w *sim.World) {
			w.Host("client")
			w.Sleep(time.Minute)
		})
		return err
	}
	if err := run("clinet", "client", "server", "clinet"); err == nil || !strings.HasSuffix(err.Error(), "sim: Config.Faults.Spare names hosts that there were not: clinet, server") {
		t.Errorf("%v", err)
	}
	if err := run("client"); err != nil {
		t.Error(err)
	}
}
