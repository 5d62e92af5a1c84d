package cli

import "github.com/spf13/cobra"

// adopt makes the commands that cobra brings along refuse what is wrong as all others do. On their own they print
// something helpful and exit with status 0.
func adopt(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Use = "help [COMMAND]"
			cmd.DisableFlagsInUseLine = true
			cmd.Run, cmd.RunE = nil, helpOn
		case "completion":
			cmd.Args = unknownCommand
			cmd.RunE = func(*cobra.Command, []string) error {
				return wrong("Say for which shell: \"rondo completion bash\".")
			}
			for _, shell := range cmd.Commands() {
				shell.Args = noArguments
			}
		}
	}
}

func helpOn(cmd *cobra.Command, args []string) error {
	// Find's error is only for commands that do not check their arguments; what it leaves over is not a command.
	about, rest, err := cmd.Root().Find(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 && about.HasSubCommands() {
		return unknownCommand(about, rest)
	}
	if err := noArguments(about, rest); err != nil {
		return err
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}
