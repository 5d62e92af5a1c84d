package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
)

func (p *program) slowPoetry() *cobra.Command {
	o := poetry.DefaultOptions(poetry.Source{})
	o.Out = p.out
	mode := string(poetry.ModeBlocking)
	secure := false
	cmd := &cobra.Command{
		Use:   "slowpoetry [options] FILE",
		Short: "Serve a poem slowly, a few bytes at a time",
		Long: `Serve a poem slowly: a few bytes, a wait, a few bytes. FILE is a file, which is
read anew for each client, or the name of a poem built in (see "rondo poems").
Whoever connects gets the poem: "nc localhost PORT", or
"rondo get-poetry PORT".

In blocking mode one client holds the server. With --http or --tls that is also
one that connects and says nothing: it is given up after 10 s.`,
		Example: `  rondo slowpoetry donne
  rondo slowpoetry --port 10000 poetry/ecstasy.txt --num-bytes 30
  rondo slowpoetry yeats --mode async --delay 0.5 --jitter 0.2`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return wrong("There is no poem to serve: give a file, or a name from \"rondo poems\".")
			case 1:
				return nil
			}
			return wrong("One poem at a time: give one file, not %d.", len(args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Source = poetry.NamedSource(args[0])
			if secure {
				if err := p.selfSign(&o); err != nil {
					return err
				}
			}
			if mode == string(poetry.ModeAsync) {
				return p.slowAsync(cmd.Context(), o)
			}
			return p.slowBlocking(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Var(whole{&o.Port}, "port", "the port to listen on; 0 means a free one")
	f.StringVar(&o.Iface, "iface", o.Iface, "the host or address to listen on")
	f.Var(whole{&o.NumBytes}, "num-bytes", "bytes to send at a time")
	f.Var(seconds{&o.Delay}, "delay", "the wait after each piece: 0.1, or 100ms")
	f.Var(choice{word: &mode, allowed: []string{"blocking", "async"}}, "mode",
		"blocking serves one client at a time, async all of them at once")
	f.Var(seconds{&o.Jitter}, "jitter", "vary each wait by up to so much either way")
	f.Var(afterBytes{&o.StallAfter}, "stall-after", "after so many bytes send nothing more, and stay connected")
	f.Var(afterBytes{&o.ResetAfter}, "reset-after", "after so many bytes reset the connection")
	f.Var(whole{&o.Connections}, "connections", "the most clients at a time; 0 means no limit")
	f.BoolVar(&o.HTTP, "http", false, "the same slow body as the answer to an HTTP/1.1 request, chunked")
	f.BoolVar(&secure, "tls", false, "encrypt, with a new self-signed certificate")
	return cmd
}

func (p *program) selfSign(o *poetry.Options) (err error) {
	o.TLS, _, err = poetry.SelfSigned(p.clock.now())
	if err == nil {
		fmt.Fprintln(p.errs, "The certificate is self-signed, made for this run: clients must be told not to check it "+
			"(curl --insecure, or openssl s_client -quiet).")
	}
	return err
}

func (p *program) slowBlocking(ctx context.Context, o poetry.Options) error {
	s, err := poetry.ListenBlocking(ctx, o)
	if err != nil {
		return err
	}
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
		return err
	}
	<-ctx.Done()
	return nil
}
