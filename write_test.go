package rondo_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

var errTest = errors.New("an error of the test's own")

// everyOther says EAGAIN every other time.
func everyOther(do func(p poller.Poller, fd int, b []byte) (int, error)) func(p poller.Poller, fd int, b []byte) (int, error) {
	var calls atomic.Int64
	return func(p poller.Poller, fd int, b []byte) (int, error) {
		if calls.Add(1)%2 == 1 {
			return 0, syscall.EAGAIN
		}
		return do(p, fd, b)
	}
}

// sendCounter counts the system calls that send.
func sendCounter(calls *atomic.Int64) func(poller.Poller) poller.Poller {
	return func(p poller.Poller) poller.Poller {
		return &faulty{Poller: p, onSend: func(p poller.Poller, fd int, b []byte) (int, error) {
			calls.Add(1)
			return p.Send(fd, b)
		}}
	}
}

// What one callback writes goes out in one system call, whatever callback that is.
func TestWritesAreGathered(t *testing.T) {
	for _, place := range places {
		switch place.name {
		case "PauseWriting", "PauseWriting by another's Write", "ResumeWriting", "ConnectionLost":
			continue // where there is more to write than the kernel takes, or nobody to write to
		}
		t.Run(place.name, func(t *testing.T) {
			var calls atomic.Int64
			e := newEngineOver(t, rondo.Config{}, sendCounter(&calls))
			r := newRecorder(t)
			once := false
			write := func(c *rondo.Conn) {
				if once {
					return
				}
				once = true
				for i := range 100 {
					fmt.Fprintf(c, "%02d", i)
				}
				if c.Buffered() != 200 {
					t.Errorf("%d bytes are buffered of 200", c.Buffered())
				}
			}
			if place.hook != nil {
				place.hook(r, write)
			}
			peer := e.connect(fullRecorder{r})
			c := rig.Await(t, r.made)
			if place.provoke != nil {
				place.provoke(t, c, peer, write)
			}
			for i := range 100 {
				rig.Expect(t, peer, fmt.Sprintf("%02d", i))
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d system calls", n)
			}
			rig.On(t, c.Loop(), func() {
				if c.Buffered() != 0 {
					t.Errorf("%d bytes are buffered after the callback", c.Buffered())
				}
			})
		})
	}
}

func TestWriteNothing(t *testing.T) {
	var calls atomic.Int64
	e := newEngineOver(t, rondo.Config{}, sendCounter(&calls))
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		if n, err := c.Write(nil); n != 0 || err != nil {
			t.Errorf("Write of nothing says %d, %v", n, err)
		}
	}
	e.connect(r)
	rig.On(t, rig.Await(t, r.made).Loop(), func() {})
	if calls.Load() != 0 {
		t.Error("writing nothing made a system call")
	}
}

// One connection's callback writes to all: each gets its writes in order, in one system call.
func TestBroadcast(t *testing.T) {
	const n = 25
	var calls atomic.Int64
	e := newEngineOver(t, rondo.Config{}, sendCounter(&calls))
	var all []*rondo.Conn
	peers := make([]*net.TCPConn, n)
	recorders := make([]*recorder, n)
	for i := range peers {
		r := newRecorder(t)
		r.onMade = func(c *rondo.Conn) { all = append(all, c) }
		r.onData = func(_ *rondo.Conn, p []byte) int {
			for range 10 {
				for _, c := range all {
					_, _ = c.Write(p)
				}
			}
			return len(p)
		}
		recorders[i] = r
		peers[i] = e.connect(r)
		rig.Await(t, r.made)
	}
	for round, from := range []int{0, n / 2, n - 1} {
		calls.Store(0)
		rig.Send(t, peers[from], "0123456789")
		for _, peer := range peers {
			rig.Expect(t, peer, string(bytes.Repeat([]byte("0123456789"), 10)))
		}
		rig.On(t, all[0].Loop(), func() {}) // the turn is over
		if got := calls.Load(); got != n {
			t.Errorf("round %d: %d system calls for %d connections", round, got, n)
		}
	}
}

// The caller's buffer is its own again when Write has returned.
func TestWriteCopies(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		p := []byte("before")
		_, _ = c.Write(p)
		_, _ = c.Handle().Write(p)
		copy(p, "xxxxxx")
	}
	peer := e.connect(r)
	rig.Expect(t, peer, "beforebefore")
}

// Small and large writes, which take different ways, stay in order.
func TestWriteOrder(t *testing.T) {
	e := newTestEngine(t, rondo.Config{WriteLimit: 64 << 20})
	r := newRecorder(t)
	random := rand.New(rand.NewPCG(1, 2))
	var want []byte
	r.onMade = func(c *rondo.Conn) {
		for len(want) < 16<<20 {
			p := make([]byte, 1+random.IntN([]int{10, 1000, 20_000, 100_000, 600_000}[random.IntN(5)]))
			for i := range p {
				p[i] = byte(random.Uint32())
			}
			want = append(want, p...)
			if n, err := c.Write(p); n != len(p) || err != nil {
				t.Errorf("Write says %d, %v", n, err)
				return
			}
		}
		_ = c.Close()
	}
	peer := e.connect(r)
	rig.Await(t, r.made)
	if !bytes.Equal(rig.Rest(t, peer), want) {
		t.Error("the bytes did not arrive as they were written")
	}
}

