package rondo_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// No test leaves a goroutine behind, and so no loop.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is a rig.Engine that also listens for the connections that tests make.
type engine struct {
	*rondo.Engine
	Log *rig.Log
	t   testing.TB

	listen sync.Once
	addr   string
	next   chan rondo.Protocol // of the connections that connect makes
}

// newTestEngine starts an engine with the poller that RONDO_POLLER says. See rig.New.
func newTestEngine(t testing.TB, cfg rondo.Config) *engine {
	t.Helper()
	return newEngineOver(t, cfg, func(p poller.Poller) poller.Poller { return p })
}

// newEngineOver starts an engine whose loops get their pollers by way of wrap, in their order.
func newEngineOver(t testing.TB, cfg rondo.Config, wrap func(poller.Poller) poller.Poller) *engine {
	t.Helper()
	e := rig.Start(t, cfg, func(cfg rondo.Config) (*rondo.Engine, error) {
		return rondo.NewOver(cfg, func(name string) (poller.Poller, error) {
			p, err := poller.Open(name)
			if err != nil {
				return nil, err
			}
			return wrap(p), nil
		})
	})
	return &engine{Engine: e.Engine, Log: e.Log, t: t, next: make(chan rondo.Protocol)}
}

// serve accepts connections on a free port of loopback and returns its address.
func (e *engine) serve(accept func() rondo.Protocol) string {
	e.t.Helper()
	ln, err := e.Listen("tcp", "127.0.0.1:0", accept)
	if err != nil {
		e.t.Fatal(err)
	}
	return ln.Addr().String()
}

// connect gives p a connection to a raw peer: a plain net.Conn. One call at a time. The loop waits
// until the peer has done with connecting, lest it be reset in the midst of that.
func (e *engine) connect(p rondo.Protocol) *net.TCPConn {
	e.t.Helper()
	e.listen.Do(func() {
		e.addr = e.serve(func() rondo.Protocol { return <-e.next })
	})
	peer := rig.Dial(e.t, e.addr)
	e.next <- p
	return peer
}

// recorder is a protocol that does what its hooks say, and holds its connection to the contract: made
// once and first, lost once and last, one call at a time. Nil hooks consume and do nothing.
//
// It implements nothing but Protocol; see halfCloser, pauser and fullRecorder.
type recorder struct {
	onMade   func(c *rondo.Conn)
	onData   func(c *rondo.Conn, p []byte) int
	onLost   func(c *rondo.Conn, err error)
	onEOF    func(c *rondo.Conn)
	onPause  func(c *rondo.Conn)
	onResume func(c *rondo.Conn)

	made chan *rondo.Conn // what ConnectionMade got, once it has returned
	lost chan error       // what ConnectionLost got

	t        testing.TB
	begun    bool
	over     bool
	inside   string // the callback that is running
	received atomic.Int64
}

func newRecorder(t testing.TB) *recorder {
	return &recorder{t: t, made: make(chan *rondo.Conn, 1), lost: make(chan error, 1)}
}

// enter notes that a callback begins; the function that it returns, that it ends.
func (r *recorder) enter(what string) func() {
	if r.over {
		r.t.Errorf("%s came after ConnectionLost", what)
	}
	if r.begun == (what == "ConnectionMade") {
		r.t.Errorf("%s came first or again", what)
	}
	// PauseWriting may come from within Write.
	if r.inside != "" && what != "PauseWriting" {
		r.t.Errorf("%s came from within %s", what, r.inside)
	}
	r.begun = true
	before := r.inside
	r.inside = what
	return func() { r.inside = before }
}

func (r *recorder) ConnectionMade(c *rondo.Conn) {
	defer r.enter("ConnectionMade")()
	defer func() { r.made <- c }()
	if r.onMade != nil {
		r.onMade(c)
	}
}

func (r *recorder) DataReceived(c *rondo.Conn, p []byte) int {
	defer r.enter("DataReceived")()
	r.received.Add(int64(len(p)))
	if r.onData != nil {
		return r.onData(c, p)
	}
	return len(p)
}

func (r *recorder) ConnectionLost(c *rondo.Conn, err error) {
	defer r.enter("ConnectionLost")()
	r.over = true
	defer func() { r.lost <- err }()
	if r.onLost != nil {
		r.onLost(c, err)
	}
}

func (r *recorder) eofReceived(c *rondo.Conn) {
	defer r.enter("EOFReceived")()
	if r.onEOF != nil {
		r.onEOF(c)
	}
}

func (r *recorder) pauseWriting(c *rondo.Conn) {
	defer r.enter("PauseWriting")()
	if r.onPause != nil {
		r.onPause(c)
	}
}

func (r *recorder) resumeWriting(c *rondo.Conn) {
	defer r.enter("ResumeWriting")()
	if r.onResume != nil {
		r.onResume(c)
	}
}

// halfCloser is a recorder that is an EOFReceiver.
type halfCloser struct{ *recorder }

func (h halfCloser) EOFReceived(c *rondo.Conn) { h.eofReceived(c) }

// pauser is a recorder that is a WritePauser.
type pauser struct{ *recorder }

func (p pauser) PauseWriting(c *rondo.Conn)  { p.pauseWriting(c) }
func (p pauser) ResumeWriting(c *rondo.Conn) { p.resumeWriting(c) }

// fullRecorder is a recorder that is both.
type fullRecorder struct{ *recorder }

func (f fullRecorder) EOFReceived(c *rondo.Conn)   { f.eofReceived(c) }
func (f fullRecorder) PauseWriting(c *rondo.Conn)  { f.pauseWriting(c) }
func (f fullRecorder) ResumeWriting(c *rondo.Conn) { f.resumeWriting(c) }

// echo is the protocol that everybody knows.
type echo struct{}

func (echo) ConnectionMade(*rondo.Conn)        {}
func (echo) ConnectionLost(*rondo.Conn, error) {}
func (echo) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p)
	return len(p)
}

// stopped is a poller whose clock moves only when the test says so.
type stopped struct {
	poller.Poller
	now atomic.Int64
}

// newStoppedEngine starts an engine of one loop in which time stands still at first.
func newStoppedEngine(t testing.TB, cfg rondo.Config) (*engine, *stopped) {
	t.Helper()
	s := new(stopped)
	s.now.Store(int64(time.Second))
	e := newEngineOver(t, cfg, func(p poller.Poller) poller.Poller {
		s.Poller = p
		return s
	})
	return e, s
}

func (s *stopped) Now() int64 { return s.now.Load() }

func (s *stopped) Wait(until int64) ([]poller.Event, error) {
	switch {
	case until <= s.now.Load():
		until = poller.Immediately
	default:
		until = poller.Forever // advance wakes it
	}
	return s.Poller.Wait(until)
}

// advance moves the clock. Any goroutine may call it.
func (s *stopped) advance(d time.Duration) {
	s.now.Add(int64(d))
	s.Wake()
}

// faulty is a poller that misbehaves as its hooks say, within the contract. Nil hooks pass on.
type faulty struct {
	poller.Poller
	onSend func(p poller.Poller, fd int, b []byte) (int, error)
	onRecv func(p poller.Poller, fd int, b []byte) (int, error)
}

func (f *faulty) Send(fd int, b []byte) (int, error) {
	if f.onSend != nil {
		return f.onSend(f.Poller, fd, b)
	}
	return f.Poller.Send(fd, b)
}

func (f *faulty) Recv(fd int, b []byte) (int, error) {
	if f.onRecv != nil {
		return f.onRecv(f.Poller, fd, b)
	}
	return f.Poller.Recv(fd, b)
}
