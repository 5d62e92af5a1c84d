//go:build unix

package sock_test

import (
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/sock"
	"golang.org/x/sys/unix"
)

// bare reports whether err is want itself, as callers in the hot path compare it.
func bare(err error, want syscall.Errno) bool {
	return err == want //nolint:errorlint // that it is not wrapped is the promise
}

// ready waits until the descriptor can be read (or written), at most ten seconds.
func ready(t *testing.T, fd int, write bool) {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if write {
		p[0].Events = unix.POLLOUT
	}
	for {
		n, err := unix.Poll(p, 10_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("descriptor %d does not become ready: %v", fd, err)
		}
		return
	}
}

func TestListenErrors(t *testing.T) {
	taken := sock.LocalAddr(listen(t, loopback(0), sock.Options{}))
	folder := dir(t)
	file := &net.UnixAddr{Name: filepath.Join(folder, "s"), Net: "unix"}
	listen(t, file, sock.Options{})
	for _, test := range []struct {
		name string
		addr net.Addr
		want error
		call string // which is named in the error
	}{
		{"port in use", taken, syscall.EADDRINUSE, "bind: "},
		{"file in use", file, syscall.EADDRINUSE, "bind: "},
		{"address of another machine", &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, syscall.EADDRNOTAVAIL, "bind: "},
		{"no folder", &net.UnixAddr{Name: filepath.Join(folder, "none", "s")}, syscall.ENOENT, "bind: "},
		{"long name", &net.UnixAddr{Name: strings.Repeat("x", 200)}, syscall.EINVAL, "bind: "},
		{"other network", &net.UDPAddr{}, sock.ErrNetwork, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := lowest(t)
			fd, err := sock.Listen(test.addr, sock.Options{})
			if fd != -1 || !errors.Is(err, test.want) || err.Error() != test.call+test.want.Error() {
				t.Errorf("Listen: %d, %v, want -1, %s%v", fd, err, test.call, test.want)
			}
			if after := lowest(t); after != before {
				t.Errorf("it leaked a descriptor: the lowest free one was %d and is %d", before, after)
			}
		})
	}
}

// lowest is the lowest free descriptor.
func lowest(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Close(fd); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestConnectErrors(t *testing.T) {
	l := listen(t, loopback(0), sock.Options{})
	remote := sock.LocalAddr(l)
	for name, try := range map[string]func() (int, error){
		"other network": func() (int, error) { return sock.Connect(&net.UDPAddr{}, nil) },
		"local address of other network": func() (int, error) {
			return sock.Connect(remote, &net.UDPAddr{})
		},
		"local address of another machine": func() (int, error) {
			return sock.Connect(remote, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)})
		},
		"no such file": func() (int, error) { return sock.Connect(&net.UnixAddr{Name: filepath.Join(dir(t), "s")}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			before := lowest(t)
			if fd, err := try(); fd != -1 || err == nil {
				t.Errorf("Connect: %d, %v, want -1 and an error", fd, err)
			}
			if after := lowest(t); after != before {
				t.Errorf("it leaked a descriptor: the lowest free one was %d and is %d", before, after)
			}
		})
	}
}

