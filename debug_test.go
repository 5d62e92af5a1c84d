package rondo_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// calls are those that only the loop may make, and what the others are told to use.
func calls(c *rondo.Conn, p rondo.Protocol, timer rondo.Timer, f *rondo.Future[int]) map[string]struct {
	call    func()
	instead string
} {
	type entry = struct {
		call    func()
		instead string
	}
	l := c.Loop()
	return map[string]entry{
		"Conn.Write":          {func() { _, _ = c.Write(nil) }, "Handle.Write"},
		"Conn.Close":          {func() { _ = c.Close() }, "Handle.Close"},
		"Conn.CloseWrite":     {func() { _ = c.CloseWrite() }, "Handle.Do"},
		"Conn.Abort":          {c.Abort, "Handle.Abort"},
		"Conn.Buffered":       {func() { c.Buffered() }, "Handle.Do"},
		"Conn.LocalAddr":      {func() { c.LocalAddr() }, "Handle.Do"},
		"Conn.RemoteAddr":     {func() { c.RemoteAddr() }, "Handle.Do"},
		"Conn.Protocol":       {func() { c.Protocol() }, "Handle.Do"},
		"Conn.SetProtocol":    {func() { c.SetProtocol(p) }, "Handle.Do"},
		"Conn.SetNoDelay":     {func() { _ = c.SetNoDelay(true) }, "Handle.Do"},
		"Conn.SetKeepAlive":   {func() { _ = c.SetKeepAlive(0) }, "Handle.Do"},
		"Conn.SetWriteLimits": {func() { c.SetWriteLimits(1, 2, 3) }, "Handle.Do"},
		"Conn.Need":           {func() { c.Need(1) }, "Handle.Do"},
		"Conn.Reading":        {func() { c.Reading() }, "Handle.Do"},
		"Conn.PauseReading":   {c.PauseReading, "Handle.Do"},
		"Conn.ResumeReading":  {c.ResumeReading, "Handle.Do"},
		"Loop.After":          {func() { l.After(time.Hour, func() {}) }, "Loop.Post"},
		"Loop.Every":          {func() { l.Every(time.Hour, func() {}) }, "Loop.Post"},
		"Loop.Defer":          {func() { l.Defer(func() {}) }, "Loop.Post"},
		"Timer.Stop":          {func() { timer.Stop() }, "Loop.Post"},
		"Timer.Pending":       {func() { timer.Pending() }, "Loop.Post"},
		"Timer.Reset":         {func() { timer.Reset(time.Hour) }, "Loop.Post"},
		"Future.Done":         {func() { f.Done() }, "Future.Wait"},
		"Future.Result":       {func() { _, _ = f.Result() }, "Future.Wait"},
		"Future.OnDone":       {func() { f.OnDone(func(int, error) {}) }, "Future.Wait"},
	}
}

// With Debug every call from a wrong goroutine panics, does nothing, and says what to use.
func TestDebug(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Debug: true, Loops: 2})
	r := newRecorder(t)
	e.connect(r)
	c := rig.Await(t, r.made)
	var timer rondo.Timer
	rig.On(t, c.Loop(), func() { timer = c.Loop().After(time.Hour, func() {}) })
	p := rondo.NewPromise[int](c.Loop())
	for name, entry := range calls(c, r, timer, p.Future()) {
		check := func(from string) {
			defer func() {
				said := fmt.Sprint(recover())
				for _, want := range []string{"rondo: " + name + " was called by goroutine", "elsewhere use " + entry.instead} {
					if !strings.Contains(said, want) {
						t.Errorf("%s from %s: %q does not say %q", name, from, said, want)
					}
				}
			}()
			entry.call()
		}
		check("a goroutine of the test")
		for _, l := range e.Loops() {
			if l != c.Loop() {
				rig.On(t, l, func() { check("another loop") })
			}
		}
	}
	// On the loop each of them works; the ends come last.
	rig.On(t, c.Loop(), func() {
		last := map[string]bool{"Conn.Close": true, "Conn.Abort": true}
		for name, entry := range calls(c, r, timer, p.Future()) {
			if !last[name] {
				entry.call()
			}
		}
		_ = c.Close()
		c.Abort()
	})
	rig.Await(t, r.lost)
}

// Any goroutine may make these calls, in debug builds too.
func TestDebugLetsOthersCall(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Debug: true})
	r := newRecorder(t)
	e.connect(r)
	c := rig.Await(t, r.made)
	l := c.Loop()
	_, _, _, _ = l.Engine(), l.Index(), l.Now(), l.Post(func() {})
	h := c.Handle()
	_, _ = h.Write([]byte("x"))
	h.Do(func(*rondo.Conn) {})
	p := rondo.NewPromise[int](l)
	p.Resolve(1)
	_ = p.Future().Loop()
	_ = rig.Result(t, p.Future())
	_, _, _ = e.Loop(), e.Loops(), e.Poller()
	_ = h.Close()
	rig.Await(t, r.lost)
}

// Without Debug nothing is checked: a microsecond a call is too much for every call.
func TestNoDebug(t *testing.T) {
	if rondo.RaceEnabled {
		t.Skip("not under the race detector, where every call is checked")
	}
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	e.connect(r)
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() {}) // the loop waits, or will: nobody else touches the connection
	if c.Buffered() != 0 || c.Protocol() == nil {
		t.Error("a connection of nobody's")
	}
}

// The loop's goroutine changes with runtime.Goexit, and the new one is known.
func TestDebugAfterGoexit(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Debug: true})
	r := newRecorder(t)
	r.onMade = func(*rondo.Conn) { runtime.Goexit() }
	e.connect(r)
	if err := rig.Await(t, r.lost); err == nil || !strings.Contains(err.Error(), "runtime.Goexit") {
		t.Errorf("the reason is %v", err)
	}
	e.Log.Await(t, "runtime.Goexit")
	rig.On(t, e.Loop(), func() { e.Loop().After(0, func() {}) })
}

// OnLoop tells a loop's own goroutine from all others.
func TestOnLoop(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	a, b := e.Loops()[0], e.Loops()[1]
	if a.OnLoop() {
		t.Error("the test is on the loop")
	}
	rig.On(t, a, func() {
		if !a.OnLoop() || b.OnLoop() {
			t.Errorf("on loop 0: it is on loop 0: %v, on loop 1: %v", a.OnLoop(), b.OnLoop())
		}
	})
}
