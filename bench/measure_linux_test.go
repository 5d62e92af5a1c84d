package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The servers and the load are this program, run again: here, that is the test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "load") {
		main()
		return
	}
	os.Exit(m.Run())
}

// canMeasure skips where no figures can be taken.
func canMeasure(t *testing.T) machine {
	t.Helper()
	cores, err := allowedCores()
	if err != nil {
		t.Fatal(err)
	}
	if len(cores) < 2 {
		t.Skipf("needs two cores, this process may use %d", len(cores))
	}
	if _, err := processUsage("self"); err != nil {
		t.Skipf("this kernel does not account processor time by thread: %v", err)
	}
	m, err := survey()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// quickly runs the whole program on small numbers.
func quickly(t *testing.T, args ...string) string {
	t.Helper()
	o, err := parseOptions(append([]string{"-rounds", "1", "-seconds", "0.2", "-conns", "20"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := measure(t.Context(), o, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	return out.String()
}

func TestWholeComparison(t *testing.T) {
	canMeasure(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "figures.json")
	out := quickly(t, "-servers", "bare,bare-go,rondo,net,netpoll", "-idle", "100", "-json", file,
		"-command", "exec "+self+" serve net {addr}", "-size", "3000")
	for _, want := range []string{"| 20 connections ", "| rondo ", "| net, ", "| cloudwego/netpoll", "| 100 idle connections "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Echo) != 6 || len(r.Memory) != 4 {
		t.Fatalf("%d servers echoed, %d were weighed, want 6 and 4", len(r.Echo), len(r.Memory))
	}
	for _, s := range r.Echo {
		// No core echoes in a tenth of a microsecond, nor takes a millisecond: then something else was measured.
		if c := s.Samples[0].cost(); !(c > 100 && c < 1e6) {
			t.Errorf("%s: %.0f ns per message", s.Label, c)
		}
	}
}

func TestComparisonOverTLS(t *testing.T) {
	canMeasure(t)
	out := quickly(t, "-tls", "-idle", "100")
	for _, want := range []string{"| 20 connections ", "| rondo, package secure ", "| crypto/tls, ", "| 100 idle connections ", "| net/http over TLS "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestWithoutCompiler(t *testing.T) {
	canMeasure(t)
	t.Setenv("CC", filepath.Join(t.TempDir(), "cc"))
	out := quickly(t, "-servers", "bare", "-idle", "0")
	if !strings.Contains(out, "could not be compiled") || !strings.Contains(out, "| bare epoll loop in Go, the limit ") {
		t.Errorf("got\n%s", out)
	}
}

func TestPollers(t *testing.T) {
	canMeasure(t)
	out := quickly(t, "-pollers", "-silent", "0,1000")
	if !strings.Contains(out, "| 1000 ") || !strings.Contains(out, " – |") {
		t.Errorf("got\n%s", out)
	}
}

func TestFailuresAreExplained(t *testing.T) {
	m := canMeasure(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr, err := freeAddr(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ addr, script, want string }{
		{taken.Addr().String(), "exit", "is not free: something answers there"},
		{addr, "echo first; echo the reason >&2; exit 3", "has ended instead of listening; its output ends\n\tfirst\n\tthe reason"},
	} {
		p, err := launch(t.Context(), []string{"/bin/sh", "-c", test.script}, test.addr, t.TempDir(), m.ServerCore)
		if err == nil {
			p.stop()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.script, err, test.want)
		}
	}
}

// A server may have workers, and they must not outlive it.
func TestStopEndsTheGroup(t *testing.T) {
	m := canMeasure(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	addr, err := freeAddr(0)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("trap '' TERM; sleep 60 & %s serve net %s", self, addr)
	p, err := launch(t.Context(), []string{"/bin/sh", "-c", script}, addr, t.TempDir(), m.ServerCore)
	if err != nil {
		t.Fatal(err)
	}
	group := p.cmd.Process.Pid
	before, err := members(group)
	if err != nil || len(before) < 3 {
		t.Errorf("members %v, %v, want the shell, sleep and the server", before, err)
	}
	p.stop()
	// What was killed may take a moment to end.
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		left, err := members(group)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %v", left)
		}
	}
}

func TestCancelled(t *testing.T) {
	canMeasure(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o, err := parseOptions([]string{"-servers", "net", "-idle", "0"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := measure(ctx, o, io.Discard, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The load must notice a server that does not echo.
func TestLoadNotices(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(c net.Conn, message []byte)
		want   string
	}{
		{"another byte", func(c net.Conn, p []byte) { p[9] ^= 1; c.Write(p) }, "byte 9 of the answer is"},
		{"too much", func(c net.Conn, p []byte) { c.Write(append(p, 0)) }, "the server sent 17 bytes for a message of 16"},
		{"the end", func(c net.Conn, _ []byte) { c.Close() }, "the server closed the connection"},
		{"the other's message", func() func(net.Conn, []byte) {
			first := make(chan []byte, 1)
			return func(c net.Conn, p []byte) {
				select {
				case first <- p:
				case other := <-first:
					c.Write(other)
				}
			}
		}(), "byte 4 of the answer is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := newLoader(answering(t, test.answer), 2, 16, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.run(10 * time.Second); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// An answer may come in pieces, and the same message comes back however often it is asked for.
func TestLoadAcceptsPieces(t *testing.T) {
	l, err := newLoader(answering(t, func(c net.Conn, p []byte) {
		for _, piece := range [][]byte{p[:1], p[1:9], p[9:]} {
			c.Write(piece)
		}
	}), 3, 16, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.run(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if l.messages < 3 {
		t.Errorf("%d messages", l.messages)
	}
	if p50, p99 := l.percentile(50), l.percentile(99); p50 > p99 || p99 > 10*time.Second {
		t.Errorf("half of the answers took %v, nearly all %v", p50, p99)
	}
}

// answering serves connections whose messages of 16 bytes are answered so.
func answering(t *testing.T, answer func(c net.Conn, message []byte)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				for {
					p := make([]byte, 16)
					if _, err := io.ReadFull(c, p); err != nil {
						return
					}
					answer(c, p)
				}
			}()
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String())
}
