package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
	tls     bool
	cert    string // in place of a self-signed one
	key     string
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
	f.BoolVar(&s.tls, "tls", false, "encrypt, with a new self-signed certificate unless --cert says otherwise")
	f.Var(filled{&s.cert, "file"}, "cert", "with --tls, the certificate in this `file` (PEM), which is read again when it has changed")
	f.Var(filled{&s.key, "file"}, "key", "with --cert, its key (PEM)")
	f.Var(seconds{&s.drain}, "drain", "how long to wait for connections to finish at the end, 0 or more; 0 cuts them off")
}

// endpoint is where to listen.
func (s *server) endpoint() (endpoint.Endpoint, error) {
	at, err := place("--addr", s.address)
	switch {
	case err != nil:
		return at, err
	case (s.cert == "") != (s.key == ""):
		return at, wrong("--cert and --key go together: give both, or neither.")
	case s.cert != "" && !s.tls:
		return at, wrong("--cert and --key are for --tls, which is missing.")
	case s.tls && at.TLS:
		return at, wrong("--tls and an address with tls: say the same: give one of them.")
	case s.tls:
		at.TLS, at.Cert, at.Key, at.SelfSigned = true, s.cert, s.key, s.cert == ""
	}
	return at, nil
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
	names := poller.Names()
	if s.config.Poller != "" && len(names) > 0 && !slices.Contains(names, s.config.Poller) {
		return wrong("--poller: there is no poller %q on this system: give %s.", s.config.Poller, pollers())
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
