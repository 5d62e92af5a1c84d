package rondo_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// is says that a connection's reason must be err, by errors.Is; nil must be nil.
func is(err error) func(error) string {
	return func(got error) string {
		if !errors.Is(got, err) {
			return fmt.Sprintf("want %v", err)
		}
		return ""
	}
}

// as says that a connection's reason must be an E, and what its text must contain.
func as[E error](text string) func(error) string {
	return func(got error) string {
		var e E
		if !errors.As(got, &e) || !strings.Contains(got.Error(), text) {
			return fmt.Sprintf("want a %T with %q", e, text)
		}
		return ""
	}
}

// flood writes until the kernel takes no more. The peer must not be reading.
func flood(c *rondo.Conn) {
	chunk := make([]byte, 64<<10)
	for c.Buffered() == 0 {
		if _, err := c.Write(chunk); err != nil {
			return
		}
	}
}

func reset(t *testing.T, peer *net.TCPConn) {
	if err := peer.SetLinger(0); err != nil {
		t.Error(err)
	}
	peer.Close()
}

// Whatever ends a connection, the protocol is told so once, last, and why.
func TestConnectionLost(t *testing.T) {
	boom := errors.New("boom")
	bang := func(*rondo.Conn) { panic(boom) }
	panicked := func(err error) string {
		if got := is(boom)(err); got != "" {
			return got
		}
		return as[*rondo.PanicError]("close_test.go")(err) // the stack
	}
	onLoop := func(do func(*rondo.Conn)) func(*testing.T, *engine, *rondo.Conn, *net.TCPConn) {
		return func(_ *testing.T, _ *engine, c *rondo.Conn, _ *net.TCPConn) { c.Loop().Post(func() { do(c) }) }
	}
	sends := func(text string) func(*testing.T, *engine, *rondo.Conn, *net.TCPConn) {
		return func(t *testing.T, _ *engine, _ *rondo.Conn, peer *net.TCPConn) { rig.Send(t, peer, text) }
	}
	for _, tt := range []struct {
		name    string
		prepare func(r *recorder)
		plain   bool // the protocol is neither EOFReceiver nor WritePauser
		act     func(t *testing.T, e *engine, c *rondo.Conn, peer *net.TCPConn)
		want    func(error) string
		report  string
	}{
		{name: "Close", act: onLoop(func(c *rondo.Conn) { _ = c.Close() }), want: is(nil)},
		{name: "Abort", act: onLoop((*rondo.Conn).Abort), want: is(rondo.ErrAborted)},
		{name: "Handle.Close", act: func(_ *testing.T, _ *engine, c *rondo.Conn, _ *net.TCPConn) { _ = c.Handle().Close() }, want: is(nil)},
		{name: "Handle.Abort", act: func(_ *testing.T, _ *engine, c *rondo.Conn, _ *net.TCPConn) { c.Handle().Abort() }, want: is(rondo.ErrAborted)},
		{
			name: "peer's FIN", plain: true,
			act:  func(_ *testing.T, _ *engine, _ *rondo.Conn, peer *net.TCPConn) { peer.Close() },
			want: func(err error) string { return is(io.EOF)(err) },
		},
		{
			name: "peer's FIN in mid-message", plain: true,
			prepare: func(r *recorder) { r.onData = func(*rondo.Conn, []byte) int { return 0 } },
			act: func(t *testing.T, _ *engine, _ *rondo.Conn, peer *net.TCPConn) {
				rig.Send(t, peer, "half a mess")
				peer.Close()
			},
			want: is(io.ErrUnexpectedEOF),
		},
		{
			name: "peer's FIN, closed here",
			prepare: func(r *recorder) {
				r.onEOF = func(c *rondo.Conn) { _ = c.Close() }
			},
			act:  func(_ *testing.T, _ *engine, _ *rondo.Conn, peer *net.TCPConn) { peer.Close() },
			want: is(nil),
		},
		{
			name: "peer's RST",
			act:  func(t *testing.T, _ *engine, _ *rondo.Conn, peer *net.TCPConn) { reset(t, peer) },
			want: func(err error) string {
				if got := as[*net.OpError]("read")(err); got != "" {
					return got
				}
				return is(syscall.ECONNRESET)(err)
			},
		},
		{
			name: "panic in ConnectionMade", prepare: func(r *recorder) { r.onMade = bang },
			want: panicked, report: "boom",
		},
		{
			name: "panic in DataReceived",
			prepare: func(r *recorder) {
				r.onData = func(*rondo.Conn, []byte) int { panic(boom) }
			},
			act: sends("x"), want: panicked, report: "boom",
		},
		{
			name: "panic in EOFReceived", prepare: func(r *recorder) { r.onEOF = bang },
			act: func(_ *testing.T, _ *engine, _ *rondo.Conn, peer *net.TCPConn) { peer.Close() }, want: panicked, report: "boom",
		},
		{
			name: "panic in PauseWriting", prepare: func(r *recorder) { r.onPause = bang; r.onMade = flood },
			want: panicked, report: "boom",
		},
		{
			name: "panic in PauseWriting by a posted Write", prepare: func(r *recorder) { r.onPause = bang },
			act: onLoop(flood), want: panicked, report: "boom",
		},
		{
			name: "panic in PauseWriting by Handle.Write", prepare: func(r *recorder) { r.onPause = bang },
			act: func(t *testing.T, _ *engine, c *rondo.Conn, _ *net.TCPConn) {
				if _, err := c.Handle().Write(make([]byte, 15<<20)); err != nil {
					t.Error(err)
				}
			}, want: panicked, report: "boom",
		},
		{
			name: "panic in ResumeWriting", prepare: func(r *recorder) { r.onResume = bang; r.onMade = flood },
			act: func(_ *testing.T, _ *engine, _ *rondo.Conn, peer *net.TCPConn) {
				go func() { _, _ = io.Copy(io.Discard, peer) }()
			},
			want: panicked, report: "boom",
		},
		{
			name: "panic in Handle.Do", act: func(_ *testing.T, _ *engine, c *rondo.Conn, _ *net.TCPConn) { c.Handle().Do(bang) },
			want: panicked, report: "boom",
		},
		{
			name: "panic in ConnectionLost", prepare: func(r *recorder) { r.onLost = func(*rondo.Conn, error) { panic(boom) } },
			act: onLoop((*rondo.Conn).Abort), want: is(rondo.ErrAborted), report: "boom",
		},
		{
			name: "Goexit in DataReceived",
			prepare: func(r *recorder) {
				r.onData = func(*rondo.Conn, []byte) int { runtime.Goexit(); return 0 }
			},
			act: sends("x"), want: as[error]("runtime.Goexit"), report: "runtime.Goexit",
		},
		{
			name: "DataReceived returns too much",
			prepare: func(r *recorder) {
				r.onData = func(_ *rondo.Conn, p []byte) int { return len(p) + 1 }
			},
			act: sends("xyz"), want: as[*rondo.PanicError]("rondo_test.fullRecorder returned 4 for 3 bytes"), report: "returned 4",
		},
		{
			name: "DataReceived returns too little",
			prepare: func(r *recorder) {
				r.onData = func(*rondo.Conn, []byte) int { return -1 }
			},
			act: sends("xyz"), want: as[*rondo.PanicError]("returned -1 for 3 bytes"), report: "returned -1",
		},
		{
			name: "write limit",
			prepare: func(r *recorder) {
				r.onMade = func(c *rondo.Conn) {
					c.SetWriteLimits(1, 2, 100)
					flood(c)
				}
			},
			want: as[*rondo.BufferError]("the limit is 100 (Conn.SetWriteLimits)"),
		},
		{
			name: "read limit",
			prepare: func(r *recorder) {
				r.onData = func(*rondo.Conn, []byte) int { return 0 }
			},
			act: sends(strings.Repeat("x", 1001)), want: as[*rondo.BufferError]("limit is 1000 (Config.MaxReadBuffer)"),
		},
		{
			name: "Need of too much", prepare: func(r *recorder) { r.onMade = func(c *rondo.Conn) { c.Need(1001) } },
			want: as[*rondo.BufferError]("limit is 1000 (Config.MaxReadBuffer)"),
		},
		{
			name: "Engine.Close", act: func(t *testing.T, e *engine, _ *rondo.Conn, _ *net.TCPConn) {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			},
			want: is(rondo.ErrEngineClosed),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{MaxReadBuffer: 1000, WriteLow: 1, WriteHigh: 2})
			r := newRecorder(t)
			if tt.prepare != nil {
				tt.prepare(r)
			}
			var p rondo.Protocol = fullRecorder{r}
			if tt.plain {
				p = r
			}
			peer := e.connect(p)
			c := rig.Await(t, r.made)
			if tt.act != nil {
				tt.act(t, e, c, peer)
			}
			err := rig.Await(t, r.lost)
			if complaint := tt.want(err); complaint != "" {
				t.Errorf("the reason is %v (%T), %s", err, err, complaint)
			}
			if tt.report != "" {
				e.Log.Await(t, tt.report)
			}
			if c.Handle().Alive() {
				t.Error("the handle of an ended connection is alive")
			}
			if err := e.Close(); err != nil { // what comes now comes too late
				t.Error(err)
			}
			if len(r.lost) > 0 {
				t.Error("ConnectionLost came twice")
			}
		})
	}
}

