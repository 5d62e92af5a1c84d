package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/descriptors"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/proxyproto"
)

// proxyOptions is what the command line says.
type proxyOptions struct {
	config     rondo.Config
	maxConns   int
	rate       int
	connect    time.Duration
	idle       time.Duration
	drain      time.Duration
	statsEvery time.Duration
	json       bool
	insecure   bool
	tls        serverTLS
}

func (p *program) proxy() *cobra.Command {
	o := proxyOptions{connect: 10 * time.Second, drain: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "proxy [options] LISTEN TARGET...",
		Short: "Pass connections on to another server",
		Long: `Pass connections on to another server, byte for byte and both ways, each end
of a conversation too. LISTEN and TARGET are [HOST:]PORT or unix:PATH, without
a host on 127.0.0.1.

With --tls LISTEN is encrypted, with --cert's certificate or a new self-signed
one; so it is with tls: before it, or tls+unix: for a Unix socket. With one of
these before a TARGET the way there is encrypted, and the target's certificate
checked: tls:host:443?ca=FILE trusts those in FILE and no others. Either may be
an endpoint with other options: tcp::80?proxy=any&trust=10.0.0.0/8 believes
what another proxy says of its clients, tcp:app:80?proxy=v2 says it to a target.

Several targets take turns. One that cannot be reached is passed over for a
second; if none can, the client is reset. What a client sends is not read before
its target is there. A client takes two descriptors; no more are let in than
there are descriptors for ("ulimit -n"), and the others wait.

SIGUSR1 writes the statistics, and so does the end. Refused are those for whom
no target could be reached, and those that never became connections: whose
PROXY header or handshake failed, or that were above a limit. With --json
whatever is no statistics is on standard error. If statistics that --json or
--stats-every asks for cannot be written, the exit status is 1.

Ctrl-C, or the signals INT, TERM and HUP, let in nobody new and wait for the
others; Ctrl-C, INT or TERM after that end it at once.`,
		Example: `  rondo proxy 8080 example.com:80
  rondo proxy 127.0.0.1:8080 unix:/run/app.sock
  rondo proxy 8443 8080 --tls --cert cert.pem --key key.pem
  rondo proxy 8080 tls:example.com:443
  rondo proxy tls:8443 8080 8081 --max-conns 1000 --idle-timeout 5m`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return wrong("There is no address to listen on, and no target: write it like \"rondo proxy 8080 example.com:80\".")
			case 1:
				return wrong("There is no target for what comes to %q: write it like \"rondo proxy 8080 example.com:80\".", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return p.runProxy(cmd.Context(), o, args[0], args[1:]) },
	}
	f := cmd.Flags()
	f.Var(whole{&o.maxConns, 0, math.MaxInt}, "max-conns", "the most clients at a time, 1 or more; others wait; 0 means no limit")
	f.Var(seconds{&o.connect}, "connect-timeout", "how long a target may take to be connected, more than 0")
	f.Var(seconds{&o.idle}, "idle-timeout", "end connections over which nothing has passed for so long; 0 means never")
	f.Var(whole{&o.rate, 0, math.MaxInt}, "rate", "bytes a second that each client may send, and receive; 0 means no limit")
	f.Var(whole{&o.config.Loops, 0, maxLoops}, "loops", fmt.Sprintf("event loops, at most %d; 0 means one for each processor", maxLoops))
	f.Var(seconds{&o.drain}, "drain", "how long to wait for connections to finish at the end, 0 or more; 0 cuts them off")
	f.Var(seconds{&o.statsEvery}, "stats-every", "write the statistics so often; 0 means never")
	f.BoolVar(&o.json, "json", false, "write the statistics as JSON, a line each time")
	o.tls.flags(f)
	f.Lookup("tls").Usage = "encrypt LISTEN, with a new self-signed certificate unless --cert says otherwise; for a TARGET, write tls: before it"
	f.BoolVar(&o.insecure, "insecure", false, "do not check the certificates of targets")
	return cmd
}

func (p *program) runProxy(ctx context.Context, o proxyOptions, listen string, targets []string) error {
	from, err := o.from(listen)
	if err != nil {
		return err
	}
	if o.connect == 0 {
		return wrong("--connect-timeout: nothing can be connected in no time: give more than 0.")
	}
	x := &proxy{options: o, log: newSparseLog(p.errs)}
	defer x.log.end()
	for _, s := range targets {
		to, err := place("TARGET", s)
		if err != nil {
			return err
		}
		if strings.HasSuffix(to.Address, ":0") && strings.HasPrefix(to.Network, "tcp") {
			return wrong("TARGET: %q has port 0, which nobody can be reached at: give a port from 1 to %d.", s, maxPort)
		}
		x.targets = append(x.targets, &proxyTarget{at: to})
	}
	if err := x.checkInsecure(); err != nil {
		return err
	}
	e, err := rondo.New(o.config)
	if err != nil {
		return err
	}
	defer e.Close()
	x.engine = e
	for _, t := range x.targets {
		t.at.Timeout, t.at.Insecure = o.connect, t.at.TLS && (o.insecure || t.at.Insecure)
		if t.dialer, err = t.at.Dialer(e); err != nil {
			return refusedEndpoint("TARGET", err)
		}
	}
	if from.SelfSigned {
		fmt.Fprintln(p.errs, selfSignedNotice)
	}
	x.leaveRoom(&from)
	ln, err := from.Bind(e)
	if err == nil {
		x.listener = ln
		err = ln.Serve(func() rondo.Protocol { return &proxyClient{proxy: x} })
	}
	if err != nil {
		return refusedEndpoint("LISTEN", descriptors.Blame(err)) // while the engine has those that it has
	}
	for _, a := range ln.Addrs() {
		for _, t := range x.targets {
			if t.at.Network == a.Network() && t.at.Address == a.String() {
				return wrong("TARGET: %s is where the proxy itself listens: each connection would make another, without end.", bare(t.at))
			}
		}
	}
	return p.serveProxy(ctx, x, from)
}

