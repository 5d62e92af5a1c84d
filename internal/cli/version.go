package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo/internal/poller"
)

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:                   "version",
		Short:                 "Say which rondo this is, and what it can use here",
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(*cobra.Command, []string) error {
			version := "(devel)"
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
				version = info.Main.Version
			}
			_, err := fmt.Fprintf(p.out, "rondo %s, %s, %s/%s\npollers: %s\n",
				version, runtime.Version(), runtime.GOOS, runtime.GOARCH, pollers())
			return err
		},
	}
}

// pollers lists what this system has, the preferred one first.
func pollers() string {
	if names := poller.Names(); len(names) > 0 {
		return strings.Join(names, ", ")
	}
	return "none on " + runtime.GOOS + " yet"
}