func TestReusePort(t *testing.T) {
	first := listen(t, loopback(0), sock.Options{ReusePort: true})
	listen(t, sock.LocalAddr(first), sock.Options{ReusePort: true})
	if _, err := sock.Listen(sock.LocalAddr(first), sock.Options{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("without ReusePort on a shared port: %v, want EADDRINUSE", err)
	}
}

// TestRestart listens again on a port on which a connection of the predecessor is in TIME_WAIT.
func TestRestart(t *testing.T) {
	l, err := sock.Listen(loopback(0), sock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	addr := sock.LocalAddr(l)
	client, server, _ := connect(t, l, addr, nil)
	if err := sock.CloseWrite(server); err != nil { // the side that ends first has TIME_WAIT
		t.Fatal(err)
	}
	ready(t, client, false)
	if err := sock.CloseWrite(client); err != nil {
		t.Fatal(err)
	}
	ready(t, server, false)
	if err := sock.Close(l); err != nil {
		t.Fatal(err)
	}
	listen(t, addr, sock.Options{})
}

func TestDescriptorFlags(t *testing.T) {
	l := listen(t, loopback(0), sock.Options{})
	client, server, _ := connect(t, l, sock.LocalAddr(l), nil)
	for name, fd := range map[string]int{"listener": l, "client": client, "server": server} {
		if f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || f&unix.O_NONBLOCK == 0 {
			t.Errorf("the %s blocks: %#x, %v", name, f, err)
		}
		if f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || f&unix.FD_CLOEXEC == 0 {
			t.Errorf("the %s is inherited by child processes: %#x, %v", name, f, err)
		}
	}
}

func TestOptions(t *testing.T) {
	fd, _ := pair(t)
	get := func(level, name int) int {
		t.Helper()
		n, err := unix.GetsockoptInt(fd, level, name)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, on := range []bool{true, false} {
		if err := sock.SetNoDelay(fd, on); err != nil {
			t.Fatal(err)
		}
		if got := get(unix.IPPROTO_TCP, unix.TCP_NODELAY) != 0; got != on {
			t.Errorf("SetNoDelay(%v) leaves it %v", on, got)
		}
	}
	for _, idle := range []time.Duration{time.Minute, 1500 * time.Millisecond, time.Nanosecond, 0, -time.Second} {
		if err := sock.SetKeepAlive(fd, idle); err != nil {
			t.Fatal(err)
		}
		if got := get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0; got != (idle > 0) {
			t.Errorf("SetKeepAlive(%v) leaves it %v", idle, got)
		}
	}
}

// TestMaxTransfer offers more than a megabyte at a time. A Unix socket takes it all if its buffer
// is large enough, so that the bound that holds is ours.
func TestMaxTransfer(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		closed(t, fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4*sock.MaxTransfer)
	}
	p := make([]byte, 4*sock.MaxTransfer)
	sent := 0
	for {
		n, err := sock.Send(fds[0], p)
		if bare(err, syscall.EAGAIN) {
			break
		}
		if err != nil || n > sock.MaxTransfer || n <= 0 {
			t.Fatalf("Send of %d bytes: %d, %v; %d are the most", len(p), n, err, sock.MaxTransfer)
		}
		sent += n
	}
	for got := 0; got < sent; {
		n, err := sock.Recv(fds[1], p)
		if err != nil || n > sock.MaxTransfer || n <= 0 {
			t.Fatalf("Recv of up to %d bytes: %d, %v; %d are the most", len(p), n, err, sock.MaxTransfer)
		}
		got += n
	}
	if sent <= sock.MaxTransfer {
		t.Skipf("needs a kernel that buffers more than the bound: this one took %d bytes", sent)
	}
}

func TestClosedDescriptor(t *testing.T) {
	fd, err := sock.Listen(loopback(0), sock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sock.Close(fd); err != nil {
		t.Fatal(err)
	}
	for _, fd := range []int{fd, -1} {
		_, recv := sock.Recv(fd, make([]byte, 1))
		_, send := sock.Send(fd, make([]byte, 1))
		_, _, accept := sock.Accept(fd)
		for name, err := range map[string]error{
			"Recv": recv, "Send": send, "Accept": accept,
			"SocketError": sock.SocketError(fd), "CloseWrite": sock.CloseWrite(fd),
			"Close": sock.Close(fd), "Reset": sock.Reset(fd),
			"SetNoDelay": sock.SetNoDelay(fd, true), "SetKeepAlive": sock.SetKeepAlive(fd, time.Second),
		} {
			if !bare(err, syscall.EBADF) {
				t.Errorf("%s of %d, which is closed: %v, want EBADF", name, fd, err)
			}
		}
		if a, b := sock.LocalAddr(fd), sock.PeerAddr(fd); a != nil || b != nil {
			t.Errorf("addresses of a closed descriptor: %v, %v", a, b)
		}
	}
}

func TestReset(t *testing.T) {
	client, server := pair(t)
	if _, err := sock.Send(server, []byte("to be dropped")); err != nil {
		t.Fatal(err)
	}
	if err := sock.Reset(server); err != nil {
		t.Fatal(err)
	}
	ready(t, client, false)
	for {
		_, err := sock.Recv(client, make([]byte, 16))
		if errors.Is(err, syscall.ECONNRESET) {
			return
		}
		if err != nil {
			t.Fatalf("Recv after the peer's Reset: %v, want ECONNRESET", err)
		}
	}
}

// TestNoSigpipe sends on a broken connection and sees that no signal comes. SIGWINCH is sent
// after it as a mark: the runtime hands signals on in the order of their numbers.
func TestNoSigpipe(t *testing.T) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGPIPE, syscall.SIGWINCH)
	defer signal.Stop(signals)
	client, _ := pair(t)
	if err := sock.CloseWrite(client); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := sock.Send(client, []byte("x")); n != 0 || !bare(err, syscall.EPIPE) {
			t.Fatalf("Send on a broken connection: %d, %v, want 0, EPIPE", n, err)
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGWINCH {
				return
			}
			t.Error("Send raised SIGPIPE")
		case <-time.After(10 * time.Second):
			t.Fatal("not even the mark arrives")
		}
	}
}
