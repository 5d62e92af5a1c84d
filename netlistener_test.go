package rondo_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestNetListener(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		peer := rig.Dial(t, ln.Addr().String())
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		rig.Send(t, peer, "hello")
		rig.Expect(t, c, "hello")
		c.Close()
	}
	open := rig.Dial(t, ln.Addr().String())
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 3)
	for range cap(waiting) {
		go func() {
			_, err := ln.Accept()
			waiting <- err
		}()
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	var op *net.OpError
	for range cap(waiting) {
		if err := rig.Await(t, waiting); !errors.Is(err, net.ErrClosed) || !errors.As(err, &op) || op.Op != "accept" {
			t.Errorf("Accept of a closed listener: %v", err)
		}
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close again: %v", err)
	}
	rig.Send(t, open, "still open")
	rig.Expect(t, c, "still open")
	c.Close()
}

// Up to 128 connections wait for Accept, the others in the kernel, and all get their turn.
func TestNetListenerQueue(t *testing.T) {
	for _, cfg := range []rondo.ListenConfig{{}, {ReusePort: true}} {
		e := newTestEngine(t, rondo.Config{Loops: 3})
		ln, err := cfg.ListenNet(e.Engine, "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		const many, limit = 200, 128
		for range many {
			rig.Dial(t, ln.Addr().String())
		}
		for range 4 { // turns enough to accept everybody
			for _, l := range e.Loops() {
				rig.On(t, l, func() {})
			}
		}
		if n := rondo.Waiting(ln); n != limit {
			t.Errorf("%d connections wait for Accept, and %d are dialed", n, many)
		}
		for range many {
			c, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		}
		if n := rondo.Waiting(ln); n != 0 {
			t.Errorf("%d connections still wait", n)
		}
		ln.Close()
	}
}

// What nobody has accepted when the listener is closed is closed too.
func TestNetListenerCloseQueued(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var peers []*net.TCPConn
	for range 10 {
		peers = append(peers, rig.Dial(t, ln.Addr().String()))
	}
	for range 3 {
		for _, l := range e.Loops() {
			rig.On(t, l, func() {})
		}
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	for _, p := range peers {
		if got := rig.Rest(t, p); len(got) > 0 {
			t.Errorf("the peer read %q", got)
		}
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestNetListenerShutdown(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		e := newTestEngine(t, rondo.Config{Loops: 2})
		address := "127.0.0.1:0"
		if network == "unix" {
			address = filepath.Join(t.TempDir(), "s")
		}
		ln, err := e.ListenNet(network, address)
		if err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error, 1)
		go func() {
			_, err := ln.Accept()
			waiting <- err
		}()
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := rig.Await(t, waiting); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close after Shutdown: %v", err)
		}
	}
}

// Closing, accepting and connecting at the same time: whoever was connected is served or closed.
func TestNetListenerCloseInStorm(t *testing.T) {
	newTestEngine(t, rondo.Config{}).Close()
	check := leavesNothing(t)
	e := newTestEngine(t, rondo.Config{Loops: 2})
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					return
				}
				_ = c.(*net.TCPConn).SetLinger(0)
				_, _ = c.Read(make([]byte, 1)) // the end, whichever
				c.Close()
			}
		})
	}
	for range 200 {
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if err := ln.Close(); err != nil {
		t.Error(err)
	}
	clients.Wait()
	if err := e.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	check()
}
