//go:build unix

package cli

import (
	"os"
	"syscall"
)

// statsSignals are those that ask for statistics.
var statsSignals = []os.Signal{syscall.SIGUSR1}
