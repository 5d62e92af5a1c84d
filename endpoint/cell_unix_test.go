//go:build unix

package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// server is a protocol's server in one cell of the table. What its row does with it is the same in every column.
type server struct {
	carrier
	engine *rondo.Engine
	dir    string
	ctx    context.Context
	spawn  func(fn func())                                  // a goroutine
	sleep  func(ctx context.Context, d time.Duration) error // of the blocking server, as is now; nil is its own
	now    func() time.Time

	listener io.Closer
	behind   []*endpoint.Listener
	addr     net.Addr

	mu   sync.Mutex
	open int // connections, those of the servers behind it included
	had  int
	bad  []error
}

// accept serves a protocol: the usual case.
func (s *server) accept(accept func() rondo.Protocol) error {
	ln, err := endpoint.Listen(s.engine, s.carrier.server(s.dir), s.watch(accept))
	if err != nil {
		return err
	}
	s.listener, s.addr = ln, ln.Addr()
	return nil
}

// bind is for a program that does something else with the listener.
func (s *server) bind() (*endpoint.Listener, error) {
	ln, err := endpoint.Bind(s.engine, s.carrier.server(s.dir))
	if err == nil {
		s.listener, s.addr = ln, ln.Addr()
	}
	return ln, err
}

// net is for one that wants a net.Listener.
func (s *server) net() (net.Listener, error) {
	ln, err := endpoint.ListenNet(s.engine, s.carrier.server(s.dir))
	if err == nil {
		s.listener, s.addr = ln, ln.Addr()
	}
	return ln, err
}

// back serves another protocol behind this server, over the same carrier, and is where to reach it. A child process has its sockets from outside, and what is behind it on loopback.
func (s *server) back(accept func() rondo.Protocol) (*endpoint.Dialer, error) {
	x := s.carrier
	if x.dial == "" {
		x = carriers[0]
	}
	ln, err := endpoint.Listen(s.engine, x.server(s.dir), s.watch(accept))
	if err != nil {
		return nil, err
	}
	s.behind = append(s.behind, ln)
	return endpoint.NewDialer(s.engine, x.client(ln.Addr()))
}

func (s *server) close() error {
	for _, ln := range s.behind {
		_ = ln.Close()
	}
	return s.listener.Close()
}

// watch notes how the connections end, and is otherwise not there.
func (s *server) watch(accept func() rondo.Protocol) func() rondo.Protocol {
	return func() rondo.Protocol { return &watched{s, accept()} }
}

type watched struct {
	server *server
	rondo.Protocol
}

func (w *watched) ConnectionMade(c *rondo.Conn) {
	w.server.begin()
	c.OnLost(w.server.end)
	c.SetProtocol(w.Protocol)
	w.Protocol.ConnectionMade(c)
}

func (s *server) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.had++
}

// end is that of a connection: closed here, or by the peer.
func (s *server) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if err = goodEnd(err); err != nil {
		s.bad = append(s.bad, err)
	}
}

func goodEnd(err error) error {
	if err == io.EOF { //nolint:errorlint // documented to be bare
		return nil
	}
	return err
}

// ended reports whether there were connections and are none.
func (s *server) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.had > 0 && s.open == 0
}

func (s *server) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.had == 0 {
		return errors.New("nobody has come")
	}
	return errors.Join(s.bad...)
}

// visitor is the clients of one cell.
type visitor struct {
	ctx    context.Context
	engine *rondo.Engine
	at     string   // the one argument
	only   *os.File // in its place: the one connection there can be
	now    func() time.Time
	spawn  func(fn func())
	exact  bool // the server's clock is this one, and stands still
}

// connect makes a connection on a loop.
func (v visitor) connect(ctx context.Context, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	if v.only == nil {
		d, err := endpoint.NewDialer(v.engine, v.at)
		if err != nil {
			return rondo.Rejected[*rondo.Conn](l, err)
		}
		return d.On(l).Dial(ctx, p)
	}
	promise := rondo.NewPromise[*rondo.Conn](l)
	l.Post(func() {
		c, err := l.OpenFile(v.only, p)
		_ = v.only.Close() // the connection has a descriptor of its own
		if err != nil {
			promise.Reject(err)
			return
		}
		promise.Resolve(c)
	})
	return promise.Future()
}

// net makes one for code that blocks.
func (v visitor) net(ctx context.Context) (net.Conn, error) {
	if v.only != nil {
		return net.FileConn(v.only)
	}
	return endpoint.DialNet(ctx, v.engine, v.at)
}

// converse says something, ends that direction and returns what is heard until the server has ended the other one.
func (v visitor) converse(say string) (string, error) { return v.hear(say, 0) }

// hear is converse that ends its direction when so much was heard.
func (v visitor) hear(say string, most int) (string, error) {
	l := v.engine.Loop()
	p := &listening{say: say, most: most, ended: rondo.NewPromise[string](l)}
	if _, err := v.connect(v.ctx, l, p).Wait(v.ctx); err != nil {
		return "", err
	}
	return p.ended.Future().Wait(v.ctx)
}

type listening struct {
	say   string
	most  int
	got   []byte
	ended *rondo.Promise[string]
	done  bool
}

func (p *listening) ConnectionMade(c *rondo.Conn) {
	_, _ = io.WriteString(c, p.say)
	if p.most == 0 {
		_ = c.CloseWrite()
	}
}

func (p *listening) DataReceived(c *rondo.Conn, data []byte) int {
	p.got = append(p.got, data...)
	if p.most > 0 && len(p.got) >= p.most && !p.done {
		p.done = true
		_ = c.CloseWrite()
	}
	return len(data)
}

func (p *listening) ConnectionLost(_ *rondo.Conn, err error) {
	if err = goodEnd(err); err != nil {
		p.ended.Reject(fmt.Errorf("after %d bytes: %w", len(p.got), err))
		return
	}
	p.ended.Resolve(string(p.got))
}

// expect is a row's visit that says one thing and hears another.
func expect(say, hear string) func(visitor) error {
	return func(v visitor) error {
		got, err := v.converse(say)
		return heard(got, hear, err)
	}
}

func heard(got, want string, err error) error {
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("heard %s, not %s", short(got), short(want))
	}
	return nil
}

func short(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q... (%d bytes)", s[:60], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// echoed visits an echo as a protocol, as a task and as a goroutine.
func echoed(v visitor) error {
	text := strings.Repeat("a line of what is sent back\n", 4000)
	if err := expect(text, text)(v); err != nil || v.only != nil {
		return err
	}
	got, err := task.Go(v.engine.Loop(), func(t *task.Task) (string, error) {
		s, err := stream.DialBy(t, func(ctx context.Context, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
			return v.connect(ctx, t.Loop(), p)
		})
		if err != nil {
			return "", err
		}
		defer s.Close()
		sent := task.Spawn(t, func(t *task.Task) (none struct{}, err error) {
			if _, err := s.Write(t, []byte(text)); err != nil {
				return none, err
			}
			return none, s.CloseWrite()
		})
		got, err := io.ReadAll(s.IO(t))
		if err == nil {
			_, err = task.Await(t, sent)
		}
		return string(got), err
	}).Wait(v.ctx)
	if err := heard(got, text, err); err != nil {
		return fmt.Errorf("by a task: %w", err)
	}
	c, err := v.net(v.ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	v.spawn(func() {
		_, _ = io.WriteString(c, text)
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
	})
	all, err := io.ReadAll(c)
	if err := heard(string(all), text, err); err != nil {
		return fmt.Errorf("by a goroutine: %w", err)
	}
	return nil
}
