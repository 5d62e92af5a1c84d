//go:build unix

package rondo

import (
	"os"

	"github.com/rondo-go/rondo/internal/sock"
)

func duplicate(f *os.File) (int, error) { return sock.Duplicate(f) }

// closeAll closes descriptors that no poller has seen.
func closeAll(fds []int) {
	for _, fd := range fds {
		_ = sock.Close(fd)
	}
}
