package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// held are open connections that stay silent.
type held []int

// hold opens connections and has one message echoed on each. The descriptors belong to the process for as long as it
// likes: see held.release.
func hold(server netip.AddrPort, conns, size int) (held, error) {
	sheet := newSheet(size)
	return holdEach(server, conns, func(i, fd int) error { return exchange(fd, sheet.message(i, 0)) })
}

// holdEach opens connections, and calls talk for each while it blocks.
func holdEach(server netip.AddrPort, conns int, talk func(i, fd int) error) (h held, err error) {
	defer func() {
		if err != nil {
			h.release()
			h = nil
		}
	}()
	for i := range conns {
		fd, err := connect(server, i)
		if err == nil {
			h = append(h, fd)
			err = talk(i, fd)
		}
		if err != nil {
			return h, fmt.Errorf("connection %d of %d: %w", i+1, conns, err)
		}
	}
	return h, nil
}

func (h held) release() {
	for _, fd := range h {
		unix.Close(fd)
	}
}

// portsEach is how many connections come from one address. A client has some 28,000 ports for one server; more
// connections need more addresses, and all of 127.0.0.0/8 is ours.
const portsEach = 20_000

// connect makes the i-th connection, blocking. Closing it will reset it, so that no port is kept back for a minute.
func connect(server netip.AddrPort, i int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	limit := unix.NsecToTimeval(patience.Nanoseconds())
	if err := errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit), // also of connect
	); err != nil {
		return -1, os.NewSyscallError("setsockopt", err)
	}
	if k := i / portsEach; k > 0 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + k)}}); err != nil {
			return -1, os.NewSyscallError("bind", err)
		}
	}
	err = retry(func() error {
		return unix.Connect(fd, &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()})
	})
	if err != nil && err != unix.EISCONN { //nolint:errorlint // a bare errno
		return -1, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// retry calls again what a signal has interrupted. Go's runtime sends itself signals, and calls on a socket that has a
// timeout are not restarted by the kernel (signal(7)). A connect that is called again goes on waiting, or finds the
// connection made.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a bare errno
			return err
		}
	}
}

// exchange sends a message on a blocking descriptor and reads its echo.
func exchange(fd int, message []byte) error {
	var n int
	err := retry(func() (err error) {
		n, err = unix.Write(fd, message)
		return err
	})
	if err != nil {
		return os.NewSyscallError("write", err)
	}
	if n != len(message) {
		return shortWrite(n, message)
	}
	answer := make([]byte, len(message))
	for got := 0; got < len(message); got += n {
		err := retry(func() (err error) {
			n, err = unix.Read(fd, answer)
			return err
		})
		switch {
		case err == unix.EAGAIN: //nolint:errorlint // a bare errno
			return fmt.Errorf("no answer for %v", patience)
		case err != nil:
			return os.NewSyscallError("read", err)
		case n == 0:
			return errClosed
		}
		if err := verify(message, got, answer[:n]); err != nil {
			return err
		}
	}
	return nil
}

var errClosed = errors.New("the server closed the connection")

func shortWrite(n int, message []byte) error {
	return fmt.Errorf("the kernel took only %d bytes of %d: lower -size", n, len(message))
}
