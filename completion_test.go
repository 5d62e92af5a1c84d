package rondo_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// completing is a poller whose events come with their bytes, as a completion backend's do: it reads
// before it says that there is something to read.
type completing struct {
	poller.Poller
	fds map[uint64]int
}

func newCompleting(p poller.Poller) poller.Poller { return &completing{p, map[uint64]int{}} }

func (p *completing) Add(fd int, token uint64, want poller.Interest) error {
	p.fds[token] = fd
	return p.Poller.Add(fd, token, want)
}

func (p *completing) Wait(until int64) ([]poller.Event, error) {
	events, err := p.Poller.Wait(until)
	for i := range events {
		const listening = 1 << 63 // of the engine's tokens: nothing to read there
		ev := &events[i]
		if ev.Ready&poller.Readable == 0 || ev.Token&listening != 0 {
			continue
		}
		buf := make([]byte, 4<<10)
		if n, err := p.Recv(p.fds[ev.Token], buf); err == nil {
			ev.Data = buf[:n]
		}
	}
	return events, err
}

func TestCompletingPoller(t *testing.T) {
	t.Run("echo", func(t *testing.T) {
		e := newEngineOver(t, rondo.Config{}, newCompleting)
		peer := e.connect(pacedEcho{})
		sent := make([]byte, 4<<20)
		_, _ = rand.Read(sent)
		go func() {
			_, _ = peer.Write(sent)
			_ = peer.CloseWrite()
		}()
		if got, err := io.ReadAll(peer); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d of %d bytes came back, %v", len(got), len(sent), err)
		}
	})
	// Bytes, and the end, that come in the turn in which another callback pauses the connection.
	t.Run("paused in the same turn", func(t *testing.T) {
		e := newEngineOver(t, rondo.Config{}, newCompleting)
		a, b := newRecorder(t), newRecorder(t)
		peerA, peerB := e.connect(halfCloser{a}), e.connect(halfCloser{b})
		connA, connB := rig.Await(t, a.made), rig.Await(t, b.made)
		other := map[*recorder]*rondo.Conn{a: connB, b: connA}
		ended := map[*recorder]chan struct{}{a: make(chan struct{}, 1), b: make(chan struct{}, 1)}
		got := map[*recorder]string{}
		order := make(chan *recorder, 2)
		l := connA.Loop()
		rig.On(t, l, func() { // while the loop is here, both peers speak and leave
			for _, r := range []*recorder{a, b} {
				r.onData = func(_ *rondo.Conn, p []byte) int {
					if len(got) == 0 { // the first to be called pauses the other
						other[r].PauseReading()
					}
					got[r] += string(p)
					return len(p)
				}
				r.onEOF = func(*rondo.Conn) {
					order <- r
					ended[r] <- struct{}{}
				}
			}
			rig.Send(t, peerA, "from a")
			rig.Send(t, peerB, "from b")
			_ = peerA.CloseWrite()
			_ = peerB.CloseWrite()
		})
		first := rig.Await(t, order)
		second := map[*recorder]*recorder{a: b, b: a}[first]
		for range 3 {
			rig.On(t, l, func() {})
		}
		if len(ended[second]) > 0 {
			t.Error("the end was told while reading was paused")
		}
		rig.On(t, l, func() { other[first].ResumeReading() })
		rig.Await(t, ended[second])
		rig.On(t, l, func() {
			if got[a] != "from a" || got[b] != "from b" {
				t.Errorf("got %q and %q", got[a], got[b])
			}
			_ = connA.Close()
			_ = connB.Close()
		})
	})
}

// pacedEcho reads no more from a peer that does not read.
type pacedEcho struct{ echo }

func (pacedEcho) PauseWriting(c *rondo.Conn)  { c.PauseReading() }
func (pacedEcho) ResumeWriting(c *rondo.Conn) { c.ResumeReading() }