// io.EOF is documented without a wrapping, so that it can be compared.
func TestEOFIsBare(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	e.connect(r).Close()
	if err := rig.Await(t, r.lost); err != io.EOF { //nolint:errorlint // that is the test
		t.Errorf("got %v", err)
	}
}

// places are where code of a protocol can run. Each arranges for act to be called there, once, with
// a connection on which nothing else happens, and has the peer read from then on.
var places = []struct {
	name string
	// hook is called before the connection is made, provoke after ConnectionMade has returned.
	hook    func(r *recorder, act func(*rondo.Conn))
	provoke func(t *testing.T, c *rondo.Conn, peer *net.TCPConn, act func(*rondo.Conn))
}{
	{name: "ConnectionMade", hook: func(r *recorder, act func(*rondo.Conn)) { r.onMade = act }},
	{
		name: "DataReceived",
		hook: func(r *recorder, act func(*rondo.Conn)) {
			r.onData = func(c *rondo.Conn, p []byte) int { act(c); return len(p) }
		},
		provoke: func(t *testing.T, _ *rondo.Conn, peer *net.TCPConn, _ func(*rondo.Conn)) { rig.Send(t, peer, "x") },
	},
	{
		name: "DataReceived with a rest",
		hook: func(r *recorder, act func(*rondo.Conn)) {
			r.onData = func(c *rondo.Conn, p []byte) int {
				if len(p) < 2 {
					return 0
				}
				act(c)
				return len(p) - 1
			}
		},
		provoke: func(t *testing.T, c *rondo.Conn, peer *net.TCPConn, _ func(*rondo.Conn)) {
			rig.Send(t, peer, "x")
			rig.On(t, c.Loop(), func() {})
			rig.Send(t, peer, "y")
		},
	},
	{
		name: "EOFReceived", hook: func(r *recorder, act func(*rondo.Conn)) { r.onEOF = act },
		provoke: func(t *testing.T, _ *rondo.Conn, peer *net.TCPConn, _ func(*rondo.Conn)) {
			if err := peer.CloseWrite(); err != nil {
				t.Error(err)
			}
		},
	},
	{
		name: "PauseWriting", hook: func(r *recorder, act func(*rondo.Conn)) { r.onMade = flood; r.onPause = act },
	},
	{
		name: "PauseWriting by another's Write", hook: func(r *recorder, act func(*rondo.Conn)) { r.onPause = act },
		provoke: func(_ *testing.T, c *rondo.Conn, _ *net.TCPConn, _ func(*rondo.Conn)) {
			c.Loop().Post(func() { flood(c) })
		},
	},
	{
		name: "ResumeWriting", hook: func(r *recorder, act func(*rondo.Conn)) { r.onMade = flood; r.onResume = act },
		provoke: func(_ *testing.T, _ *rondo.Conn, peer *net.TCPConn, _ func(*rondo.Conn)) {
			go func() { _, _ = io.CopyN(io.Discard, peer, 32<<20) }()
		},
	},
	{
		name: "ConnectionLost", hook: func(r *recorder, act func(*rondo.Conn)) {
			r.onLost = func(c *rondo.Conn, _ error) { act(c) }
		},
		provoke: func(_ *testing.T, c *rondo.Conn, _ *net.TCPConn, _ func(*rondo.Conn)) { _ = c.Handle().Close() },
	},
	{name: "timer", provoke: func(_ *testing.T, c *rondo.Conn, _ *net.TCPConn, act func(*rondo.Conn)) {
		c.Loop().Post(func() { c.Loop().After(0, func() { act(c) }) })
	}},
	{name: "posted function", provoke: func(_ *testing.T, c *rondo.Conn, _ *net.TCPConn, act func(*rondo.Conn)) {
		c.Loop().Post(func() { act(c) })
	}},
	{name: "Handle.Do", provoke: func(_ *testing.T, c *rondo.Conn, _ *net.TCPConn, act func(*rondo.Conn)) {
		c.Handle().Do(act)
	}},
	{name: "Defer", provoke: func(_ *testing.T, c *rondo.Conn, _ *net.TCPConn, act func(*rondo.Conn)) {
		c.Loop().Post(func() { c.Loop().Defer(func() { act(c) }) })
	}},
}

