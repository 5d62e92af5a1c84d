package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo/poetry"
)

func (p *program) poems() *cobra.Command {
	return &cobra.Command{
		Use:   "poems [NAME]",
		Short: "List the poems built in, or print one",
		Long:  "List the poems built in, or print one of them.\n\"rondo slowpoetry NAME\" serves one.",
		Example: `  rondo poems
  rondo poems donne`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return wrong("One poem at a time: give one name, or none for a list.")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return p.listPoems()
			}
			poem, ok := poetry.Lookup(args[0])
			if !ok {
				return wrong("There is no poem %q here: \"rondo poems\" lists those there are.", args[0])
			}
			_, err := io.WriteString(p.out, poem.Text)
			return err
		},
	}
}

func (p *program) listPoems() error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tBYTES\tTITLE\tAUTHOR")
	for _, poem := range poetry.Poems() {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", poem.Name, len(poem.Text), poem.Title, poem.Author)
	}
	return w.Flush()
}