// However little the kernel takes of each write, and however often it refuses, nothing is lost.
func TestSendFaults(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4)) // used on the loop alone
	some := func(p poller.Poller, fd int, b []byte) (int, error) {
		return p.Send(fd, b[:1+random.IntN(min(len(b), 5000))])
	}
	for _, tt := range []struct {
		name string
		size int
		send func(p poller.Poller, fd int, b []byte) (int, error)
	}{
		{"one byte", 3000, func(p poller.Poller, fd int, b []byte) (int, error) { return p.Send(fd, b[:1]) }},
		{"one byte, EAGAIN", 3000, everyOther(func(p poller.Poller, fd int, b []byte) (int, error) { return p.Send(fd, b[:1]) })},
		{"some bytes", 3 << 20, some},
		{"some bytes, EAGAIN", 3 << 20, everyOther(some)},
		{"all but one", 1 << 20, func(p poller.Poller, fd int, b []byte) (int, error) { return p.Send(fd, b[:max(1, len(b)-1)]) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { return &faulty{Poller: p, onSend: tt.send} })
			data := make([]byte, tt.size)
			for i := range data {
				data[i] = byte(i * 7 / 3)
			}
			r := newRecorder(t)
			r.onMade = func(c *rondo.Conn) { // a third in its own callback
				third(t, c, data[:tt.size/3])
			}
			peer := e.connect(r)
			c := rig.Await(t, r.made)
			c.Loop().Post(func() { // another on the loop
				third(t, c, data[tt.size/3:tt.size/2])
			})
			if _, err := c.Handle().Write(data[tt.size/2:]); err != nil { // and from elsewhere
				t.Error(err)
			}
			_ = c.Handle().Close()
			if got := rig.Rest(t, peer); !bytes.Equal(got, data) {
				t.Errorf("%d bytes of %d arrived, or others", len(got), len(data))
			}
			if err := rig.Await(t, r.lost); err != nil {
				t.Error(err)
			}
		})
	}
}

// third writes data in pieces of growing size.
func third(t *testing.T, c *rondo.Conn, data []byte) {
	for n := 1; len(data) > 0; n *= 2 {
		n = min(n, len(data))
		if _, err := c.Write(data[:n]); err != nil {
			t.Error(err)
			return
		}
		data = data[n:]
	}
}

// producer writes as much as it may.
type producer struct {
	*recorder
	news            chan string // "paused", "resumed" and "done", in turns
	chunk, left     int
	paused          bool
	pauses, resumes int
	largest         int
}

func (p *producer) ConnectionMade(c *rondo.Conn) {
	p.recorder.ConnectionMade(c)
	p.produce(c)
}

func (p *producer) produce(c *rondo.Conn) {
	chunk := make([]byte, p.chunk)
	for !p.paused && p.left > 0 {
		n := min(p.left, len(chunk))
		if _, err := c.Write(chunk[:n]); err != nil {
			p.t.Error(err)
			return
		}
		p.left -= n
		p.largest = max(p.largest, c.Buffered())
	}
	if p.left == 0 {
		p.news <- "done"
		_ = c.Close()
	}
}

func (p *producer) PauseWriting(c *rondo.Conn) {
	p.pauseWriting(c)
	if p.paused {
		p.t.Error("PauseWriting came twice")
	}
	p.paused = true
	p.news <- "paused"
	p.pauses++
	if _, high, _ := p.limits(); c.Buffered() <= high {
		p.t.Errorf("told to pause with %d bytes buffered", c.Buffered())
	}
}

func (p *producer) ResumeWriting(c *rondo.Conn) {
	p.resumeWriting(c)
	if !p.paused {
		p.t.Error("ResumeWriting came without PauseWriting")
	}
	p.paused = false
	p.news <- "resumed"
	p.resumes++
	if low, _, _ := p.limits(); c.Buffered() > low {
		p.t.Errorf("told to resume with %d bytes buffered", c.Buffered())
	}
	p.produce(c)
}

func (*producer) limits() (low, high, limit int) { return 16 << 10, 64 << 10, 16 << 20 }

