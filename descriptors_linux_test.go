package rondo_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// Errors of accept(2) that say something about the machine pause accepting for a moment, and are logged
// once, also if more such moments follow; those that are about one connection are passed over.
func TestAcceptErrors(t *testing.T) {
	for _, test := range []struct {
		errno syscall.Errno
		log   string
	}{
		{syscall.EMFILE, "accepting is paused"},
		{syscall.ENFILE, "accepting is paused"},
		{syscall.ENOBUFS, "accepting is paused"},
		{syscall.ENOMEM, "accepting is paused"},
		{syscall.ECONNABORTED, ""},
		{syscall.EPROTO, ""},
		{syscall.EPERM, ""},
	} {
		t.Run(test.errno.Error(), func(t *testing.T) {
			var failures atomic.Int32
			e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
				return &gate{Poller: p, onAccept: func(p poller.Poller, fd int) (int, netip.AddrPort, error) {
					if n := failures.Load(); n > 0 && failures.CompareAndSwap(n, n-1) {
						return -1, netip.AddrPort{}, test.errno
					}
					return p.Accept(fd)
				}}
			})
			addr := e.serve(newEcho)
			first := rig.Dial(t, addr)
			roundTrip(t, first, "before")
			for storm := range 2 {
				failures.Store(3)
				c := rig.Dial(t, addr)
				if test.log != "" && storm == 0 { // the rig fails the test for a line that nobody awaits
					e.Log.Await(t, test.log)
				}
				roundTrip(t, first, "meanwhile")
				roundTrip(t, c, "after")
			}
		})
	}
}

// A listener that is paused for want of descriptors stays so for its time, also when a connection
// that MaxConns counts has ended: asking at once would be asking without end.
func TestAcceptRestsInFull(t *testing.T) {
	const limit = 2
	var out atomic.Bool
	var calls atomic.Int32
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		return &gate{Poller: p, onAccept: func(p poller.Poller, fd int) (int, netip.AddrPort, error) {
			if out.Load() {
				calls.Add(1)
				return -1, netip.AddrPort{}, syscall.EMFILE
			}
			return p.Accept(fd)
		}}
	})
	ln := mustListen(t, e, rondo.ListenConfig{MaxConns: limit}, "tcp", "127.0.0.1:0", newEcho)
	c := rig.Dial(t, ln.Addr().String())
	roundTrip(t, c, "before")
	out.Store(true)
	waits := rig.Dial(t, ln.Addr().String())
	e.Log.Await(t, "accepting is paused")
	// The pauses are 5, 10, 20, ... ms: asking 10 times takes 5 s, and these take much less.
	for range 200 {
		roundTrip(t, c, "meanwhile")
	}
	if n := calls.Load(); n > 9 {
		t.Errorf("accept was called %d times without descriptors", n)
	}
	out.Store(false)
	roundTrip(t, waits, "after")
}

// highDescriptor moves a descriptor above what select can watch.
func highDescriptor(fd int) int {
	high, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 2048)
	if errno != 0 {
		panic(errno)
	}
	_ = syscall.Close(fd)
	return int(high)
}