// inEveryPlace runs act in each place, and gives what ConnectionLost then got to check.
func inEveryPlace(t *testing.T, act func(c *rondo.Conn), check func(t *testing.T, place string, reason error)) {
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{WriteLow: 1, WriteHigh: 2})
			r := newRecorder(t)
			r.onEOF = func(c *rondo.Conn) { _ = c.Close() }
			acted := make(chan struct{})
			once := func(c *rondo.Conn) {
				select {
				case <-acted:
				default:
					defer close(acted)
					act(c)
				}
			}
			if place.hook != nil {
				place.hook(r, once)
			}
			peer := e.connect(fullRecorder{r})
			c := rig.Await(t, r.made)
			if place.provoke != nil {
				place.provoke(t, c, peer, once)
			}
			rig.Await(t, acted)
			// The peer reads what there is, and closes when that ends: for CloseWrite.
			_, _ = io.Copy(io.Discard, peer)
			peer.Close()
			reason := rig.Await(t, r.lost)
			check(t, place.name, reason)
			if err := e.Close(); err != nil {
				t.Error(err)
			}
			if len(r.lost) > 0 {
				t.Error("ConnectionLost came twice")
			}
		})
	}
}

func TestCloseInEveryPlace(t *testing.T) {
	inEveryPlace(t, func(c *rondo.Conn) {
		for range 2 {
			if err := c.Close(); err != nil {
				t.Errorf("Close says %v", err)
			}
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, rondo.ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close says %v", err)
		}
		if err := c.CloseWrite(); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("CloseWrite after Close says %v", err)
		}
	}, func(t *testing.T, _ string, reason error) {
		if reason != nil {
			t.Errorf("the reason is %v", reason)
		}
	})
}

