package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
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
}

func (p *program) proxy() *cobra.Command {
	o := proxyOptions{connect: 10 * time.Second, drain: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "proxy [options] LISTEN TARGET...",
		Short: "Pass connections on to another server",
		Long: `Pass connections on to another server, byte for byte and both ways, each end of a
conversation too. LISTEN and TARGET are [HOST:]PORT or unix:PATH, without a host
on 127.0.0.1. With tls: before it, LISTEN is encrypted with a new self-signed
certificate, and so is the way to a TARGET, whose certificate is checked. Either
may be an endpoint with options: tcp::80?proxy=any&trust=10.0.0.0/8 believes
what another proxy says of its clients, tcp:app:80?proxy=v2 says it to a target.

Several targets take turns. One that cannot be reached is passed over for a
second; if none can, the client is reset. What a client sends is not read before
its target is there.

SIGUSR1 writes the statistics, and so does the end. Their bytes are those of
connections that have ended. Ctrl-C, or the signals INT, TERM and HUP, let in
nobody new and wait for the others; Ctrl-C, INT or TERM after that end it at
once.`,
		Example: `  rondo proxy 8080 example.com:80
  rondo proxy 127.0.0.1:8080 unix:/run/app.sock
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
	f.BoolVar(&o.insecure, "insecure", false, "do not check the certificates of targets")
	return cmd
}

func (p *program) runProxy(ctx context.Context, o proxyOptions, listen string, targets []string) error {
	from, err := place("LISTEN", listen)
	if err != nil {
		return err
	}
	if o.connect == 0 {
		return wrong("--connect-timeout: nothing can be connected in no time: give more than 0.")
	}
	x := &proxy{options: o, log: newSparseLog(p.errs)}
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
	e, err := rondo.New(o.config)
	if err != nil {
		return err
	}
	defer e.Close()
	for _, t := range x.targets {
		t.at.Timeout, t.at.Insecure = o.connect, t.at.TLS && (o.insecure || t.at.Insecure)
		if t.dialer, err = t.at.Dialer(e); err != nil {
			return err
		}
	}
	from.MaxConns, from.IdleTimeout = cmp.Or(o.maxConns, from.MaxConns), cmp.Or(o.idle, from.IdleTimeout)
	if from.TLS && from.Cert == "" {
		from.SelfSigned = true
		fmt.Fprintln(p.errs, selfSignedNotice)
	}
	ln, err := from.Bind(e)
	if err == nil {
		err = ln.Serve(func() rondo.Protocol { return &proxyClient{proxy: x} })
	}
	if err != nil {
		return descriptors.Blame(err) // while the engine has those that it has
	}
	from.Address = ln.Addr().String()
	for _, t := range x.targets {
		if t.at.Network == from.Network && t.at.Address == from.Address {
			return wrong("TARGET: %s is where the proxy itself listens: each connection would make another, without end.", bare(t.at))
		}
	}
	asked := x.askForStats(e)
	words := make([]string, len(x.targets))
	for i, t := range x.targets {
		words[i] = bare(t.at)
	}
	out := p.out
	closed := make(chan struct{})
	if from.Network == "stdio" { // the output is the client's
		out = p.errs
		ln.OnClose(func() { close(closed) })
	}
	if _, err := fmt.Fprintf(out, "Listening on %s for %s with %s (%s). Ctrl-C ends it.\n", bare(from), strings.Join(words, ", "),
		count(len(e.Loops()), "loop"), e.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-closed:
			x.log.out.flush(lastWords)
			fmt.Fprintln(out, x.stats.report(o.json))
			return nil
		case <-asked:
			fmt.Fprintln(out, x.stats.report(o.json))
		}
	}
	err = p.drain(e, o.drain)
	x.log.out.flush(lastWords)
	fmt.Fprintln(out, x.stats.report(o.json))
	return err
}

// askForStats is told on the channel whenever the statistics are asked for.
func (x *proxy) askForStats(e *rondo.Engine) <-chan struct{} {
	asked := make(chan struct{}, 1)
	ask := func() {
		select {
		case asked <- struct{}{}:
		default: // it has not been answered yet
		}
	}
	l := e.Loops()[0]
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
