package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/rondo-go/rondo"
)

// What -proxy compares.
const (
	copyProxy   = "copy"
	spliceProxy = "splice"
	rondoProxy  = "rondo"
	netProxy    = "net"
)

//go:embed bare/proxy.c
var proxySource []byte

// compareProxies measures proxies in front of one bare echo server, which has the load's core. A proxy in front of an echo is an echo, of which only
// the proxy's time is counted.
func (b *bench) compareProxies(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	target, err := freeAddr(0)
	if err != nil {
		return err
	}
	echo, err := launch(ctx, []string{self, "serve", bareGoServer, target}, target, b.dir, b.Machine.LoadCore)
	if err != nil {
		return err
	}
	defer echo.stop()
	bare, err := b.compile(ctx, "proxy", proxySource)
	if err != nil {
		return fmt.Errorf("the limit, the bare proxy in C, could not be compiled: %w", err)
	}
	b.subjects = []subject{
		{name: copyProxy, label: "recv and send in C, nothing else", argv: func(addr string) []string {
			return []string{bare, portOf(addr), portOf(target)}
		}},
		{name: spliceProxy, label: "splice(2) in C, nothing else", argv: func(addr string) []string {
			return []string{bare, portOf(addr), portOf(target), "splice"}
		}},
		{name: rondoProxy, label: "rondo.Pipe", argv: func(addr string) []string {
			return []string{self, "serve", "-poller", b.poller, "proxy-" + rondoProxy, addr, target}
		}},
		{name: netProxy, label: "io.Copy, two goroutines per connection", argv: func(addr string) []string {
			return []string{self, "serve", "proxy-" + netProxy, addr, target}
		}},
	}
	b.addCommands(strings.NewReplacer("{target}", target))
	fmt.Fprintf(out, "Processor time of the proxy per %d-byte message, there and back, %s of %gs in turn: median (min–max).\n\n",
		b.size, plural(b.rounds, "round"), b.seconds)
	for _, conns := range b.conns {
		found, err := b.inTurn(ctx, b.subjects, work{conns: conns, size: b.size, turn: b.turn()})
		if err != nil {
			return err
		}
		b.Proxies = append(b.Proxies, found...)
		t := table{head: []string{fmt.Sprintf("%d connections", conns), "× io.Copy", "ns per message"}}
		for _, s := range found {
			t.add(s.Label, beside(found, s, netProxy), spreadOf(s.costs()).format("%.0f"))
		}
		b.show(out, t, found)
	}
	return nil
}

// serveProxy is a proxy's process.
func serveProxy(ctx context.Context, name, addr, target, poller string) error {
	if name == "proxy-"+rondoProxy {
		return serveRondo(ctx, addr, poller, func() rondo.Protocol { return forwarder{target} })
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { ln.Close() })
	for {
		client, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go copyBoth(client, target)
	}
}

// copyBoth is the proxy that one writes with package net. On Linux io.Copy splices by itself.
func copyBoth(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	back := make(chan struct{})
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)           // either side may go at any time
		_ = to.(*net.TCPConn).CloseWrite() //nolint:errcheck // it is one
	}
	go func() {
		defer close(back)
		pass(client, server)
	}()
	pass(server, client)
	<-back
}

// forwarder is the proxy of rondo's documentation.
type forwarder struct{ target string }

func (f forwarder) ConnectionMade(client *rondo.Conn) {
	client.PauseReading()
	d := rondo.Dialer{Loop: client.Loop()}
	d.Dial(context.Background(), client.Loop().Engine(), "tcp", f.target, waiting{}).OnDone(func(server *rondo.Conn, err error) {
		if err == nil {
			_, err = rondo.Pipe(client, server, nil)
		}
		if err != nil {
			client.Abort()
			if server != nil {
				server.Abort()
			}
		}
	})
}

func (forwarder) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (forwarder) ConnectionLost(*rondo.Conn, error)    {}

// waiting is the other side until then.
type waiting struct{}

func (waiting) ConnectionMade(c *rondo.Conn)         { c.PauseReading() }
func (waiting) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (waiting) ConnectionLost(*rondo.Conn, error)    {}
