package rondo_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// heap is how many bytes are in use when the garbage is collected.
func heap() int64 {
	var m runtime.MemStats
	for range 2 { // what has a finalizer goes with the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A hundred thousand connections come, speak and go, and the engine is as it was: no goroutine, no descriptor, no
// memory and no slot more.
func TestSoak(t *testing.T) {
	cycles := 100_000
	if rondo.RaceEnabled || testing.Short() {
		cycles = 10_000
	}
	t.Logf("%d cycles (100,000, but 10,000 under the race detector and with -short)", cycles)
	const clients = 16
	e := newTestEngine(t, rondo.Config{Loops: 2})
	var highest atomic.Uint32
	var open sync.WaitGroup
	addr := e.serve(func() rondo.Protocol { return &visitor{open: &open, highest: &highest} })

	// Many addresses to come from, and a reset at the end, so that no port waits in TIME_WAIT.
	visit := func(client int) error {
		open.Add(1)
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(client+1))}
		c, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", addr)
		if err != nil {
			open.Done()
			return err
		}
		defer c.Close()
		var buf [16]byte
		copy(buf[:], "hello, and thank")
		if _, err := c.Write(buf[:]); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buf[:]); err != nil {
			return err
		}
		return c.(*net.TCPConn).SetLinger(0)
	}
	storm := func(cycles int) {
		var left atomic.Int64
		left.Store(int64(cycles))
		var group sync.WaitGroup
		for i := range clients {
			group.Go(func() {
				for left.Add(-1) >= 0 {
					if err := visit(i); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		open.Wait()
		for _, l := range e.Loops() {
			rig.On(t, l, func() {}) // behind the turn that told of the last end
		}
	}
	storm(1000) // what is kept for the next is made now
	check := leavesNothing(t)
	before := heap()
	began := time.Now()
	storm(cycles)
	t.Logf("%v", time.Since(began))
	check()
	// 100,000 forgotten bytes are one for each cycle.
	if grown := heap() - before; grown > 100_000 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	// A slot is free again a little after its client's next connection may be there.
	if n := highest.Load(); n >= 8*clients {
		t.Errorf("%d clients have taken %d slots", clients, n+1)
	}
}

// visitor is an echo that counts.
type visitor struct {
	open    *sync.WaitGroup
	highest *atomic.Uint32
}

func (v *visitor) ConnectionMade(c *rondo.Conn) {
	for slot := c.Handle().Slot(); ; {
		if h := v.highest.Load(); slot <= h || v.highest.CompareAndSwap(h, slot) {
			return
		}
	}
}

func (*visitor) DataReceived(c *rondo.Conn, p []byte) int { return echo{}.DataReceived(c, p) }
func (v *visitor) ConnectionLost(*rondo.Conn, error)      { v.open.Done() }

// The same for connections that the engine makes, as net.Conns on both ends.
func TestSoakNetConn(t *testing.T) {
	cycles := 5000
	if rondo.RaceEnabled || testing.Short() {
		cycles = 500
	}
	t.Logf("%d cycles (5,000, but 500 under the race detector and with -short)", cycles)
	e := newTestEngine(t, rondo.Config{Loops: 2})
	ln, err := e.ListenNet("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				c.Close()
			}()
		}
	}()
	storm := func(cycles int) {
		var group sync.WaitGroup
		for i := range 8 {
			group.Go(func() {
				from := rondo.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(i+1))}}
				for range cycles / 8 {
					c, err := from.DialContext(t.Context(), e.Engine, "tcp", ln.Addr().String())
					if err != nil {
						t.Error(err)
						return
					}
					text := fmt.Sprint("hello ", i)
					_ = c.SetDeadline(time.Now().Add(rig.Patience))
					_, _ = io.WriteString(c, text)
					got := make([]byte, len(text))
					if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
						t.Errorf("read %q, %v", got, err)
					}
					c.Close()
				}
			})
		}
		group.Wait()
	}
	storm(200)
	check := leavesNothing(t)
	before := heap()
	storm(cycles)
	check()
	if grown := heap() - before; grown > 200_000 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	ln.Close()
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
