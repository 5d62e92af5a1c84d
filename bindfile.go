package rondo

import (
	"errors"
	"net"
	"os"
)

// BindFile is Bind for a listening stream socket, TCP or Unix, that the process was given: by systemd, inetd or a parent process. The listener has a descriptor of its own for it, and makes the
// open file non-blocking; f stays its caller's, who may close it. The address stays bound for others who have the socket, and a Unix socket's file is not removed at the end. ReusePort and Backlog do nothing: the socket is as it is.
//
// The error is a *net.OpError: of errors.ErrUnsupported in a simulation and on systems without descriptors, or saying what f is. Not on a loop.
func (cfg ListenConfig) BindFile(e *Engine, f *os.File) (*Listener, error) {
	cfg.ReusePort = false
	ln, err := cfg.openFile(e, f)
	if err != nil {
		name := ""
		if f != nil {
			name = f.Name()
		}
		return nil, &net.OpError{Op: "listen", Net: "file", Addr: fileAddr(name), Err: err}
	}
	if err := ln.each((*acceptor).start); err != nil {
		return nil, err
	}
	return ln, nil
}

func (cfg ListenConfig) openFile(e *Engine, f *os.File) (*Listener, error) {
	switch {
	case f == nil:
		return nil, os.ErrInvalid
	case e.world.TakesTurns():
		return nil, errors.ErrUnsupported
	case e.state.Load() != serving:
		return nil, ErrEngineClosed
	}
	fd, err := adoptListener(f)
	if err != nil {
		return nil, err
	}
	ln := newListener(e, cfg, nil)
	ln.add(e.Loop(), fd)
	return ln, nil
}
