package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/cloudwego/netpoll"
	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
	"golang.org/x/sys/unix"
)

// serve is a server's process: bench serve [-poller NAME] [-size N] NAME ADDR. Each is what its own documentation
// would have one write, with its defaults.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench serve", flag.ContinueOnError)
	poller := flags.String("poller", "", "rondo's poller")
	size := flags.Int("size", 128, "bytes of a message")
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	if flags.NArg() < 2 || flags.NArg() > 3 {
		return usageError{errors.New("serve needs a name and an address, and a proxy its target")}
	}
	name, addr := flags.Arg(0), flags.Arg(1)
	if strings.HasPrefix(name, "proxy-") {
		return serveProxy(ctx, name, addr, flags.Arg(2), *poller)
	}
	switch name {
	case rondoServer:
		return serveRondo(ctx, addr, *poller, func() rondo.Protocol { return echo{} })
	case taskServer:
		return serveRondo(ctx, addr, *poller, stream.Handle(echoTask))
	case netServer:
		return serveNet(ctx, addr, *size)
	case netpollServer:
		return serveNetpoll(ctx, addr)
	case rondoTLSServer:
		return serveRondoTLS(ctx, addr, *poller)
	case bareTLSServer:
		return serveBareTLS(addr)
	case netTLSServer:
		return serveNetTLS(ctx, addr, *size)
	case httpTLSServer:
		return serveHTTPTLS(ctx, addr, *size)
	case rondoOnLoop, rondoInTask, rondoOnGoroutine, netHTTPServer:
		return serveHTTP(ctx, name, addr, *poller)
	case bareGoServer:
		return serveBare(addr)
	case udpRondo, udpNet, udpBare:
		return serveUDP(ctx, name, addr, *poller, *size)
	}
	return usageError{fmt.Errorf("no server %q", name)}
}

type echo struct{}

func (echo) ConnectionMade(*rondo.Conn)        {}
func (echo) ConnectionLost(*rondo.Conn, error) {}
func (echo) DataReceived(c *rondo.Conn, p []byte) int {
	c.Write(p)
	return len(p)
}

// echoTask is the same as straight-line code, with a task for each connection.
func echoTask(t *task.Task, s *stream.Stream) error {
	for {
		p, err := s.Next(t, maxSize)
		if err != nil {
			return err
		}
		if _, err := s.Write(t, p); err != nil {
			return err
		}
	}
}

func serveRondo(ctx context.Context, addr, poller string, accept func() rondo.Protocol) error {
	engine, err := rondo.New(rondo.Config{Poller: poller})
	if err != nil {
		return err
	}
	defer engine.Close()
	if _, err := engine.Listen("tcp", addr, accept); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// serveNet has a buffer of 4 KiB for each connection, as bufio would, and more for large messages.
func serveNet(ctx context.Context, addr string, size int) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	return echoEach(ctx, ln, size)
}

func echoEach(ctx context.Context, ln net.Listener, size int) error {
	for {
		c, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			buffer := make([]byte, max(size, 4<<10))
			for {
				n, err := c.Read(buffer)
				if err != nil {
					return
				}
				if _, err := c.Write(buffer[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func serveNetpoll(ctx context.Context, addr string) error {
	ln, err := netpoll.CreateListener("tcp", addr)
	if err != nil {
		return err
	}
	loop, err := netpoll.NewEventLoop(func(_ context.Context, c netpoll.Connection) error {
		in, out := c.Reader(), c.Writer()
		p, err := in.Next(in.Len())
		if err != nil {
			return err
		}
		if _, err := out.WriteBinary(p); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		return in.Release()
	})
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- loop.Serve(ln) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}

// serveBare is bare/bare.c in Go, for machines without a C compiler. It goes around the scheduler with RawSyscall, and
// then costs what the one in C does.
func serveBare(addr string) error {
	buffer := make([]byte, maxSize)
	return bareLoop(addr, func(int) error { return nil }, func(fd int) bool {
		got, errno := recv(fd, buffer)
		if errno != 0 || got == 0 {
			return false
		}
		put, errno := send(fd, buffer[:got])
		return errno == 0 && put == got
	})
}

// bareLoop accepts, and calls echo for what is readable, which reports whether the connection is to be kept.
func bareLoop(addr string, accepted func(fd int) error, echo func(fd int) bool) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return usageError{err}
	}
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := errors.Join(
		unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(listener, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), // accepted sockets inherit it
		unix.Bind(listener, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}),
		unix.Listen(listener, 4096),
	); err != nil {
		return fmt.Errorf("listening on %s: %w", addr, err)
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	watch := func(fd int) error {
		return os.NewSyscallError("epoll_ctl",
			unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
	}
	if err := watch(listener); err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 1024)
	for {
		n, errno := epollWait(epoll, events, -1)
		if errno != 0 && errno != unix.EINTR {
			return os.NewSyscallError("epoll_wait", errno)
		}
		for _, e := range events[:n] {
			fd := int(e.Fd)
			if fd == listener {
				for {
					conn, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
					if err != nil {
						break
					}
					if err := errors.Join(watch(conn), accepted(conn)); err != nil {
						return err
					}
				}
				continue
			}
			if !echo(fd) {
				unix.Close(fd)
			}
		}
	}
}
