package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// resolving is what the command line of resolve says.
type resolving struct {
	hosts   []string
	timeout time.Duration
	all     bool
	server  string
}

// maxResolved is the most names that are looked up in one run.
const maxResolved = 100_000

func (p *program) resolve() *cobra.Command {
	r := resolving{timeout: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "resolve [options] HOST ...",
		Short: "Look up the addresses of many hosts at once",
		Long: `Look up the addresses of many hosts at once, 64 at a time, and print one address
of each, IPv4 if there is one, in the order asked. The line of a host that has
none, or that did not answer in time, is empty; standard error says why, and the
exit status is 1.`,
		Example: `  rondo resolve localhost example.com example.org
  rondo resolve --all --timeout 2 example.com
  rondo resolve --server 127.0.0.1:5353 printer.local`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return wrong("There is no host to look up: give one, or several.")
			case len(args) > maxResolved:
				return wrong("%d hosts are too many: give %d at the most.", len(args), maxResolved)
			}
			for _, host := range args {
				if strings.TrimSpace(host) == "" {
					return wrong("The name of a host is empty.")
				}
			}
			r.hosts = args
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.lookUp(cmd.Context(), r) },
	}
	f := cmd.Flags()
	f.Var(seconds{&r.timeout}, "timeout", "how long to wait for all of them, 0 or more; 0 means as long as it takes")
	f.BoolVar(&r.all, "all", false, "print all addresses of a host, with a space between them")
	f.Var(filled{&r.server, "server"}, "server", "ask this DNS server (`HOST:PORT`), and not those of the system")
	return cmd
}

// resolver is the system's, or asks one server only.
func (r resolving) resolver() (*net.Resolver, error) {
	if r.server == "" {
		return net.DefaultResolver, nil
	}
	if _, _, err := net.SplitHostPort(r.server); err != nil {
		return nil, wrong("--server: %q is not of the form HOST:PORT: write it like 127.0.0.1:53.", r.server)
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, r.server)
	}}, nil
}

// answer is what became of one host.
type answer struct {
	addrs []netip.Addr
	err   error
}

// errNoTime is how a lookup ends that was not over in time.
var errNoTime = errors.New("there was no answer in time")

func (p *program) lookUp(ctx context.Context, r resolving) error {
	resolver, err := r.resolver()
	if err != nil {
		return err
	}
	answers := make([]answer, len(r.hosts))
	err = onOneLoop(ctx, func(t *task.Task) error {
		if r.timeout > 0 {
			_, err := task.MoveOnAfter(t, r.timeout, func(t *task.Task) error { return r.each(t, resolver, answers) })
			return err
		}
		return r.each(t, resolver, answers)
	})
	if err != nil {
		return err
	}
	failed := false
	for i, a := range answers {
		if a.err == nil && len(a.addrs) == 0 {
			a.err = errNoTime
		}
		if a.err != nil {
			failed = true
			fmt.Fprintf(p.errs, "%s: %s\n", printable(r.hosts[i]), oneLine(a.err.Error()))
		}
		if _, err := fmt.Fprintln(p.out, r.format(a.addrs)); err != nil {
			return err
		}
	}
	if failed {
		return errReported
	}
	return nil
}

// each looks all of them up, a task for each, as many at a time as there are places.
func (r resolving) each(t *task.Task, resolver *net.Resolver, answers []answer) error {
	places := task.NewSemaphore(64)
	return task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
		for i, host := range r.hosts {
			g.Go(func(t *task.Task) error {
				if err := places.Acquire(t, 1); err != nil {
					return err
				}
				defer places.Release(1)
				addrs, err := task.Await(t, rondo.Run(t.Loop(), func(ctx context.Context) ([]netip.Addr, error) {
					return addressesOf(ctx, resolver, host)
				}))
				if t.Err() != nil {
					return context.Cause(t)
				}
				answers[i] = answer{addrs, err} // one that is not found is no reason to give up the others
				return nil
			})
		}
		return nil
	})
}

// addressesOf looks one up. An address of IPv6 keeps its zone, without which one of a link means nothing (RFC 4007); LookupNetIP would drop it.
func addressesOf(ctx context.Context, resolver *net.Resolver, host string) ([]netip.Addr, error) {
	found, err := resolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, a := range found {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			addrs = append(addrs, addr.Unmap().WithZone(a.Zone))
		}
	}
	return addrs, nil
}

func (r resolving) format(addrs []netip.Addr) string {
	if r.all {
		var texts []string
		for _, a := range addrs {
			texts = append(texts, a.Unmap().String())
		}
		return strings.Join(texts, " ")
	}
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			return a.String()
		}
	}
	if len(addrs) > 0 {
		return addrs[0].String()
	}
	return ""
}