func TestSelectRefusesHighDescriptors(t *testing.T) {
	var high atomic.Bool
	e := newEngineOver(t, rondo.Config{Poller: "select"}, func(p poller.Poller) poller.Poller {
		return &gate{
			Poller: p,
			onAccept: func(p poller.Poller, fd int) (int, netip.AddrPort, error) {
				conn, peer, err := p.Accept(fd)
				if err == nil && high.Load() {
					conn = highDescriptor(conn)
				}
				return conn, peer, err
			},
			onConnect: func(p poller.Poller, remote, local net.Addr) (int, error) {
				fd, err := p.Connect(remote, local)
				if fd >= 0 && high.Load() {
					fd = highDescriptor(fd)
				}
				return fd, err
			},
		}
	})
	if e.Poller() != "select" {
		t.Fatalf("the poller is %s", e.Poller())
	}
	s := newCensus()
	ln := mustListen(t, e, rondo.ListenConfig{MaxConns: 2}, "tcp", "127.0.0.1:0", s.accept)
	addr := ln.Addr().String()
	first := rig.Dial(t, addr)
	rig.Expect(t, first, "!")
	before := openDescriptors(t)

	high.Store(true)
	for i := range 2 { // the second is accepted when the pause is over
		refused := rig.Dial(t, addr)
		if got := rig.Rest(t, refused); len(got) > 0 {
			t.Errorf("a refused connection got %q", got)
		}
		refused.Close()
		if i > 0 {
			continue // that was the same storm
		}
		if line := e.Log.Await(t, "accepting is paused"); !strings.Contains(line, "below 1024 only") {
			t.Errorf("the log does not say why: %s", line)
		}
	}
	_, err := e.Dial(t.Context(), "tcp", addr, echo{}).Wait(t.Context())
	var op *net.OpError
	var limit *poller.LimitError
	if !errors.As(err, &op) || !errors.As(err, &limit) || limit.Limit != 1024 {
		t.Errorf("Dial says %v", err)
	}
	high.Store(false)

	roundTrip(t, first, "alive")
	first.Close()
	rig.Await(t, s.lost)
	second := rig.Dial(t, addr)
	rig.Expect(t, second, "!")
	second.Close()
	rig.Await(t, s.lost)
	if now := openDescriptors(t); now > before {
		t.Errorf("%d descriptors are open and were %d", now, before)
	}
}

const descriptorsChild = "RONDO_TEST_FEW_DESCRIPTORS"

// A process that has run out of descriptors, for real.
func TestOutOfDescriptors(t *testing.T) {
	if os.Getenv(descriptorsChild) != "" {
		serveWithFewDescriptors(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestOutOfDescriptors$")
	cmd.Env = append(os.Environ(), descriptorsChild+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1024)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines <- s.Text()
		}
	}()
	defer func() {
		stdin.Close()
		for range lines { // Wait must not close the pipe before all is read
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	addr, ok := strings.CutPrefix(rig.Await(t, lines), "address ")
	if !ok {
		t.Fatal("the child does not listen")
	}

	const many = 60 // the child has descriptors for half of them
	var peers []*net.TCPConn
	for range many {
		peers = append(peers, rig.Dial(t, addr))
	}
	var served, refused, paused int
	for refused < 4 {
		switch line := rig.Await(t, lines); {
		case strings.HasPrefix(line, "made"):
			served++
		case strings.HasPrefix(line, "refused"):
			refused++
		case strings.Contains(line, "accepting is paused"):
			paused++
		default:
			t.Fatalf("the child says %s", line)
		}
	}
	if served == 0 || served >= many || paused != 1 {
		t.Errorf("%d of %d connections were served, the pause was logged %d times", served, many, paused)
	}
	// The backlog is first in, first out.
	for _, p := range peers[:served] {
		roundTrip(t, p, "still here")
	}
	for _, p := range peers[:served] {
		p.Close()
	}
	for _, p := range peers[served:] {
		roundTrip(t, p, "at last")
		p.Close()
	}
}

// serveWithFewDescriptors is the child. It tells on its standard output what happens, and ends with its standard input.
func serveWithFewDescriptors(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	said := slog.New(slog.NewTextHandler(os.Stdout, nil))
	e := newEngineOver(t, rondo.Config{Loops: 2, Logger: said}, func(p poller.Poller) poller.Poller {
		return &gate{Poller: p, onAccept: func(p poller.Poller, fd int) (int, netip.AddrPort, error) {
			conn, peer, err := p.Accept(fd)
			if errors.Is(err, syscall.EMFILE) {
				fmt.Println("refused")
			}
			return conn, peer, err
		}}
	})
	addr := e.serve(func() rondo.Protocol {
		r := newRecorder(t)
		r.onMade = func(*rondo.Conn) { fmt.Println("made") }
		r.onData = echo{}.DataReceived
		return r
	})
	limit.Cur = uint64(limitFor(t, 30))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	fmt.Println("address", addr)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// limitFor is the limit that leaves so many descriptors free.
func limitFor(t *testing.T, free int) (limit int) {
	t.Helper()
	for ; free > 0; limit++ {
		var stat syscall.Stat_t
		if syscall.Fstat(limit, &stat) == syscall.EBADF {
			free--
		}
	}
	return limit
}
