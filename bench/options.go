package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options say what to measure.
type options struct {
	rounds   int
	seconds  float64 // how long each measurement lasts
	conns    []int
	size     int // bytes of a message
	servers  []string
	commands []string // other servers, with {addr} or {port}
	idle     int      // idle connections for the memory table; 0 leaves it out
	poller   string   // rondo's; empty is its choice
	pollers  bool
	udp      bool  // datagrams in place of connections
	http     bool  // servers of HTTP
	proxy    bool  // proxies in place of servers
	silent   []int // numbers of idle connections at which pollers are compared
	port     int   // 0 means a free one each time
	json     string
	tls      bool // compare servers over TLS
}

// What -servers may name.
const (
	bareServer    = "bare"
	bareGoServer  = "bare-go"
	rondoServer   = "rondo"
	taskServer    = "rondo-task"
	netServer     = "net"
	netpollServer = "netpoll"

	// With -tls.
	bareTLSServer  = "bare-tls"
	rondoTLSServer = "rondo-tls"
	netTLSServer   = "net-tls"
	httpTLSServer  = "http-tls" // only idle
)

var (
	plainServers = []string{bareServer, rondoServer, taskServer, netServer, netpollServer}
	tlsServers   = []string{bareTLSServer, rondoTLSServer, netTLSServer, httpTLSServer}
)

// known are the servers that may be compared with each other.
func (o options) known() []string {
	if o.tls {
		return tlsServers
	}
	return append(plainServers, bareGoServer)
}

// The connections that pollers are compared with. select(2) has no bits for descriptors from 1024 on, and some
// descriptors are not connections.
const (
	activeConns = 50
	selectConns = 1024 - 64
)

const maxSize = 64 << 10 // what the bare loops read at once, and loopback takes at once

func parseOptions(args []string, help io.Writer) (options, error) {
	o := options{
		conns:  []int{50, 1000},
		silent: []int{0, 100, 300, selectConns - activeConns, 2000, 5000},
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(help)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each server has its turn")
	flags.Float64Var(&o.seconds, "seconds", 3, "how long each turn lasts")
	flags.IntVar(&o.size, "size", 128, "bytes of a message, at most 65536")
	flags.IntVar(&o.idle, "idle", 15000, "idle connections whose memory is measured; 0 leaves that out")
	flags.IntVar(&o.port, "port", 0, "port on 127.0.0.1; 0 takes a free one for each turn")
	flags.StringVar(&o.poller, "poller", "", "rondo's poller: epoll, poll or select; empty leaves the choice to rondo")
	flags.BoolVar(&o.pollers, "pollers", false, "instead, compare rondo's pollers as idle connections grow in number")
	flags.BoolVar(&o.udp, "udp", false, "instead, compare servers of datagrams")
	flags.BoolVar(&o.http, "http", false, "instead, compare servers of HTTP, busy and idle")
	flags.BoolVar(&o.proxy, "proxy", false, "instead, compare proxies; a -command may have {target}, too")
	flags.StringVar(&o.json, "json", "", "also write every single measurement to this file")
	flags.Func("conns", "connections, comma-separated (default 50,1000)", func(s string) (err error) {
		o.conns, err = parseCounts(s, 1)
		return err
	})
	flags.Func("silent", "with -pollers, idle connections, comma-separated (default 0,100,300,910,2000,5000)", func(s string) (err error) {
		o.silent, err = parseCounts(s, 0)
		return err
	})
	flags.BoolVar(&o.tls, "tls", false, "instead, compare bare-tls, rondo-tls, net-tls and, idle, http-tls")
	flags.Func("servers", "servers, comma-separated (default bare,rondo,rondo-task,net,netpoll; there is bare-go too)", func(s string) error {
		o.servers = strings.Split(s, ",")
		return nil
	})
	flags.Func("command", "measure this `command` too, a server that gets its address by {addr} or {port}; may be repeated", func(s string) error {
		if !strings.Contains(s, "{addr}") && !strings.Contains(s, "{port}") {
			return fmt.Errorf("needs {addr} or {port} where the server takes its address")
		}
		o.commands = append(o.commands, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp { //nolint:errorlint // never wrapped
			return o, err
		}
		return o, usageError{err}
	}
	if flags.NArg() > 0 {
		return o, usageError{fmt.Errorf("%q is not a flag", flags.Arg(0))}
	}
	if o.servers == nil {
		o.servers = plainServers
		if o.tls {
			o.servers = tlsServers
		}
	}
	return o, o.check()
}

func (o options) check() error {
	for _, name := range o.servers {
		if !slices.Contains(o.known(), name) {
			return usageError{fmt.Errorf("no server %q: there are %s", name, strings.Join(o.known(), ", "))}
		}
	}
	switch {
	case o.rounds < 1:
		return usageError{fmt.Errorf("-rounds is %d: it must be 1 or more", o.rounds)}
	case !(o.seconds >= 0.1 && o.seconds <= 600):
		return usageError{fmt.Errorf("-seconds is %v: it must be 0.1 to 600", o.seconds)}
	case o.size < 1 || o.size > maxSize:
		return usageError{fmt.Errorf("-size is %d: it must be 1 to %d", o.size, maxSize)}
	case o.idle < 0:
		return usageError{fmt.Errorf("-idle is %d: it must not be negative", o.idle)}
	case o.tls && (o.pollers || len(o.commands) > 0):
		return usageError{errors.New("-tls does not go with -pollers or -command")}
	case o.port < 0 || o.port > 65535:
		return usageError{fmt.Errorf("-port is %d: it must be 0 to 65535", o.port)}
	}
	return nil
}

// turn is how long one measurement lasts.
func (o options) turn() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

func parseCounts(s string, least int) (counts []int, err error) {
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < least {
			return nil, fmt.Errorf("%q is not a number of connections", part)
		}
		counts = append(counts, n)
	}
	return counts, nil
}
