//go:build unix

package rondo

import (
	"os"

	"github.com/rondo-go/rondo/internal/sock"
)

func duplicate(f *os.File) (int, error) { return sock.Duplicate(f) }

// newRights has files go with a datagram: by descriptors of our own.
func newRights(files []*os.File) (*sock.Rights, error) {
	fds, err := duplicates(files)
	if err != nil {
		return nil, err
	}
	return sock.NewRights(fds), nil
}

// closeAll closes descriptors that no poller has seen.
func closeAll(fds []int) {
	for _, fd := range fds {
		_ = sock.Close(fd)
	}
}
