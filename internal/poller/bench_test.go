package poller_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/rondo-go/rondo/internal/poller"
)

// BenchmarkTurn is a turn with one active descriptor among so many watched ones: a byte is sent,
// found and read. What grows with the number is the backend's own cost.
func BenchmarkTurn(b *testing.B) {
	for _, name := range subjects(b) {
		for _, n := range []int{10, 100, 900, 10_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				if name == "select" && n > selectLimit {
					b.Skip("select watches descriptors below 1024 only")
				}
				w := subject{func() (poller.Poller, error) { return poller.Open(name) }, "unix"}.world(b)
				clients, servers := assemble(w, n)
				from, to := clients[len(clients)/2], servers[len(servers)/2]
				p := make([]byte, 1)
				b.ReportAllocs()
				for b.Loop() {
					_, _ = w.Send(from.fd, p)
					for found := 0; found == 0; { // once, but for a signal that ends a look
						events, err := w.Wait(poller.Immediately)
						if found = len(events); err != nil {
							b.Fatal(err)
						}
					}
					_, _ = w.Recv(to.fd, p)
				}
			})
		}
	}
}

// BenchmarkWakeParked is a ping-pong with a loop that parks each time: the way there is a Wake,
// the way back a channel, whose share BenchmarkChannelPingPong shows.
func BenchmarkWakeParked(b *testing.B) {
	for _, name := range subjects(b) {
		b.Run(name, func(b *testing.B) {
			p, err := poller.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			pingPong(b, p.Wake, func() error {
				_, err := p.Wait(poller.Forever)
				return err
			})
			_ = p.Shut()
		})
	}
}

// pingPong measures waking a goroutine that waits and hearing that it ran.
func pingPong(b *testing.B, wake func(), wait func() error) {
	b.Helper()
	var posted, answered atomic.Int64
	var stop atomic.Bool
	pong := make(chan error)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			err := wait()
			if answered.Load() < posted.Load() && !stop.Load() {
				answered.Add(1)
				pong <- err
			}
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		posted.Add(1)
		wake()
		if err := <-pong; err != nil {
			b.Fatal(err)
		}
	}
	stop.Store(true)
	wake()
	<-done
}

func BenchmarkChannelPingPong(b *testing.B) {
	ping := make(chan struct{}, 1)
	pingPong(b, func() { ping <- struct{}{} }, func() error {
		<-ping
		return nil
	})
}

// BenchmarkWakeBusy is what a Wake costs the waker when the loop runs already (it spins here),
// the loop's own turns being on another processor.
func BenchmarkWakeBusy(b *testing.B) {
	for _, name := range subjects(b) {
		b.Run(name, func(b *testing.B) {
			p, err := poller.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = p.Shut() }()
			var stop atomic.Bool
			done := make(chan struct{})
			go func() {
				defer close(done)
				for !stop.Load() {
					_, _ = p.Wait(poller.Immediately)
					runtime.Gosched()
				}
			}()
			b.ReportAllocs()
			for b.Loop() {
				p.Wake()
			}
			stop.Store(true)
			<-done
		})
	}
}

// BenchmarkWakeSelf is a loop that wakes itself: the wake and the turn that answers it.
func BenchmarkWakeSelf(b *testing.B) {
	for _, name := range subjects(b) {
		b.Run(name, func(b *testing.B) {
			p, err := poller.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = p.Shut() }()
			b.ReportAllocs()
			for b.Loop() {
				p.Wake()
				_, _ = p.Wait(poller.Forever)
			}
		})
	}
}

// BenchmarkClose is a connection's life in the poller: opened, accepted, added and closed.
func BenchmarkClose(b *testing.B) {
	for _, name := range subjects(b) {
		b.Run(name, func(b *testing.B) {
			w := subject{func() (poller.Poller, error) { return poller.Open(name) }, "unix"}.world(b)
			w.pair()
			for b.Loop() {
				client, server := w.pair()
				w.add(server, poller.Read)
				w.close(server)
				w.close(client)
				clear(w.known)
				w.known[w.listener.token] = true
			}
		})
	}
}
