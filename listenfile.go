package rondo

import (
	"errors"
	"io/fs"
	"os"

	"github.com/rondo-go/rondo/internal/poller"
)

// ListenFile accepts connections on a listening stream socket of TCP or Unix that is open already, and is [Engine.Listen] in all else. Such a socket comes from a
// service manager (socket activation: package activation), from the program that ran here before, or from a net.TCPListener's File.
//
// The listener has a descriptor of its own: f stays open and its caller's, who may close it at once. As long as anybody has the socket open, connections can
// be made and wait in its backlog. A Unix socket's file was made by somebody else, who will remove it: the listener does not. The open file is made non-blocking
// until the listener is closed, for everybody who has it.
//
// The error is a *fs.PathError: of syscall.EPROTOTYPE for what is no listening stream socket, of [ErrEngineClosed], of [errors.ErrUnsupported] in a simulation and
// where the system cannot do it, or what the system said.
func (e *Engine) ListenFile(f *os.File, accept func() Protocol) (*Listener, error) {
	return ListenConfig{}.ListenFile(e, f, accept)
}

// ListenFile is [Engine.ListenFile] with this configuration, of which Backlog and ReusePort mean nothing: the socket has been opened.
func (cfg ListenConfig) ListenFile(e *Engine, f *os.File, accept func() Protocol) (*Listener, error) {
	ln, err := cfg.BindFile(e, f)
	if err != nil {
		return nil, err
	}
	if err := ln.Serve(accept); err != nil {
		return nil, err
	}
	return ln, nil
}

// BindFile is the first half of ListenFile, as [Engine.Bind] is that of Listen.
func (cfg ListenConfig) BindFile(e *Engine, f *os.File) (*Listener, error) {
	cfg.ReusePort = false // one socket, one loop that accepts for all of them
	ln := cfg.listener(e)
	if err := ln.openFile(f); err != nil {
		name := ""
		if f != nil {
			name = f.Name()
		}
		return nil, &fs.PathError{Op: "listen on", Path: name, Err: err}
	}
	if err := ln.each((*acceptor).start); err != nil {
		return nil, err
	}
	return ln, nil
}

// openFile gives the listener a duplicate of f.
func (ln *Listener) openFile(f *os.File) error {
	if ln.engine.state.Load() != serving {
		return ErrEngineClosed
	}
	raw, err := f.SyscallConn() // f.Fd can make f blocking, for everybody who has it
	if err != nil {
		return err
	}
	l := ln.engine.Loop()
	p, ok := l.poller.(poller.Adopter)
	if !ok {
		return errors.ErrUnsupported
	}
	var fd int
	if raw.Control(func(of uintptr) { fd, err = p.ShareListener(int(of)) }) != nil {
		err = os.ErrClosed // the only thing that Control can fail for, and not so named by it
	}
	if err != nil {
		return err
	}
	ln.attach(l, fd)
	return nil
}
