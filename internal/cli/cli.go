// Package cli is the rondo command: everything that it says and refuses, over the public packages.
//
// Output is plain lines that can be piped and compared; what only a person wants (bars, colours) appears only on a
// terminal. A wrong option or argument is one line of reason, the line of usage and where to read more, on standard error, and exit
// status 2; a failure at run time is one line, and exit status 1.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo/poetry"
)

// The exit statuses that are not 0.
const (
	exitFailure = 1
	exitUsage   = 2
)

// errReported ends a command whose output has said already what failed.
var errReported = errors.New("reported already")

// wrong is a mistake of the user's: a sentence or two, which say what is wrong and what to do instead.
func wrong(format string, args ...any) error {
	return poetry.UsageError(fmt.Sprintf(format, args...))
}

// A program is one run of the command, and what it has of the world.
type program struct {
	out, errs io.Writer
	clock     clock
	hurry     <-chan struct{} // closed by the second signal: nothing is waited for any more; nil means that it never comes
}

// Main runs the command with the process's arguments and returns its exit status.
func Main() int {
	ctx, interrupt := context.WithCancelCause(context.Background())
	ends := listenToSignals(interrupt)
	// The engine's loops write the log, and must not wait for who reads it.
	logged := newJournal(os.Stderr)
	log.SetOutput(logged)
	defer logged.flush(lastWords)
	p := &program{out: newOutlet(ctx, os.Stdout), errs: newOutlet(ctx, os.Stderr), clock: wallClock, hurry: ends.hurry}
	status := p.run(ctx, os.Args[1:])
	return cmp.Or(ends.status(), status)
}

func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	help := &outlook{Writer: p.out} // only what cobra prints itself goes there: help, and completions
	root.SetOut(help)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = help.err
	}
	if err == nil {
		return 0
	}
	if errors.Is(err, errReported) {
		return exitFailure
	}
	fmt.Fprintf(p.errs, "%s: %s\n", cmd.CommandPath(), explain(err))
	if isUsage(err) {
		fmt.Fprint(p.errs, shortUsage(cmd))
		return exitUsage
	}
	return exitFailure
}

// shortUsage is how the command is called, and where to read more. All options at once would hide the reason above them.
func shortUsage(cmd *cobra.Command) string {
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND [options]"
	}
	return fmt.Sprintf("Usage: %s\nRun '%s --help' for more.\n", line, cmd.CommandPath())
}

func isUsage(err error) bool {
	if _, ok := errors.AsType[poetry.UsageError](err); ok {
		return true
	}
	// The commands that cobra brings along know no type for it.
	return strings.HasPrefix(err.Error(), "unknown command")
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rondo",
		Short: "An event-driven networking engine, and programs that show what it is for",
		Long: `rondo is an event-driven networking engine for Go. These are its programs:
servers that are slow on purpose, clients that read many of them, and drawings
of where the time went.

Begin with "rondo demo".`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetErr(p.errs)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(p.demo(), p.slowPoetry(), p.getPoetry(), p.poems(), p.fastPoetry(), p.transformPoetry(), p.poetryProxy(), p.serve(), p.fetchURL(), p.proxy(), p.dishes(), p.whoami(), p.knockServer(), p.knockClient(), p.resolve(), p.version())
	adopt(root)
	return root
}

// unknownCommand are the arguments of a command that only has commands below it.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if args[0] == "" { // which is the beginning of every name
		return wrong("The name of the command is empty.")
	}
	cmd.SuggestionsMinimumDistance = 2
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		return wrong("There is no command %q: did you mean %s?", args[0], strings.Join(similar, " or "))
	}
	return wrong("There is no command %q.", args[0])
}

// noArguments refuses any, in this program's words.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return wrong("The argument %q is one too many: there are none here.", args[0])
	}
	return nil
}

const usageTemplate = `Usage: {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND [options]{{else}}{{.UseLine}}{{end}}
{{- if .HasExample}}

Examples:
{{.Example}}{{end}}
{{- if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}

"{{.CommandPath}} COMMAND --help" says more about one of them.{{end}}
{{- if and .HasAvailableLocalFlags (not .HasAvailableSubCommands)}}

Options:
{{.LocalFlags.FlagUsagesWrapped 79 | trimTrailingWhitespaces}}{{end}}
`
