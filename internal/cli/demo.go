package cli

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
)

// demonstration is what the command line of demo says.
type demonstration struct {
	pace   string
	output string
	noHTML bool
}

// Unless it is asked for the documents' pace, the demo is so many times as fast: their 10, 6 and 7 seconds, read three
// times over, are too long to wait for at first sight. Its pieces are larger, so that the waiting between them is still
// long enough to be seen in the drawings.
const (
	demoSpeed  = 8
	demoPieces = 10
)

// demoModes are the clients, in the order in which they are explained.
var demoModes = []struct {
	mode  poetry.Mode
	words string
}{
	{poetry.ModeBlocking, "The blocking client: one poem after the other"},
	{poetry.ModeThreads, "The threaded client: a thread of control for each poem"},
	{poetry.ModeAsync, "The asynchronous client: all poems on one event loop"},
}

func (p *program) demo() *cobra.Command {
	d := demonstration{pace: "quick", output: "rondo-demo.html"}
	cmd := &cobra.Command{
		Use:   "demo [options]",
		Short: "See what waiting costs: three slow servers, read in three ways",
		Long: `See what waiting costs. Three slow poetry servers run in this process, on real
sockets. The blocking, the threaded and the asynchronous client read them, one
client after the other; then their timelines are drawn from what was measured.`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE:                  func(cmd *cobra.Command, _ []string) error { return p.demonstrate(cmd.Context(), d) },
	}
	f := cmd.Flags()
	f.Var(choice{word: &d.pace, allowed: []string{"quick", "original"}}, "pace",
		"quick takes 6 seconds; original is the pace of the slow poetry documents, and takes 44")
	f.Var(filled{&d.output, "file"}, "output", "write the page with the drawings into this `file`")
	f.BoolVar(&d.noHTML, "no-html", false, "write no page")
	return cmd
}

func (p *program) demonstrate(ctx context.Context, d demonstration) error {
	if !d.noHTML {
		giveUp, err := reserve(d.output)
		if err != nil {
			return err
		}
		defer giveUp()
	}
	options, pace := poetry.DefaultOptions(poetry.Source{}), "At the pace of the slow poetry documents."
	if d.pace == "quick" {
		options.NumBytes *= demoPieces
		options.Delay = options.Delay * demoPieces / demoSpeed
		pace = fmt.Sprintf("At %d times the pace of the slow poetry documents; --pace original is theirs.", demoSpeed)
	}
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		return err
	}
	defer e.Close()

	out := &outlook{Writer: p.out}
	fmt.Fprintln(out, "Three slow poetry servers")
	addresses, err := demoServers(out, e, options)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, pace)

	var reports []*poetry.Report
	for _, m := range demoModes {
		fmt.Fprintf(out, "\n%s ...\n", m.words)
		if out.err != nil {
			return out.err // nobody would see what it is for
		}
		report, err := p.demoClient(ctx, m.mode, addresses)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  Got %s in %s\n", count(report.Poems(), "poem"), poetry.FormatElapsed(report.Total()))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		reports = append(reports, report)
	}

	fmt.Fprint(p.out, "\nWhere the time went\n\n")
	width, _, ok := terminal(p.out)
	if !ok {
		width = poetry.DefaultTextWidth
	}
	if err := poetry.WriteTimelineText(p.out, min(width-1, 100), reports...); err != nil {
		return err
	}
	if !d.noHTML {
		if err := poetry.WriteTimeline(d.output, reports...); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "\nWrote %s: the same, drawn for a browser.\n", d.output)
	}
	for _, r := range reports {
		if r.Failed() > 0 {
			return errReported // the drawings say what failed
		}
	}
	return nil
}

// demoServers are the documents' three: the first poem is three times as long as the others, and three times as fast.
func demoServers(out io.Writer, e *rondo.Engine, o poetry.Options) (addresses []poetry.Address, err error) {
	o.Iface = "127.0.0.1"
	numBytes := o.NumBytes
	for i, name := range []string{"donne", "yeats", "poe"} {
		poem, _ := poetry.Lookup(name)
		o.Source, o.NumBytes = poetry.PoemSource(poem), numBytes
		if i == 0 {
			o.NumBytes *= 3
		}
		s, err := poetry.ListenAsync(e, o)
		if err != nil {
			return nil, err
		}
		port := s.Addr().(*net.TCPAddr).Port
		addresses = append(addresses, poetry.Address{Host: "127.0.0.1", Port: port})
		fmt.Fprintf(out, "  %d  127.0.0.1:%-5d  %-5s  %4d bytes, %3d every %v\n", i+1, port, name, len(poem.Text), o.NumBytes, o.Delay)
	}
	return addresses, nil
}

// demoClient reads all poems: on a terminal with bars, otherwise silently.
func (p *program) demoClient(ctx context.Context, mode poetry.Mode, addresses []poetry.Address) (*poetry.Report, error) {
	client := poetry.Client{Now: p.clock.now}
	if _, rows, ok := terminal(p.out); ok {
		return p.watchBars(ctx, &client, mode, addresses, rows)
	}
	return fetchPoems(ctx, &client, mode, addresses)
}
