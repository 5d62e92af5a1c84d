package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
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
		"[HOST:]PORT or unix:PATH; without a host, on 127.0.0.1; the port is from 1 to 65535, or 0 for a free one. "+
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
	where := ln.Addr().String()
	if network == "unixgram" {
		where = "unix:" + where
	}
	if _, err := fmt.Fprintf(p.out, "Listening for datagrams on %s with %s (%s). Ctrl-C ends it.\n", where, count(len(e.Loops()), "loop"), e.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	<-ctx.Done()
	return p.drain(e, s.drain)
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
	switch {
	case err != nil:
		return at, err
	case s.tls.on && at.TLS:
		return at, wrong("--tls and an address with tls: say the same: give one of them.")
	case s.tls.on:
		at.TLS, at.Cert, at.Key, at.SelfSigned = true, s.tls.cert, s.tls.key, s.tls.cert == ""
	}
	return at, s.tls.check()
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
		return descriptors.Blame(err) // while the engine has those that it has
	}
	where := ln.Addr().String()
	if ln.Addr().Network() == "unix" {
		where = "unix:" + where
	}
	if at.Network == "stdio" { // which is the client's
		closed := make(chan struct{})
		ln.OnClose(func() { close(closed) })
		select {
		case <-ctx.Done():
		case <-closed:
		}
		return nil
	}
	if _, err := fmt.Fprintf(p.out, "Listening on %s with %s (%s). Ctrl-C ends it.\n", where, count(len(e.Loops()), "loop"), e.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	<-ctx.Done()
	return p.drain(e, s.drain)
}
