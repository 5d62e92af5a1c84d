package rondo_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// messages is a protocol of messages with a length in front, four bytes of it.
type messages struct {
	*recorder
	need bool // wait for whole messages
	got  func(c *rondo.Conn, message string)
}

func (m *messages) DataReceived(c *rondo.Conn, p []byte) (consumed int) {
	defer m.enter("DataReceived")()
	for {
		if len(p) < 4 {
			return consumed
		}
		size := 4 + int(binary.BigEndian.Uint32(p))
		if len(p) < size {
			if m.need {
				c.Need(size)
			}
			return consumed
		}
		m.got(c, string(p[4:size]))
		p = p[size:]
		consumed += size
	}
}

func encode(messages []string) []byte {
	var b []byte
	for _, m := range messages {
		b = binary.BigEndian.AppendUint32(b, uint32(len(m)))
		b = append(b, m...)
	}
	return b
}

// split sends data in pieces of the given sizes, over and over, and waits after each until the
// connection has read it, so that the pieces stay apart.
func split(t *testing.T, peer io.Writer, l *rondo.Loop, data []byte, sizes []int) {
	t.Helper()
	for i := 0; len(data) > 0; i++ {
		n := min(sizes[i%len(sizes)], len(data))
		if _, err := peer.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
		rig.On(t, l, func() {})
	}
}

// However the bytes are split on their way, the messages are the same.
func TestSplits(t *testing.T) {
	want := []string{"", "a", strings.Repeat("b", 100), "", "", "ccc", strings.Repeat("d", 1000), "e"}
	data := encode(want)
	for _, sizes := range [][]int{{1}, {2}, {3}, {7}, {1, 2, 3}, {4}, {5, 100}, {64}, {1000}, {len(data)}} {
		for _, need := range []bool{false, true} {
			for _, buffer := range []int{0, 1, 2, 16} {
				t.Run(fmt.Sprintf("%v need=%v buffer=%d", sizes, need, buffer), func(t *testing.T) {
					e := newTestEngine(t, rondo.Config{ReadBuffer: buffer})
					checkSplit(t, e, want, sizes, need)
				})
			}
		}
	}
}