// from is where to listen.
func (o *proxyOptions) from(listen string) (endpoint.Endpoint, error) {
	at, err := place("LISTEN", listen)
	if err != nil {
		return at, err
	}
	if err := o.tls.apply(&at, "LISTEN"); err != nil {
		return at, err
	}
	at.SelfSigned = at.SelfSigned || at.TLS && at.Cert == ""
	at.MaxConns, at.IdleTimeout = cmp.Or(o.maxConns, at.MaxConns), cmp.Or(o.idle, at.IdleTimeout)
	return at, nil
}

// spareDescriptors are those that are neither a client's nor a target's: the listener's, and what a lookup needs.
const spareDescriptors = 3

// leaveRoom limits the clients to those for whom there is a descriptor for the way to their target as well: more would be let in, wait for one, and keep it from the others.
func (x *proxy) leaveRoom(from *endpoint.Endpoint) {
	if from.Network == "stdio" {
		return // there is one client
	}
	room, known := descriptors.Room()
	if most := max(1, (room-spareDescriptors)/2); known && (from.MaxConns == 0 || from.MaxConns > most) {
		from.MaxConns, x.room = most, int64(most)
	}
}

// refusedEndpoint has an endpoint that cannot be used be the user's mistake.
func refusedEndpoint(what string, err error) error {
	if wrongly, ok := errors.AsType[*endpoint.Error](err); ok {
		return wrong("%s: %q: %s.", what, wrongly.Endpoint, wrongly.Reason)
	}
	return err
}

// serveProxy says where it listens, and waits for the end.
func (p *program) serveProxy(ctx context.Context, x *proxy, from endpoint.Endpoint) error {
	asked := x.askForStats()
	o, out := x.options, p.out
	var closed chan struct{}
	stdio := from.Network == "stdio" // the output is the client's
	if stdio {
		out = p.errs
		closed = make(chan struct{})
		x.listener.OnClose(func() { close(closed) })
	} else {
		surviveReaders()
	}
	statistics := out
	if o.json { // whoever reads it is a program
		out = p.errs
	}
	report := func() { // it says once that they are lost
		if _, err := fmt.Fprintln(statistics, x.report(o.json)); err != nil && x.unsaid == nil && !stdio {
			x.unsaid = err
			fmt.Fprintf(p.errs, "The statistics cannot be written: %s.\n", oneLine(err.Error()))
		}
	}
	words := make([]string, len(x.targets))
	for i, t := range x.targets {
		words[i] = bare(t.at)
	}
	if _, err := fmt.Fprintf(out, "Listening on %s for %s with %s (%s). Ctrl-C ends it.\n", listeningOn(x.listener, from), strings.Join(words, ", "),
		count(len(x.engine.Loops()), "loop"), x.engine.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	for {
		select {
		case <-ctx.Done():
			err := p.drain(x.engine, o.drain, out)
			x.log.end()
			report()
			return cmp.Or(err, x.unreported())
		case <-closed:
			err := x.engine.Close() // what it still counts
			x.log.end()
			report()
			return cmp.Or(x.listener.Err(), err)
		case <-asked:
			report()
		}
	}
}

// unreported is how it ends if statistics were lost that the command line asks for: who collects them is to know.
func (x *proxy) unreported() error {
	if x.unsaid != nil && (x.options.json || x.options.statsEvery > 0) {
		return errReported
	}
	return nil
}

// listeningOn are all addresses, as TARGET would have them.
func listeningOn(ln *endpoint.Listener, from endpoint.Endpoint) string {
	var words []string
	for _, a := range ln.Addrs() {
		at := endpoint.Endpoint{Network: a.Network(), Address: a.String(), TLS: from.TLS}
		if at.Network == "stdio" {
			at.Address = ""
		}
		words = append(words, bare(at))
	}
	return enumerate(words, "and")
}

// askForStats is told on the channel whenever the statistics are asked for.
func (x *proxy) askForStats() <-chan struct{} {
	asked := make(chan struct{}, 1)
	ask := func() {
		select {
		case asked <- struct{}{}:
		default: // it has not been answered yet
		}
	}
	l := x.engine.Loops()[0]
	ready := make(chan struct{})
	l.Post(func() {
		defer close(ready)
		for _, s := range statsSignals {
			l.OnSignal(s, func(os.Signal) { ask() })
		}
		if every := x.options.statsEvery; every > 0 {
			l.Every(every, ask)
		}
	})
	<-ready // who has read where it listens may ask
	return asked
}

// dial connects to a target for a client, whose address the target is told if its endpoint says so.
func (x *proxy) dial(ctx context.Context, client *rondo.Conn, t *proxyTarget) *rondo.Future[*rondo.Conn] {
	d := t.dialer.On(client.Loop())
	if t.at.Proxy != "" {
		version := 1
		if t.at.Proxy == "v2" {
			version = 2
		}
		header := proxied.Of(client, version)
		d = d.Announce(func(*rondo.Conn) proxyproto.Header { return header })
	}
	return d.Dial(ctx, targetSide{x.options.idle})
}
