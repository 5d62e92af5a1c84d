// Command rondo serves, fetches and draws: "rondo help" lists what it does.
package main

import (
	"os"

	"github.com/rondo-go/rondo/internal/cli"
)

func main() { os.Exit(cli.Main()) }
