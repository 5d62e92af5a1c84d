package rondo_test

import (
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
)

func TestConfigRefused(t *testing.T) {
	for _, tt := range []struct {
		config rondo.Config
		want   string
	}{
		{rondo.Config{Loops: -1}, "rondo: Config.Loops is -1: it must not be negative"},
		{rondo.Config{ReadBuffer: -1}, "Config.ReadBuffer"},
		{rondo.Config{MaxReadBuffer: -1}, "Config.MaxReadBuffer"},
		{rondo.Config{WriteLow: -1}, "Config.WriteLow"},
		{rondo.Config{WriteHigh: -1}, "Config.WriteHigh"},
		{rondo.Config{WriteLimit: -1}, "Config.WriteLimit"},
		{rondo.Config{MaxBlocking: -1}, "Config.MaxBlocking"},
		{rondo.Config{MaxQueued: -1}, "Config.MaxQueued"},
		{rondo.Config{CloseTimeout: -1}, "Config.CloseTimeout is -1ns: it must not be negative"},
		{rondo.Config{WriteLow: 2, WriteHigh: 1}, "must not be in decreasing order"},
		{rondo.Config{WriteHigh: 2, WriteLimit: 1}, "must not be in decreasing order"},
		{rondo.Config{Poller: "carrier pigeon"}, `unknown poller "carrier pigeon"`},
	} {
		e, err := rondo.New(tt.config)
		if err == nil {
			e.Close()
			t.Errorf("%+v was taken", tt.config)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q does not say %q", err, tt.want)
		}
	}
}

// Water marks that are not given suit those that are.
func TestConfigWaterMarks(t *testing.T) {
	for _, config := range []rondo.Config{
		{WriteHigh: 8 << 10},
		{WriteLimit: 32 << 10},
		{WriteLow: 100 << 10},
		{WriteHigh: 100 << 20},
		{WriteHigh: 1},
	} {
		e, err := rondo.New(config)
		if err != nil {
			t.Errorf("%+v: %v", config, err)
			continue
		}
		e.Close()
	}
}
