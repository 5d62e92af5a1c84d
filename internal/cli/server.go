package cli

import (
	"context"
	"fmt"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/descriptors"
	"github.com/rondo-go/rondo/internal/poller"
)

// server is what the command line of a server on loops says.
type server struct {
	address string
	config  rondo.Config
	drain   time.Duration
	tls     serverTLS
	udp     bool
	alpn    []string     // what is offered over TLS, if the endpoint says nothing else
	where   func() error // completes address; may be nil
}

// portFlag lets a port stand for an address.
func (s *server) portFlag(f *pflag.FlagSet, zero int) {
	port := zero
	f.Var(whole{&port, 0, maxPort}, "port", "the port to listen on, on 127.0.0.1, from 1 to 65535; 0 means a free one")
	s.where = func() error {
		switch {
		case s.address == "":
			s.address = strconv.Itoa(port)
		case f.Changed("port"):
			return wrong("--port and --addr both say where to listen: give one of them.")
		}
		return nil
	}
}

// flags are the options that all of them have.
func (s *server) flags(f *pflag.FlagSet) {
	f.Var(filled{&s.address, "address"}, "addr",
		"[HOST:]PORT, unix:PATH or @NAME (a Unix socket without a file); without a host, on 127.0.0.1; the port is from 1 to 65535, or 0 for a free one. "+
			"Or an endpoint with options, like tcp::7000?maxconns=100, systemd:NAME or stdio:")
	f.Var(whole{&s.config.Loops, 0, maxLoops}, "loops", fmt.Sprintf("event loops, at most %d; 0 means one for each processor", maxLoops))
	f.Var(filled{&s.config.Poller, "poller"}, "poller", "how to wait for events: "+pollers()+" (default the best that works)")
	s.tls.flags(f)
	f.Var(seconds{&s.drain}, "drain", "how long to wait for connections to finish at the end, 0 or more; 0 cuts them off")
}

// udpFlag is the option of those that speak in datagrams too.
func (s *server) udpFlag(f *pflag.FlagSet) {
	f.BoolVar(&s.udp, "udp", false, "speak in datagrams: UDP in place of TCP, or those of a Unix socket")
}

// listenPackets serves datagrams until ctx ends, on a socket for each loop where the system spreads them.
func (p *program) listenPackets(ctx context.Context, s *server, open func() rondo.PacketProtocol) error {
	at, err := s.endpoint()
	switch {
	case err != nil:
		return err
	case at.TLS:
		return wrong("--udp: datagrams are not encrypted here: leave --tls out.")
	case at.Network == "systemd" || at.Network == "stdio":
		return wrong("--addr: %q is nothing for datagrams: give [HOST:]PORT or unix:PATH.", s.address)
	case strings.Contains(s.address, "?"):
		return wrong("--addr: the options of %q are not for datagrams: leave them out.", s.address)
	}
	network := map[string]string{"tcp": "udp", "tcp4": "udp4", "tcp6": "udp6", "unix": "unixgram"}[at.Network]
	if err := s.checkPoller(); err != nil {
		return err
	}
	e, err := rondo.New(s.config)
	if err != nil {
		return err
	}
	defer e.Close()
	ln, err := rondo.PacketConfig{ReusePort: network != "unixgram" && len(e.Loops()) > 1}.Listen(e, network, at.Address, open)
	if err != nil {
		return descriptors.Blame(err)
	}
	surviveReaders()
	where := ln.Addr().String()
	if network == "unixgram" {
		where = "unix:" + where
	}
	if _, err := fmt.Fprintf(p.out, "Listening for datagrams on %s with %s (%s). Ctrl-C ends it.\n", where, count(len(e.Loops()), "loop"), e.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	<-ctx.Done()
	return p.drain(e, s.drain, p.out)
}

// checkPoller refuses a poller that there is not here.
func (s *server) checkPoller() error {
	if names := poller.Names(); s.config.Poller != "" && len(names) > 0 && !slices.Contains(names, s.config.Poller) {
		return wrong("--poller: there is no poller %q on this system: give %s.", s.config.Poller, pollers())
	}
	return nil
}

// endpoint is where to listen.
func (s *server) endpoint() (endpoint.Endpoint, error) {
	at, err := place("--addr", s.address)
	if err != nil {
		return at, err
	}
	err = s.tls.apply(&at, "--addr")
	if at.TLS && len(at.ALPN) == 0 {
		at.ALPN = s.alpn
	}
	return at, err
}

// onStdio reports whether it serves standard input and output: its output is the client's.
func (s *server) onStdio() bool {
	at, err := place("--addr", s.address)
	return err == nil && at.Network == "stdio"
}

// listen serves until ctx ends, with protocols that accept makes.
func (p *program) listen(ctx context.Context, s *server, accept func() rondo.Protocol) error {
	if s.where != nil {
		if err := s.where(); err != nil {
			return err
		}
	}
	at, err := s.endpoint()
	if err != nil {
		return err
	}
	if err := s.checkPoller(); err != nil {
		return err
	}
	e, err := rondo.New(s.config)
	if err != nil {
		return err
	}
	defer e.Close()
	if at.SelfSigned {
		fmt.Fprintln(p.errs, selfSignedNotice)
	}
	ln, err := at.Bind(e)
	if err == nil {
		err = ln.Serve(accept)
	}
	if err != nil {
		return refusedEndpoint("--addr", descriptors.Blame(err)) // while the engine has those that it has
	}
	if at.Network == "stdio" { // which is the client's
		return waitForStdio(ctx, ln)
	}
	surviveReaders()
	if _, err := fmt.Fprintf(p.out, "Listening on %s with %s (%s). Ctrl-C ends it.\n", addresses(ln), count(len(e.Loops()), "loop"), e.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	<-ctx.Done()
	return p.drain(e, s.drain, p.out)
}

// addresses are all that it listens on: a service manager may have passed several sockets.
func addresses(ln *endpoint.Listener) string {
	var words []string
	for _, a := range ln.Addrs() {
		word := a.String()
		if a.Network() == "unix" {
			word = "unix:" + word
		}
		words = append(words, word)
	}
	return enumerate(words, "and")
}

// waitForStdio waits until the only client has gone, or ctx ends. What has failed is an error: who started the server may think that it has served.
func waitForStdio(ctx context.Context, ln *endpoint.Listener) error {
	closed := make(chan struct{})
	ln.OnClose(func() { close(closed) })
	select {
	case <-ctx.Done():
		return nil
	case <-closed:
		return ln.Err()
	}
}

// surviveReaders has a server go on when nobody reads any more what it says: its clients are still there. Where what it says is what it is
// for, as of standard input and output, the process is to end as a filter does, and this is not called.
func surviveReaders() { signal.Ignore(syscall.SIGPIPE) }
