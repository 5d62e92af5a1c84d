package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/descriptors"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/secure"
)

// server is what the command line of a server on loops says.
type server struct {
	address string
	config  rondo.Config
	drain   time.Duration
	tls     bool
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
		"[HOST:]PORT or unix:PATH; without a host, on 127.0.0.1; the port is from 1 to 65535, or 0 for a free one")
	f.Var(whole{&s.config.Loops, 0, maxLoops}, "loops", fmt.Sprintf("event loops, at most %d; 0 means one for each processor", maxLoops))
	f.Var(filled{&s.config.Poller, "poller"}, "poller", "how to wait for events: "+pollers()+" (default the best that works)")
	f.BoolVar(&s.tls, "tls", false, "encrypt, with a new self-signed certificate")
	f.Var(seconds{&s.drain}, "drain", "how long to wait for connections to finish at the end, 0 or more; 0 cuts them off")
}

// listen serves until ctx ends, with protocols that accept makes.
func (p *program) listen(ctx context.Context, s *server, accept func() rondo.Protocol) error {
	if s.where != nil {
		if err := s.where(); err != nil {
			return err
		}
	}
	network, address, err := listenOn(s.address)
	if err != nil {
		return err
	}
	names := poller.Names()
	if s.config.Poller != "" && len(names) > 0 && !slices.Contains(names, s.config.Poller) {
		return wrong("--poller: there is no poller %q on this system: give %s.", s.config.Poller, pollers())
	}
	e, err := rondo.New(s.config)
	if err != nil {
		return err
	}
	defer e.Close()
	var lc rondo.ListenConfig
	if s.tls {
		cfg, err := p.selfSigned()
		if err != nil {
			return err
		}
		lc.Wrap = secure.Config{TLS: cfg}.Server
	}
	ln, err := lc.Listen(e, network, address, accept)
	if err != nil {
		return descriptors.Blame(err) // while the engine has those that it has
	}
	where := ln.Addr().String()
	if network == "unix" {
		where = "unix:" + where
	}
	if _, err := fmt.Fprintf(p.out, "Listening on %s with %s (%s). Ctrl-C ends it.\n", where, count(len(e.Loops()), "loop"), e.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	<-ctx.Done()
	return p.drain(e, s.drain)
}
