//go:build !unix

package cli

import "os"

// statsSignals are those that ask for statistics: this system has none.
var statsSignals []os.Signal
