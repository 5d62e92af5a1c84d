// Package rig is what the tests of rondo and of the packages over it share: engines that end with their test, and waiting that
// ends a test which hangs; raw peers, pipes and terminals. Nothing but tests imports it.
package rig

import (
	"log/slog"
	"testing"

	"github.com/rondo-go/rondo"
)

// Engine is an engine under test, which ends with its test. What it reports fails the test unless the test has asked for it
// (Log.Await).
type Engine struct {
	*rondo.Engine
	Log *Log
}

// New starts an engine. Zero loops are one here.
func New(t testing.TB, cfg rondo.Config) *Engine {
	t.Helper()
	return Start(t, cfg, rondo.New)
}

// Start is New by way of start, which stands for rondo.New. A logger that cfg has already gets the reports in place of Log.
func Start(t testing.TB, cfg rondo.Config, start func(rondo.Config) (*rondo.Engine, error)) *Engine {
	t.Helper()
	log := newLog()
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(log)
	}
	e, err := start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if surprise := log.Unasked(); surprise != "" {
			t.Errorf("the engine reported:\n%s", surprise)
		}
	})
	return &Engine{e, log}
}
