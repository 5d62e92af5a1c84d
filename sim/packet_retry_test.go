package sim_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// A small protocol of requests and answers over UDP, as NFS and DNS have it: a request has a number, and is sent again until its answer comes. The
// server adds what it is asked to add, once for each request however often that comes, for which it keeps the last number and answer on disk.
type adder struct {
	disk     *disk
	careless bool // it adds whenever it is asked
}

type disk struct{ last, sum, adds uint64 }

func (a *adder) Opened(*rondo.PacketConn)        {}
func (a *adder) Closed(*rondo.PacketConn, error) {}
func (a *adder) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	if len(p.Data) != 16 {
		return
	}
	number, what := binary.BigEndian.Uint64(p.Data), binary.BigEndian.Uint64(p.Data[8:])
	switch d := a.disk; {
	case number < d.last:
		return // late: it was answered, and the client has gone on
	case number > d.last || a.careless:
		d.last = number
		d.sum += what
		d.adds++
	}
	_ = c.WriteTo(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, number), a.disk.sum), p.From)
}

// asker asks for 1, 2, 3, ... to be added, until it has done so with the last.
type asker struct {
	w      *sim.World
	conn   *rondo.PacketConn
	number uint64
	last   uint64
	timer  rondo.Timer
	sent   int
	wrong  string
}

const askAgain = 200 * time.Millisecond

func (a *asker) Opened(c *rondo.PacketConn) {
	a.conn = c
	a.number = 1
	a.ask()
}
func (a *asker) Closed(*rondo.PacketConn, error) { a.timer.Stop() }

func (a *asker) ask() {
	a.sent++
	_ = a.conn.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, a.number), a.number))
	a.timer = a.conn.Loop().After(askAgain, a.ask)
}

func (a *asker) PacketReceived(_ *rondo.PacketConn, p rondo.Packet) {
	number, sum := binary.BigEndian.Uint64(p.Data), binary.BigEndian.Uint64(p.Data[8:])
	if number != a.number {
		return // an answer that has come again, or late
	}
	if want := number * (number + 1) / 2; sum != want {
		a.wrong = fmt.Sprintf("after %d the sum is %d, not %d", number, sum, want)
	}
	a.timer.Stop()
	if a.number++; a.number <= a.last {
		a.ask()
	}
}

// retrying is a run of it. The client's machine is spared: what it counts to is in its memory.
func retrying(seed uint64, careless bool) (a *asker, d *disk, w *sim.World, err error) {
	faults := sim.Chaos()
	faults.Spare = []string{"client"}
	faults.LosePackets, faults.DuplicatePackets, faults.ReorderPackets = 0.2, 0.1, 0.2
	cfg := sim.Config{Seed: seed, Faults: faults, Link: sim.Link{Latency: time.Millisecond, Jitter: 5 * time.Millisecond}}
	d = new(disk)
	w, err = sim.Simulate(cfg, func(w *sim.World) {
		w.Host("server").Start(func(h *sim.Host) error {
			_, err := h.Engine().ListenPacket("udp", ":7", &adder{d, careless})
			return err
		})
		a = &asker{w: w, last: 200}
		for { // looking the server up can fail
			if _, err := w.Host("client").Engine().DialPacket(background, "udp", "10.0.0.1:7", a).Wait(background); err == nil {
				break
			}
			w.Sleep(time.Second)
		}
		for until := w.Elapsed() + 10*time.Minute; a.number <= a.last && a.wrong == "" && w.Elapsed() < until; {
			w.Sleep(time.Second)
		}
	})
	return a, d, w, err
}

func TestPacketRetries(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() || raceDetector {
		seeds = 20
	}
	repeated, faults := 0, 0
	for seed := uint64(1); seed <= seeds; seed++ {
		a, d, w, err := retrying(seed, false)
		switch {
		case err != nil:
			t.Fatalf("seed %d: %v", seed, err)
		case a.wrong != "":
			t.Fatalf("seed %d: %s", seed, a.wrong)
		case a.number <= a.last:
			t.Fatalf("seed %d: it has come to %d in ten minutes", seed, a.number)
		case d.adds != a.last:
			t.Fatalf("seed %d: %d were added, of %d", seed, d.adds, a.last)
		}
		repeated += a.sent - int(a.last)
		faults += len(w.Faults())
	}
	t.Logf("%d seeds: %d faults, and %d requests sent again", seeds, faults, repeated)
	if repeated == 0 || faults == 0 {
		t.Error("nothing has gone wrong")
	}
}

// A server that does not mind what it has done is found out, and a seed repeats it.
func TestPacketRetriesFindCarelessServer(t *testing.T) {
	for seed := uint64(1); seed <= 50; seed++ {
		a, _, w, err := retrying(seed, true)
		if err != nil {
			t.Fatal(err)
		}
		if a.wrong == "" {
			continue
		}
		b, _, again, err := retrying(seed, true)
		if err != nil || b.wrong != a.wrong || again.Log().Sum() != w.Log().Sum() {
			t.Errorf("seed %d: %q, and then %q, %v", seed, a.wrong, b.wrong, err)
		}
		return
	}
	t.Error("nothing was found in 50 seeds")
}
