package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// aYear is the longest time that may be asked for: sums of a few still fit.
const aYear = 365 * 24 * time.Hour

// check is an error if the configuration says what cannot be.
func (cfg *Config) check() error {
	if err := cfg.Link.check("Config.Link"); err != nil {
		return err
	}
	if cfg.Limit < 0 {
		return fmt.Errorf("sim: Config.Limit is %v, and must not be negative", cfg.Limit)
	}
	f := &cfg.Faults
	for _, c := range []struct {
		name   string
		chance float64
	}{
		{"Refuse", f.Refuse},
		{"Lose", f.Lose},
		{"Silent", f.Silent},
		{"Abort", f.Abort},
		{"Reset", f.Reset},
		{"Stall", f.Stall},
		{"Join", f.Join},
		{"LosePackets", f.LosePackets},
		{"DuplicatePackets", f.DuplicatePackets},
		{"ReorderPackets", f.ReorderPackets},
		{"Narrow", f.Narrow},
		{"Cut", f.Cut},
		{"LookupFail", f.LookupFail},
		{"LookupSlow", f.LookupSlow},
	} {
		if !(c.chance >= 0 && c.chance <= 1) { // nor NaN
			return fmt.Errorf("sim: Config.Faults.%s is %v, and a chance is from 0 to 1", c.name, c.chance)
		}
	}
	for _, d := range []struct {
		name string
		time time.Duration
	}{
		{"Latency", f.Latency},
		{"Jitter", f.Jitter},
		{"Kill", f.Kill},
		{"PowerOff", f.PowerOff},
		{"Pause", f.Pause},
		{"ClockStep", f.ClockStep},
		{"NoFiles", f.NoFiles},
		{"Partition", f.Partition},
		{"Repair", f.Repair},
		{"Until", f.Until},
	} {
		if err := validTime("Config.Faults."+d.name, d.time); err != nil {
			return err
		}
	}
	return nil
}

func (l *Link) check(name string) error {
	if err := validTime(name+".Latency", l.Latency); err != nil {
		return err
	}
	if err := validTime(name+".Jitter", l.Jitter); err != nil {
		return err
	}
	if l.Bandwidth < 0 {
		return fmt.Errorf("sim: %s.Bandwidth is %d, and must not be negative", name, l.Bandwidth)
	}
	return nil
}

func validTime(name string, d time.Duration) error {
	if d < 0 || d > aYear {
		return fmt.Errorf("sim: %s is %v, and must be from 0 to a year", name, d)
	}
	return nil
}

// unspared is an error if a host was to be spared that there was not: it is misspelt, and another was not spared.
func (w *World) unspared() error {
	var unknown []string
	for _, name := range w.cfg.Faults.Spare {
		if w.byName[name] == nil && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
	}
	if unknown == nil {
		return nil
	}
	return fmt.Errorf("sim: Config.Faults.Spare names hosts that there were not: %s", strings.Join(unknown, ", "))
}