func TestAbortInEveryPlace(t *testing.T) {
	inEveryPlace(t, func(c *rondo.Conn) {
		c.Abort()
		c.Abort()
		if _, err := c.Write([]byte("x")); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("Write after Abort says %v", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close after Abort says %v", err)
		}
		if n := c.Buffered(); n != 0 {
			t.Errorf("%d bytes are buffered after Abort", n)
		}
		if a := c.LocalAddr(); a != nil {
			t.Errorf("the local address is %v after Abort", a)
		}
		if c.RemoteAddr() == nil {
			t.Error("the remote address is gone after Abort")
		}
		if err := c.SetNoDelay(true); !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("SetNoDelay after Abort says %v", err)
		}
		c.Need(4)
		c.PauseReading()
		c.ResumeReading()
	}, func(t *testing.T, place string, reason error) {
		if want := rondo.ErrAborted; place != "ConnectionLost" && !errors.Is(reason, want) {
			t.Errorf("the reason is %v", reason)
		}
	})
}

func TestCloseWriteInEveryPlace(t *testing.T) {
	inEveryPlace(t, func(c *rondo.Conn) {
		first := c.CloseWrite()
		if second := c.CloseWrite(); !errors.Is(second, first) {
			t.Errorf("the first CloseWrite says %v, the second %v", first, second)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, rondo.ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after CloseWrite says %v", err)
		}
		c.Loop().After(time.Millisecond, func() {
			// EOFReceived closes, but where it was what called.
			c.Loop().Post(func() { _ = c.Close() })
		})
	}, func(t *testing.T, _ string, reason error) {
		if reason != nil {
			t.Errorf("the reason is %v", reason)
		}
	})
}

// Close sends what was written first, however much that is, and reads nothing more.
func TestCloseSendsEverything(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 15<<16)
	r.onMade = func(c *rondo.Conn) {
		if n, err := c.Write(data); n != len(data) || err != nil {
			t.Errorf("Write says %d, %v", n, err)
		}
		if c.Buffered() == 0 {
			t.Error("the kernel has taken everything: write more")
		}
		_ = c.Close()
	}
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() {})
	if len(r.lost) > 0 {
		t.Error("ConnectionLost came before everything was sent")
	}
	if got := rig.Rest(t, peer); !bytes.Equal(got, data) {
		t.Errorf("the peer got %d bytes of %d", len(got), len(data))
	}
	if err := rig.Await(t, r.lost); err != nil {
		t.Error(err)
	}
}

func TestAbortResetsPeer(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	peer := e.connect(r)
	rig.Await(t, r.made).Handle().Abort()
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer reads %v", err)
	}
}

// A callback may end other connections than its own, and each is told once.
func TestEndEachOther(t *testing.T) {
	const n = 20
	e := newTestEngine(t, rondo.Config{})
	var all []*rondo.Conn
	recorders := make([]*recorder, n)
	for i := range recorders {
		r := newRecorder(t)
		r.onMade = func(c *rondo.Conn) { all = append(all, c) }
		endAll := func() {
			for j, c := range all {
				if j%2 == 0 {
					c.Abort()
				} else {
					_ = c.Close()
				}
			}
		}
		r.onData = func(_ *rondo.Conn, p []byte) int { endAll(); return len(p) }
		r.onLost = func(*rondo.Conn, error) { endAll() }
		recorders[i] = r
	}
	peers := make([]*net.TCPConn, n)
	for i, r := range recorders {
		peers[i] = e.connect(r)
		rig.Await(t, r.made)
	}
	for _, peer := range peers {
		_, _ = peer.Write([]byte("x")) // the last may be too late
	}
	for i, r := range recorders {
		err := rig.Await(t, r.lost)
		if want := []error{rondo.ErrAborted, nil}[i%2]; !errors.Is(err, want) {
			t.Errorf("connection %d: %v, want %v", i, err, want)
		}
	}
}