func checkSplit(t *testing.T, e *engine, want []string, sizes []int, need bool) {
	t.Helper()
	var got []string
	m := &messages{newRecorder(t), need, func(_ *rondo.Conn, s string) { got = append(got, s) }}
	peer := e.connect(m)
	split(t, peer, rig.Await(t, m.made).Loop(), encode(want), sizes)
	peer.Close()
	if err := rig.Await(t, m.lost); err != io.EOF { //nolint:errorlint // documented to be bare
		t.Errorf("the reason is %v", err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzSplits reads the messages and how to split them from its input.
func FuzzSplits(f *testing.F) {
	f.Add([]byte("hello\x00world"), []byte{1, 2, 3}, true)
	f.Add([]byte{}, []byte{}, false)
	f.Add(bytes.Repeat([]byte("xyz\x00"), 200), []byte{255, 1}, true)
	f.Fuzz(func(t *testing.T, text, pieces []byte, need bool) {
		var want []string
		for m := range bytes.SplitSeq(text, []byte{0}) {
			want = append(want, string(m))
		}
		sizes := []int{1 + len(text)/100} // not too many
		for _, p := range pieces {
			sizes = append(sizes, 1+int(p))
		}
		checkSplit(t, newTestEngine(t, rondo.Config{ReadBuffer: 64}), want, sizes, need)
	})
}

// What is left comes again in front of the next bytes, and only with them.
func TestLeftovers(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	calls := make(chan string, 10)
	r.onData = func(_ *rondo.Conn, p []byte) int {
		calls <- string(p)
		return min(len(p), 2)
	}
	peer := e.connect(r)
	for _, step := range []struct{ send, want string }{
		{"abc", "abc"}, {"d", "cd"}, {"efg", "efg"}, {"h", "gh"}, {"i", "i"},
	} {
		rig.Send(t, peer, step.send)
		if got := rig.Await(t, calls); got != step.want {
			t.Errorf("DataReceived got %q, want %q", got, step.want)
		}
	}
}

// Need spares a protocol the calls in between, and holds for one call.
func TestNeed(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	var calls []string
	r.onMade = func(c *rondo.Conn) { c.Need(3) }
	r.onData = func(c *rondo.Conn, p []byte) int {
		calls = append(calls, string(p))
		switch len(calls) {
		case 1: // one of the next five is here
			c.Need(5)
			return len(p) - 1
		case 2: // what is left is not new, but it counts
			c.Need(-1)
		}
		return len(p)
	}
	peer := e.connect(r)
	split(t, peer, rig.Await(t, r.made).Loop(), []byte("abcdefghi"), []int{1})
	if want := []string{"abc", "cdefg", "h", "i"}; !slices.Equal(calls, want) {
		t.Errorf("got %q, want %q", calls, want)
	}
}

// A large message is assembled without DataReceived being called for each of its pieces.
func TestNeedLarge(t *testing.T) {
	const size, count = 200 << 10, 20
	e := newTestEngine(t, rondo.Config{})
	calls, got := 0, 0
	message := strings.Repeat("0123456789", size/10)
	m := &messages{recorder: newRecorder(t), need: true}
	m.got = func(_ *rondo.Conn, s string) {
		got++
		if s != message {
			t.Errorf("message %d is not what was sent: %s", got, rig.Short([]byte(s)))
		}
	}
	counted := &counting{m, &calls}
	peer := e.connect(counted)
	data := encode(slices.Repeat([]string{message}, count))
	if _, err := peer.Write(data); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if err := rig.Await(t, m.lost); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if got != count {
		t.Errorf("%d messages of %d", got, count)
	}
	// One call finds the header, one the message; without Need it would be one for each read.
	if calls > 2*count+2 {
		t.Errorf("DataReceived was called %d times for %d messages", calls, count)
	}
}

// counting counts calls of DataReceived.
type counting struct {
	rondo.Protocol
	calls *int
}

func (c *counting) DataReceived(conn *rondo.Conn, p []byte) int {
	*c.calls++
	return c.Protocol.DataReceived(conn, p)
}

// The bytes of one call are one read's, unless some were left.
func TestReadBuffer(t *testing.T) {
	for _, size := range []int{0, 1, 1000} {
		e := newTestEngine(t, rondo.Config{ReadBuffer: size})
		if size == 0 {
			size = 64 << 10
		}
		r := newRecorder(t)
		largest := 0
		r.onData = func(_ *rondo.Conn, p []byte) int {
			largest = max(largest, len(p))
			return len(p)
		}
		peer := e.connect(r)
		c := rig.Await(t, r.made)
		resume := make(chan struct{})
		c.Loop().Post(func() { <-resume })
		if _, err := peer.Write(make([]byte, min(100<<10, 100*size))); err != nil {
			t.Fatal(err)
		}
		close(resume)
		peer.Close()
		rig.Await(t, r.lost)
		if largest != size {
			t.Errorf("DataReceived got up to %d bytes, want %d", largest, size)
		}
	}
}

// A protocol may leave as much as Config.MaxReadBuffer, and no more.
func TestMaxReadBuffer(t *testing.T) {
	e := newTestEngine(t, rondo.Config{MaxReadBuffer: 100_000})
	r := newRecorder(t)
	full := make(chan struct{}, 1)
	r.onData = func(_ *rondo.Conn, p []byte) int {
		if len(p) == 100_000 {
			full <- struct{}{}
		}
		return 0
	}
	peer := e.connect(r)
	rig.Send(t, peer, strings.Repeat("x", 100_000))
	rig.Await(t, full)
	rig.Send(t, peer, "y")
	var tooMuch *rondo.BufferError
	if err := rig.Await(t, r.lost); !errors.As(err, &tooMuch) || *tooMuch != (rondo.BufferError{Op: "read", Buffered: 100_001, Limit: 100_000}) {
		t.Errorf("the reason is %v", err)
	}
}

// While reading is paused nothing is delivered and the peer is held up. What was left is delivered
// after that without new bytes.
func TestPauseReading(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	calls := make(chan string, 10)
	r.onData = func(c *rondo.Conn, p []byte) int {
		calls <- string(p)
		if len(p) == 3 {
			c.PauseReading()
			return 1
		}
		return len(p)
	}
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.Send(t, peer, "abc")
	if got := rig.Await(t, calls); got != "abc" {
		t.Fatalf("got %q", got)
	}
	rig.Send(t, peer, "de")
	for range 3 {
		rig.On(t, c.Loop(), func() {})
	}
	if len(calls) > 0 {
		t.Fatalf("%q was delivered while reading was paused", rig.Await(t, calls))
	}
	var got string
	resumed := func() {
		for len(got) < 4 {
			got += rig.Await(t, calls)
		}
	}
	c.Handle().Do(func(c *rondo.Conn) { c.ResumeReading(); c.ResumeReading() })
	resumed()
	if got != "bcde" && got != "bcbcde" {
		t.Errorf("after ResumeReading %q came", got)
	}
}

func TestPausedLeftoversWithoutNewBytes(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	calls := make(chan string, 10)
	r.onData = func(c *rondo.Conn, p []byte) int {
		calls <- string(p)
		if len(p) == 1 {
			return 1
		}
		c.PauseReading()
		return 1
	}
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.Send(t, peer, "abcd")
	for want := "abcd"; want != ""; want = want[1:] {
		if got := rig.Await(t, calls); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		// In turns: from a function of its own, and from a timer.
		if len(want)%2 == 0 {
			c.Handle().Do((*rondo.Conn).ResumeReading)
		} else {
			c.Loop().Post(func() { c.Loop().After(0, c.ResumeReading) })
		}
	}
	peer.Close()
	if err := rig.Await(t, r.lost); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// The end of the stream waits for the bytes in front of it, also for those that were left when
// reading was paused.
func TestPausedLeftoversBeforeEOF(t *testing.T) {
	for _, half := range []bool{false, true} {
		e := newTestEngine(t, rondo.Config{})
		r := newRecorder(t)
		var calls []string
		first := make(chan struct{})
		r.onData = func(c *rondo.Conn, p []byte) int {
			calls = append(calls, string(p))
			if len(calls) == 1 {
				c.PauseReading()
				close(first)
				return 1
			}
			return len(p)
		}
		r.onEOF = func(c *rondo.Conn) { calls = append(calls, "EOF"); _ = c.Close() }
		want := []string{"abc", "bc"}
		var p rondo.Protocol = r
		if half {
			p = halfCloser{r}
			want = append(want, "EOF")
		}
		peer := e.connect(p)
		c := rig.Await(t, r.made)
		rig.Send(t, peer, "abc")
		rig.Await(t, first)
		peer.Close()
		// From a posted function, so that the next turn finds both, the end first.
		c.Loop().Post(c.ResumeReading)
		err := rig.Await(t, r.lost)
		if !slices.Equal(calls, want) || err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("half-close %v: got %q and %v, want %q", half, calls, err, want)
		}
	}
}

// Whoever comes after a protocol gets what it has left: at once if it is DataReceived that hands over,
// else soon.
func TestSetProtocol(t *testing.T) {
	for _, tt := range []struct {
		name string
		hand func(c *rondo.Conn, to rondo.Protocol) // called on the loop with "bc" left
		in   bool                                   // and from within DataReceived
	}{
		{name: "in DataReceived", in: true, hand: func(c *rondo.Conn, to rondo.Protocol) { c.SetProtocol(to) }},
		{name: "in DataReceived after Need", in: true, hand: func(c *rondo.Conn, to rondo.Protocol) {
			c.Need(100)
			c.SetProtocol(to)
		}},
		{name: "in DataReceived, then paused", in: true, hand: func(c *rondo.Conn, to rondo.Protocol) {
			c.SetProtocol(to)
			c.PauseReading()
			c.Loop().After(1, c.ResumeReading)
		}},
		{name: "in a posted function", hand: func(c *rondo.Conn, to rondo.Protocol) { c.SetProtocol(to) }},
		{name: "in Handle.Do", hand: func(c *rondo.Conn, to rondo.Protocol) {
			c.Handle().Do(func(c *rondo.Conn) { c.SetProtocol(to) })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			second := newRecorder(t)
			second.begun = true
			calls := make(chan string, 10)
			second.onData = func(_ *rondo.Conn, p []byte) int { calls <- string(p); return len(p) }
			first := newRecorder(t)
			left := make(chan struct{})
			first.onData = func(c *rondo.Conn, p []byte) int {
				if tt.in {
					tt.hand(c, second)
				}
				close(left)
				return 1
			}
			peer := e.connect(first)
			c := rig.Await(t, first.made)
			rig.Send(t, peer, "abc")
			rig.Await(t, left)
			if !tt.in {
				c.Loop().Post(func() { tt.hand(c, second) })
			}
			if got := rig.Await(t, calls); got != "bc" {
				t.Errorf("the second protocol got %q, want %q", got, "bc")
			}
			rig.On(t, c.Loop(), func() {
				if c.Protocol() != second {
					t.Error("Conn.Protocol is not the second")
				}
			})
			rig.Send(t, peer, "d")
			if got := rig.Await(t, calls); got != "d" {
				t.Errorf("the second protocol then got %q, want %q", got, "d")
			}
			peer.Close()
			if err := rig.Await(t, second.lost); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			if len(first.lost) > 0 {
				t.Error("the first protocol was told ConnectionLost")
			}
		})
	}
}

// A new protocol may ask for more than was left before it is called at all.
func TestSetProtocolThenNeed(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	first, second := newRecorder(t), newRecorder(t)
	second.onMade = func(c *rondo.Conn) { c.Need(4) }
	calls := make(chan string, 10)
	second.onData = func(_ *rondo.Conn, p []byte) int { calls <- string(p); return len(p) }
	first.onData = func(c *rondo.Conn, _ []byte) int {
		c.SetProtocol(second)
		second.ConnectionMade(c)
		return 1
	}
	peer := e.connect(first)
	rig.Send(t, peer, "abc")
	rig.Await(t, second.made)
	rig.Send(t, peer, "de")
	if got := rig.Await(t, calls); got != "bcde" {
		t.Errorf("got %q", got)
	}
}

// A protocol that takes over from one that was told to pause is told itself, if it writes too much.
func TestSetProtocolWhilePaused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{WriteLow: 1, WriteHigh: 2})
	first, second := newRecorder(t), newRecorder(t)
	second.begun = true
	first.onMade = func(c *rondo.Conn) {
		flood(c)
		c.SetProtocol(pauser{second})
	}
	paused, resumed := make(chan struct{}), make(chan struct{})
	second.onPause = func(*rondo.Conn) { close(paused) }
	second.onResume = func(*rondo.Conn) { close(resumed) }
	peer := e.connect(pauser{first})
	c := rig.Await(t, first.made)
	rig.On(t, c.Loop(), func() { _, _ = c.Write(make([]byte, 100)) })
	rig.Await(t, paused)
	rig.On(t, c.Loop(), func() { _ = c.Close() })
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	if err := rig.Await(t, second.lost); err != nil {
		t.Error(err)
	}
	select {
	case <-resumed:
		t.Error("ResumeWriting came after Close")
	default:
	}
}

// A poller may say EAGAIN whenever it likes, or hand out the bytes one by one.
func TestRecvFaults(t *testing.T) {
	want := []string{"hello", "", "world", strings.Repeat("x", 500)}
	for _, tt := range []struct {
		name string
		recv func(p poller.Poller, fd int, b []byte) (int, error)
	}{
		{"one byte", func(p poller.Poller, fd int, b []byte) (int, error) { return p.Recv(fd, b[:1]) }},
		{"EAGAIN now and then", everyOther(func(p poller.Poller, fd int, b []byte) (int, error) { return p.Recv(fd, b[:min(3, len(b))]) })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
				return &faulty{Poller: p, onRecv: tt.recv}
			})
			checkSplit(t, e, want, []int{1000}, true)
		})
	}
}

// An error of the network other than EAGAIN ends the connection with that.
func TestRecvError(t *testing.T) {
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		return &faulty{Poller: p, onRecv: func(poller.Poller, int, []byte) (int, error) { return 0, errTest }}
	})
	r := newRecorder(t)
	peer := e.connect(r)
	rig.Send(t, peer, "x")
	err := rig.Await(t, r.lost)
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "read" || op.Net != "tcp" || op.Addr.String() != peer.LocalAddr().String() || !errors.Is(err, errTest) {
		t.Errorf("the reason is %v", err)
	}
}