// A producer that heeds its pauses never has more than the high water mark and one write buffered,
// though the reader is slower than the kernel's buffers are large.
func TestSlowReader(t *testing.T) {
	const size, chunk = 50 << 20, 10_000
	e := newTestEngine(t, rondo.Config{})
	p := &producer{recorder: newRecorder(t), news: make(chan string, 10_000), chunk: chunk, left: size}
	peer := e.connect(p)
	rig.Await(t, p.made)
	buf := make([]byte, 300<<10)
	total := 0
	for producing := true; producing; {
		switch rig.Await(t, p.news) {
		case "done":
			producing = false
		case "paused": // read until there is room again
			for resumed := false; !resumed; {
				n, err := peer.Read(buf)
				if err != nil {
					t.Fatal(err)
				}
				total += n
				select {
				case news := <-p.news:
					resumed = news == "resumed"
				default:
				}
			}
		}
	}
	total += len(rig.Rest(t, peer))
	if total != size {
		t.Errorf("%d bytes of %d arrived", total, size)
	}
	if err := rig.Await(t, p.lost); err != nil {
		t.Error(err)
	}
	if p.pauses < 5 || p.resumes < p.pauses-1 {
		t.Errorf("%d pauses and %d resumptions", p.pauses, p.resumes)
	}
	if _, high, _ := p.limits(); p.largest > high+chunk {
		t.Errorf("up to %d bytes were buffered; the high water mark is %d and a write %d", p.largest, high, chunk)
	}
	t.Logf("%d pauses, up to %d bytes", p.pauses, p.largest)
}

// Against a peer that never reads the producer is paused, and ended if it goes on.
func TestPeerNeverReads(t *testing.T) {
	const low, high, limit = 1000, 2000, 300_000
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	pauses := 0
	r.onPause = func(*rondo.Conn) { pauses++ }
	var failed error
	r.onMade = func(c *rondo.Conn) {
		c.SetWriteLimits(low, high, limit)
		chunk := make([]byte, 10_000)
		for failed == nil {
			before := c.Buffered()
			if _, failed = c.Write(chunk); failed == nil && before > high && pauses != 1 {
				t.Errorf("%d bytes were buffered and PauseWriting came %d times", before, pauses)
			}
		}
		if _, err := c.Write(chunk); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("the next Write says %v", err)
		}
	}
	e.connect(pauser{r})
	err := rig.Await(t, r.lost)
	var full *rondo.BufferError
	if !errors.As(err, &full) || full.Op != "write" || full.Limit != limit || full.Buffered <= limit || full.Buffered > limit+10_000 {
		t.Errorf("the reason is %v", err)
	}
	if !errors.Is(failed, err) {
		t.Errorf("Write said %v, ConnectionLost %v", failed, err)
	}
}

func TestSetWriteLimitsPanics(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		for _, bad := range [][3]int{{-1, 1, 1}, {2, 1, 3}, {1, 3, 2}, {0, 0, 0}} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("SetWriteLimits(%v) did not panic", bad)
					}
				}()
				c.SetWriteLimits(bad[0], bad[1], bad[2])
			}()
		}
		c.SetWriteLimits(0, 0, 1)
	}
	e.connect(r)
	rig.Await(t, r.made)
}

// A peer that goes away in mid-write ends the connection with what the network says.
func TestPeerResets(t *testing.T) {
	for _, reading := range []bool{true, false} {
		e := newTestEngine(t, rondo.Config{WriteLow: 1, WriteHigh: 2})
		r := newRecorder(t)
		r.onMade = func(c *rondo.Conn) {
			if !reading {
				c.PauseReading()
			}
			flood(c)
		}
		peer := e.connect(r)
		rig.Await(t, r.made)
		reset(t, peer)
		err := rig.Await(t, r.lost)
		var op *net.OpError
		if !errors.As(err, &op) || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("reading %v: the reason is %v", reading, err)
		}
		if op != nil && (op.Net != "tcp" || op.Addr.String() != peer.LocalAddr().String()) {
			t.Errorf("reading %v: the reason names %s %s", reading, op.Net, op.Addr)
		}
	}
}

// An error of Send reaches the caller of Write, if the write goes out at once, and ConnectionLost.
func TestSendError(t *testing.T) {
	for _, size := range []int{1, 1 << 20} {
		e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
			return &faulty{Poller: p, onSend: func(poller.Poller, int, []byte) (int, error) { return 0, syscall.EPIPE }}
		})
		r := newRecorder(t)
		var written error
		r.onMade = func(c *rondo.Conn) { _, written = c.Write(make([]byte, size)) }
		e.connect(r)
		err := rig.Await(t, r.lost)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "write" || !errors.Is(err, syscall.EPIPE) {
			t.Errorf("the reason is %v", err)
		}
		if size > 1 && !errors.Is(written, syscall.EPIPE) {
			t.Errorf("Write said %v", written)
		}
	}
}

// Many goroutines write through one handle: no write is torn, and each goroutine's are in order.
func TestHandleWriteConcurrently(t *testing.T) {
	const goroutines, writes = 16, 500
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	peer := e.connect(r)
	h := rig.Await(t, r.made).Handle()
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range writes {
				if _, err := h.Write([]byte{byte(g), byte(i >> 8), byte(i), byte(g)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var next [goroutines]int
	message := make([]byte, 4)
	for range goroutines * writes {
		if _, err := io.ReadFull(peer, message); err != nil {
			t.Fatal(err)
		}
		g, i := int(message[0]), int(message[1])<<8|int(message[2])
		if message[3] != message[0] || g >= goroutines || i != next[g] {
			t.Fatalf("got %v, goroutine %d is at %d", message, g, next[min(g, goroutines-1)])
		}
		next[g]++
	}
	wg.Wait()
}
