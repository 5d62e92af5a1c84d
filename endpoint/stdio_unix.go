//go:build unix

package endpoint

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

func closeOnExec(fd int) { syscall.CloseOnExec(fd) }

// listenStdio has a protocol talk to standard input and output. They are two files, and may be regular ones; a protocol has one connection. So it is given one end of a pair of sockets, and two tasks copy between the other and
// the files.
func listenStdio(e *rondo.Engine, cfg rondo.ListenConfig, accept func() rondo.Protocol) (Server, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0) //nolint:forbidigo // they become files at once
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "stdio"), os.NewFile(uintptr(fds[1]), "stdio")
	if cfg.Wrap != nil {
		accept = cfg.Wrap(accept)
	}
	s := &stdio{}
	l := e.Loop()
	opened := make(chan error, 1)
	task.Go(l, func(t *task.Task) (none struct{}, _ error) {
		defer s.closed()
		other, err := s.open(t, near, far, cfg, accept)
		_ = near.Close()
		_ = far.Close()
		opened <- err
		if err != nil {
			return none, nil
		}
		if err := s.copy(t, other); err != nil && t.Err() == nil {
			e.Logger().Error("endpoint: standard input and output", "error", err)
		}
		return none, nil
	})
	if err := <-opened; err != nil {
		return nil, err
	}
	return s, nil
}

// stdio is a Server of one connection.
type stdio struct {
	conn rondo.Handle

	mu      sync.Mutex
	over    bool
	onClose []func()
}

func (s *stdio) open(t *task.Task, near, far *os.File, cfg rondo.ListenConfig, accept func() rondo.Protocol) (*stream.Stream, error) {
	p := accept()
	if p == nil {
		return nil, errors.New("endpoint: there is no protocol for standard input and output")
	}
	other, err := stream.OpenFile(t, far)
	if err != nil {
		return nil, err
	}
	c, err := t.Loop().OpenFile(near, p)
	if err != nil {
		other.Abort()
		return nil, err
	}
	if cfg.IdleTimeout > 0 {
		c.SetIdleTimeout(cfg.IdleTimeout)
	}
	if cfg.Lifetime > 0 {
		c.SetLifetime(cfg.Lifetime)
	}
	s.conn = c.Handle()
	return other, nil
}

// copy goes on until the protocol has closed its connection and all of it is written.
func (s *stdio) copy(t *task.Task, other *stream.Stream) error {
	defer other.Abort()
	out, err := stream.Stdout(t)
	if err != nil {
		return err
	}
	in, err := stream.Stdin(t)
	if err != nil {
		return err
	}
	defer in.Abort()
	return task.WithGroup(t, func(t *task.Task, g *task.Group) error {
		g.Go(func(t *task.Task) error {
			if _, err := stream.Copy(t, other, in); err != nil {
				return nil //nolint:nilerr // the protocol reads no more
			}
			return other.CloseWrite()
		})
		_, err := stream.Copy(t, out, other)
		g.Cancel(errDone) // of the input nobody wants more
		return errors.Join(err, out.Close())
	})
}

var errDone = errors.New("endpoint: the connection is over")

func (s *stdio) closed() {
	s.mu.Lock()
	fns := s.onClose
	s.over, s.onClose = true, nil
	s.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}

func (s *stdio) Addr() net.Addr { return stdioAddr{} }

// Close closes the connection.
func (s *stdio) Close() error { return s.conn.Close() }

func (s *stdio) OnClose(fn func()) {
	s.mu.Lock()
	over := s.over
	if !over {
		s.onClose = append(s.onClose, fn)
	}
	s.mu.Unlock()
	if over {
		fn()
	}
}

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio:" }
