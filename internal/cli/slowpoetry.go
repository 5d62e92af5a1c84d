package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/descriptors"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/secure"
)

func (p *program) slowPoetry() *cobra.Command {
	o := poetry.DefaultOptions(poetry.Source{})
	o.Out = p.out
	mode := string(poetry.ModeBlocking)
	var encryption serverTLS
	cmd := &cobra.Command{
		Use:   "slowpoetry [options] FILE",
		Short: "Serve a poem slowly, a few bytes at a time",
		Long: `Serve a poem slowly: a few bytes, a wait, a few bytes. FILE is a file, which is
read anew for each client and may have 64 MiB at most, or the name of a poem
built in (see "rondo poems").
Whoever connects gets the poem: "nc localhost PORT", or
"rondo get-poetry PORT".

In blocking mode one client holds the server, and the next one waits. With
--http or --tls that is also one that connects and says nothing: it is given up
after 10 s.

Ctrl-C, or the signals INT, TERM and HUP, end it at once, in mid-poem if need be.`,
		Example: `  rondo slowpoetry donne
  rondo slowpoetry --port 10000 poetry/ecstasy.txt --num-bytes 30
  rondo slowpoetry yeats --mode async --delay 0.5 --jitter 0.2`,
		DisableFlagsInUseLine: true,
		Args:                  onePoem,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Source = poetry.NamedSource(args[0])
			var err error
			if o.TLS, err = encryption.config(p); err != nil {
				return err
			}
			if mode == string(poetry.ModeAsync) {
				return p.slowAsync(cmd.Context(), o)
			}
			return p.slowBlocking(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Var(whole{&o.Port, 0, maxPort}, "port", "the port to listen on, from 1 to 65535; 0 means a free one")
	f.Var(host{&o.Iface}, "iface", "the host or address to listen on")
	f.Var(whole{&o.NumBytes, 1, math.MaxInt}, "num-bytes", "bytes to send at a time, 1 or more")
	f.Var(seconds{&o.Delay}, "delay", "the wait after each piece, 0 or more: 0.1, or 100ms")
	f.Var(choice{word: &mode, allowed: []string{"blocking", "async"}}, "mode",
		"blocking serves one client at a time, async all of them at once")
	f.Var(seconds{&o.Jitter}, "jitter", "vary each wait by up to so much either way, 0 or more (default 0)")
	f.Var(afterBytes{&o.StallAfter}, "stall-after", "after so many bytes, 0 or more, send nothing more, and stay connected (default never)")
	f.Var(afterBytes{&o.ResetAfter}, "reset-after", "after so many bytes, 0 or more, reset the connection (default never)")
	f.Var(whole{&o.Connections, 0, math.MaxInt}, "connections", "the most clients at a time, 1 or more; 0 means no limit")
	f.BoolVar(&o.HTTP, "http", false, "speak HTTP/1.1: the poem is the body of each answer, in chunks as slow")
	encryption.flags(f)
	return cmd
}

const selfSignedNotice = "The certificate is self-signed, made for this run: clients must be told not to check it " +
	"(curl --insecure, or openssl s_client -quiet)."

// serverTLS is what a poetry server's command line says of encryption.
type serverTLS struct {
	on        bool
	cert, key string
}

func (s *serverTLS) flags(f *pflag.FlagSet) {
	f.BoolVar(&s.on, "tls", false, "encrypt, with a new self-signed certificate unless --cert says otherwise")
	f.Var(filled{&s.cert, "file"}, "cert", "with --tls, the certificate in this `file` (PEM)")
	f.Var(filled{&s.key, "file"}, "key", "with --cert, its key (PEM)")
}

// check refuses what does not go together.
func (s *serverTLS) check() error {
	switch {
	case (s.cert == "") != (s.key == ""):
		return wrong("--cert and --key go together: give both, or neither.")
	case s.cert != "" && !s.on:
		return wrong("--cert and --key are for --tls, which is missing.")
	}
	return nil
}

// apply has a place be encrypted, which is what the user has given as what.
func (s *serverTLS) apply(at *endpoint.Endpoint, what string) error {
	switch {
	case s.on && at.TLS:
		return wrong("--tls and %s with tls say the same: give one of them.", what)
	case s.on:
		at.TLS, at.Cert, at.Key, at.SelfSigned = true, s.cert, s.key, s.cert == ""
	}
	return s.check()
}

// config is nil if nothing is to be encrypted.
func (s *serverTLS) config(p *program) (*tls.Config, error) {
	if err := s.check(); err != nil || !s.on {
		return nil, err
	}
	if s.cert != "" {
		files, err := secure.LoadFiles(s.cert, s.key)
		if err != nil {
			return nil, err
		}
		return &tls.Config{GetCertificate: files.GetCertificate, MinVersion: tls.VersionTLS12}, nil
	}
	cfg, _, err := secure.SelfSigned(p.clock.now())
	if err == nil {
		fmt.Fprintln(p.errs, selfSignedNotice)
	}
	return cfg, err
}

func (p *program) slowBlocking(ctx context.Context, o poetry.Options) error {
	s, err := poetry.ListenBlocking(ctx, o)
	if err != nil {
		return err
	}
	surviveReaders()
	return s.Serve(ctx)
}

func (p *program) slowAsync(ctx context.Context, o poetry.Options) error {
	e, err := rondo.New(rondo.Config{})
	if err != nil {
		return err
	}
	// Poems that are cut off are reset, so that no client takes a part for the whole.
	defer e.Close()
	if _, err := poetry.ListenAsync(e, o); err != nil {
		return descriptors.Blame(err) // while the engine has those that it has
	}
	surviveReaders()
	<-ctx.Done()
	return nil
}
