package endpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/rondo-go/rondo"
)

// stdio serves one connection on standard input and output. The connection is one end of a pair of Unix sockets; two goroutines copy between the other and the files, blocking, as
// programs do. So files, terminals and pipes are all the same to the protocol, which half-closes and is held back as on any socket, and no flag changes of what the shell has too.
type stdio struct {
	engine *rondo.Engine
	config rondo.ListenConfig // Wrap, IdleTimeout and Lifetime of it
	begun  atomic.Bool        // the protocol is there: what wrap puts before it is over

	mu       sync.Mutex
	serving  bool
	closed   bool
	err      error // the first that has kept the client from being served to its end
	onClosed []func()
}

func newStdio(e *rondo.Engine, cfg rondo.ListenConfig) *stdio {
	s := &stdio{engine: e, config: cfg}
	s.begun.Store(cfg.Wrap == nil)
	return s
}

// stdioAddr is the address of standard input and output.
type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "standard input and output" }

var (
	errServed   = errors.New("it is closed, or has its only connection already")
	errNotBegun = errors.New("the client has ended, or was ended, before its TLS handshake or its PROXY header was whole")
	errDeclined = errors.New("the server has declined the connection")
)

func (s *stdio) opError(err error) error {
	return &net.OpError{Op: "listen", Net: "stdio", Addr: stdioAddr{}, Err: err}
}

// serve makes the connection.
func (s *stdio) serve(accept func() rondo.Protocol) error {
	s.mu.Lock()
	refused := s.serving || s.closed
	s.serving = true
	s.mu.Unlock()
	if refused {
		return s.opError(errServed)
	}
	if s.config.Wrap != nil {
		inner := accept
		accept = s.config.Wrap(func() rondo.Protocol {
			s.begun.Store(true)
			return inner()
		})
	}
	near, far, err := pair()
	if err != nil {
		s.end()
		return s.opError(err)
	}
	l := s.engine.Loop()
	if !l.Post(func() { s.begin(l, near, far, accept) }) {
		_ = near.Close()
		_ = far.Close()
		s.end()
		return s.opError(rondo.ErrEngineClosed)
	}
	return nil
}

// begin is serve on the loop.
func (s *stdio) begin(l *rondo.Loop, near *os.File, far halfCloser, accept func() rondo.Protocol) {
	defer near.Close() // the connection has a descriptor of its own
	made := false
	defer func() { // also if making the protocol panics
		if !made {
			_ = far.Close()
			s.end()
		}
	}()
	p := accept()
	if p == nil {
		s.fail(errDeclined)
		return
	}
	c, err := l.OpenFile(near, &limited{p, s.config})
	if err != nil {
		s.fail(err)
		return
	}
	made = true
	written := make(chan struct{})
	in, out := os.Stdin, os.Stdout
	go func() {
		_, err := io.Copy(far, in)
		if cause, ok := errors.AsType[*fs.PathError](err); ok { // else it is the connection's end
			s.fail(cause)
		}
		_ = far.CloseWrite()
	}()
	go func() {
		defer close(written)
		// Not by splice(2), which some devices refuse with EINVAL, /dev/full among them.
		_, err := io.Copy(struct{ io.Writer }{out}, struct{ io.Reader }{far})
		if err != nil { // nobody reads it any more
			s.fail(err)
			_ = far.Close()
		}
		endOutput(out)
	}()
	c.OnLost(func(err error) {
		switch {
		case err != nil && err != io.EOF: //nolint:errorlint // documented to be bare
			s.fail(err)
		case !s.begun.Load():
			s.fail(errNotBegun)
		}
		go func() {
			<-written
			_ = far.Close()
			s.end()
		}()
	})
}

// limited sets a connection's limits before its protocol begins, which may change them.
type limited struct {
	next   rondo.Protocol
	config rondo.ListenConfig
}

// ConnectionMade implements rondo.Protocol, as those below do, which nobody calls: the protocol is another's by then.
func (p *limited) ConnectionMade(c *rondo.Conn) {
	if p.config.IdleTimeout > 0 {
		c.SetIdleTimeout(p.config.IdleTimeout)
	}
	if p.config.Lifetime > 0 {
		c.SetLifetime(p.config.Lifetime)
	}
	c.SetProtocol(p.next)
	p.next.ConnectionMade(c)
}

func (*limited) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (*limited) ConnectionLost(*rondo.Conn, error)    {}

// halfCloser is the goroutines' end of the pair.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// close gives up what is not served yet.
func (s *stdio) close() {
	s.mu.Lock()
	serving := s.serving
	s.serving = true
	s.mu.Unlock()
	if !serving {
		s.end()
	}
}

// fail keeps the first reason.
func (s *stdio) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("endpoint: serving standard input and output: %w", err)
	}
}

// failed is what fail was told first.
func (s *stdio) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// end tells those who wait for it.
func (s *stdio) end() {
	s.mu.Lock()
	fns := s.onClosed
	s.closed, s.onClosed = true, nil
	s.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}

func (s *stdio) onClose(fn func()) {
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.onClosed = append(s.onClosed, fn)
	}
	s.mu.Unlock()
	if closed {
		fn()
	}
}
