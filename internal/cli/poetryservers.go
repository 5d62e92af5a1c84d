package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
)

func (p *program) fastPoetry() *cobra.Command {
	o := poetry.DefaultOptions(poetry.Source{})
	o.Out, o.NumBytes, o.Delay = p.out, math.MaxInt, 0
	var encryption serverTLS
	cmd := &cobra.Command{
		Use:   "fastpoetry [options] FILE",
		Short: "Serve a poem as fast as it is read",
		Long: `Serve a poem to any number of clients at once, as fast as each reads it. FILE is a
file, which is read anew for each client and may have 64 MiB at most, or the name
of a poem built in (see "rondo poems"). Ctrl-C, or the signals INT, TERM and HUP,
end it at once.`,
		Example: `  rondo fastpoetry donne
  rondo fastpoetry --port 10000 poetry/ecstasy.txt --tls`,
		DisableFlagsInUseLine: true,
		Args:                  onePoem,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Source = poetry.NamedSource(args[0])
			var err error
			if o.TLS, err = encryption.config(p); err != nil {
				return err
			}
			return p.slowAsync(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Var(whole{&o.Port, 0, maxPort}, "port", "the port to listen on, from 1 to 65535; 0 means a free one")
	f.Var(host{&o.Iface}, "iface", "the host or address to listen on")
	f.Var(whole{&o.Connections, 0, math.MaxInt}, "connections", "the most clients at a time, 1 or more; 0 means no limit")
	f.BoolVar(&o.HTTP, "http", false, "speak HTTP/1.1: the poem is the body of each answer")
	encryption.flags(f)
	return cmd
}

// onePoem are the arguments of a server of one poem.
func onePoem(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return wrong("There is no poem to serve: give a file, or a name from \"rondo poems\".")
	case 1:
		if args[0] == "" {
			return wrong("The name of the poem is empty: give a file, or a name from \"rondo poems\".")
		}
		return nil
	}
	return wrong("One poem at a time: give one file, not %d.", len(args))
}

func (p *program) transformPoetry() *cobra.Command {
	s := server{drain: 10 * time.Second}
	list := false
	cmd := &cobra.Command{
		Use:   "transformpoetry [options]",
		Short: "Make other poems of poems",
		Long: `Make other poems of poems. A request is a netstring, the name of a transform, a
dot and a poem: "21:cummingsify.SPRING IS," is answered by "9:spring is,". Any
number of requests may come on one connection, and are answered in their order.
One that is no netstring, or cut off before its end, has a poem of more than a
million bytes, or names a transform that there is not, is told on standard error,
and ends the connection. Ctrl-C ends the server.`,
		Example: `  rondo transformpoetry --list
  rondo transformpoetry --port 10001
  printf '21:cummingsify.SPRING IS,' | nc -N localhost 10001`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				return p.listTransforms()
			}
			errs := newJournal(p.errs) // loops do not wait for who reads it
			defer errs.flush(lastWords)
			return p.listen(cmd.Context(), &s, poetry.TransformServer(func(peer net.Addr, err error) {
				fmt.Fprintf(errs, "%v: %s\n", peer, printable(oneLine(err.Error())))
			}))
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the transforms, and serve nothing")
	s.portFlag(cmd.Flags(), 0)
	s.flags(cmd.Flags())
	return cmd
}

func (p *program) listTransforms() error {
	for _, t := range poetry.Transforms() {
		if _, err := fmt.Fprintf(p.out, "%-12s %s\n", t.Name, t.What); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) poetryProxy() *cobra.Command {
	s := server{drain: 10 * time.Second}
	var security clientTLS
	var server reach
	x := &poetry.Proxy{Timeout: 30 * time.Second}
	cmd := &cobra.Command{
		Use:   "poetry-proxy [options] [HOST:]PORT | unix:PATH",
		Short: "Get a poem from a server once, and serve it from then on",
		Long: `Get a poem from a server once, when the first client wants it, and serve it from
then on. Clients that come before it is there wait for the same fetch; when the
last of them has left, it is given up. If it fails, those who wait are cut off,
and the next client has it tried again. A poem may have 64 MiB at most. Ctrl-C
ends the proxy.`,
		Example: `  rondo slowpoetry --port 10000 donne &
  rondo poetry-proxy --port 10001 10000 &
  rondo get-poetry 10001 10001 10001`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) (err error) {
			switch len(args) {
			case 0:
				return wrong("There is no server to ask: give its port, or HOST:PORT.")
			case 1:
				server, err = parseReach(args[0])
				return err
			}
			return wrong("The argument %q is one too many: there is one server.", args[1])
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			dial, err := security.dialer()
			if err != nil {
				return err
			}
			if x.Timeout == 0 {
				x.Timeout = -1
			}
			out := p.out
			if s.onStdio() { // which is the client's
				out = p.errs
			}
			said := newJournal(out)
			defer said.flush(lastWords)
			x.Out = plainLines{said}
			x.Dial = func(ctx context.Context, l *rondo.Loop, fetch rondo.Protocol) *rondo.Future[*rondo.Conn] {
				return dial(ctx, l.Engine(), rondo.Dialer{Loop: l}, server.network, server.address, fetch)
			}
			return p.listen(cmd.Context(), &s, x.Accept)
		},
	}
	f := cmd.Flags()
	f.Var(seconds{&x.Timeout}, "timeout", "give the server up if it sends nothing for so long, 0 or more; 0 means never")
	s.portFlag(f, 0)
	s.flags(f)
	f.BoolVar(&security.on, "server-tls", false, "the server is encrypted: check its certificate")
	f.BoolVar(&security.insecure, "insecure", false, "with --server-tls, do not check the certificate: anybody could be there")
	f.Var(filled{&security.ca, "file"}, "ca", "with --server-tls, trust the certificates in this `file` (PEM), and no others")
	security.option = "--server-tls"
	return cmd
}

// plainLines has each line be one that a terminal takes for nothing else.
type plainLines struct{ io.Writer }

func (w plainLines) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintln(w.Writer, printable(strings.TrimSuffix(string(p), "\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}
