package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/poetry"
)

// fetching is what the command line of get-poetry says.
type fetching struct {
	mode      string
	addresses []poetry.Address
	timeout   time.Duration
	print     bool
	json      bool
	output    string
	timeline  string
	security  clientTLS
}

func (p *program) getPoetry() *cobra.Command {
	f := fetching{mode: string(poetry.ModeAsync)}
	cmd := &cobra.Command{
		Use:   "get-poetry [options] [HOST:]PORT ...",
		Short: "Get poems from slow servers, one after the other or all at once",
		Long: `Get poems from slow servers, such as "rondo slowpoetry", which says its port. An
address without a host is on 127.0.0.1; a port is from 1 to 65535. When a server
fails, a line says so, the others go on, and the exit status is 1. A poem may have
64 MiB at most.

--mode blocking gets one poem after the other; threads runs a goroutine for
each; async has all of them on one event loop, with callbacks; task has them on
one loop too, with a coroutine for each. On a terminal each task is a bar, as
long as its bytes so far; in a pipe each piece is a line.`,
		Example: `  rondo get-poetry 10000 10001 10002
  rondo get-poetry --mode blocking 10000 10001 --timeline times.html
  rondo get-poetry localhost:10000 [::1]:10001 --timeout 5 --output poems
  rondo get-poetry --tls --ca cert.pem localhost:10000`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrong("There is no server to ask: give the port of one, or HOST:PORT.")
			}
			for _, arg := range args {
				a, err := poetry.ParseAddress(arg)
				if err != nil {
					return err
				}
				f.addresses = append(f.addresses, a)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.fetch(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.Var(choice{word: &f.mode, allowed: []string{"blocking", "threads", "async", "task"}}, "mode",
		"how to wait for the servers")
	flags.Var(seconds{&f.timeout}, "timeout", "give a server up that sends nothing for so long, 0 or more; 0 means never (default 0)")
	flags.BoolVar(&f.print, "print", false, "print the poems at the end")
	flags.Var(filled{&f.output, "folder"}, "output", "write each poem into a file of its own in this `folder`")
	flags.BoolVar(&f.json, "json", false, "print the figures as JSON, and nothing else")
	f.security.flags(flags)
	flags.Var(filled{&f.timeline, "file"}, "timeline", "draw when what came into this `file`: .svg, .html, .txt or .json")
	return cmd
}

func (p *program) fetch(ctx context.Context, f fetching) error {
	// What would be in the way at the end is found before the wait.
	if f.json && f.print {
		return wrong("--json and --print cannot share the output: give one of them; --output keeps the poems beside --json.")
	}
	encryption, err := f.security.config()
	if err != nil {
		return err
	}
	giveUp, err := prepare(f.timeline, f.output)
	if err != nil {
		return err
	}
	defer giveUp()

	client := poetry.Client{Timeout: f.timeout, Now: p.clock.now, TLS: encryption, Discard: !f.print && f.output == ""}
	out := &outlook{Writer: p.out}
	if f.output == "" && f.timeline == "" {
		// Without an output there is nothing that the poems are wanted for.
		ctx, out.failed = context.WithCancelCause(ctx)
		defer out.failed(nil)
	}
	report, err := p.watch(ctx, out, &client, poetry.Mode(f.mode), f.addresses, f.json)
	if report == nil {
		return err
	}
	if f.print && err == nil {
		err = p.printPoems(ctx, report)
	}
	if keepErr := p.keep(f, report); err == nil {
		err = keepErr
	} else if keepErr != nil {
		err = fmt.Errorf("%w; and %w", err, keepErr)
	}
	if err != nil {
		return err
	}
	if report.Failed() > 0 {
		return errReported
	}
	return nil
}

// watch fetches and says what happens: as JSON at the end, as bars on a terminal, or line by line. Beside a report an error is that of
// the output.
func (p *program) watch(ctx context.Context, out io.Writer, c *poetry.Client, mode poetry.Mode, addresses []poetry.Address, asJSON bool) (*poetry.Report, error) {
	printer := poetry.NewPrinter(out, mode)
	if asJSON {
		report, err := fetchPoems(ctx, c, mode, addresses)
		if err != nil {
			return nil, err
		}
		enc := json.NewEncoder(p.out)
		enc.SetIndent("", "  ")
		return report, enc.Encode(report)
	}
	if _, rows, ok := terminal(p.out); ok {
		report, err := p.watchBars(ctx, c, mode, addresses, rows)
		if err != nil {
			return nil, err
		}
		for _, e := range report.Events() {
			if e.Kind == poetry.EventFailed {
				printer.Event(e)
			}
		}
		return report, printer.Summary(report)
	}
	c.OnEvent = printer.Event
	report, err := fetchPoems(ctx, c, mode, addresses)
	if err != nil {
		return nil, err
	}
	return report, printer.Summary(report)
}

// watchBars draws while it fetches, on a terminal of that many rows.
func (p *program) watchBars(ctx context.Context, c *poetry.Client, mode poetry.Mode, addresses []poetry.Address, rows int) (*poetry.Report, error) {
	// The engine first: without one there is nothing to draw.
	e, err := engineFor(mode)
	if err != nil {
		return nil, err
	}
	defer closeEngine(e)
	var drawing interface {
		event(poetry.Event)
		wait()
	}
	screen := p.out
	if f, ok := fileOf(screen); ok {
		screen = f // the drawing asks it for its size
	}
	if len(addresses) < rows {
		drawing = newBars(screen, p.clock, addresses)
	} else {
		drawing = newTally(screen, p.clock, len(addresses))
	}
	c.OnEvent = drawing.event
	report := fetchOn(ctx, e, c, mode, addresses)
	drawing.wait()
	return report, nil
}

func fetchPoems(ctx context.Context, c *poetry.Client, mode poetry.Mode, addresses []poetry.Address) (*poetry.Report, error) {
	e, err := engineFor(mode)
	if err != nil {
		return nil, err
	}
	defer closeEngine(e)
	return fetchOn(ctx, e, c, mode, addresses), nil
}

// engineFor starts an engine if that client needs one.
func engineFor(mode poetry.Mode) (*rondo.Engine, error) {
	if mode == poetry.ModeBlocking || mode == poetry.ModeThreads {
		return nil, nil // they need none
	}
	return rondo.New(rondo.Config{Loops: 1})
}

func closeEngine(e *rondo.Engine) {
	if e != nil {
		_ = e.Close()
	}
}

func fetchOn(ctx context.Context, e *rondo.Engine, c *poetry.Client, mode poetry.Mode, addresses []poetry.Address) *poetry.Report {
	switch mode {
	case poetry.ModeBlocking:
		return c.FetchBlocking(ctx, addresses)
	case poetry.ModeThreads:
		return c.FetchThreads(ctx, addresses)
	case poetry.ModeAsync:
		return c.FetchAsync(ctx, e.Loop(), addresses)
	case poetry.ModeTask:
		return c.FetchTasks(ctx, e.Loop(), addresses)
	default:
		panic(fmt.Sprintf("no client for mode %q: the command line lets only the others through", mode))
	}
}
