//go:build unix

package poller_test

import (
	"syscall"
	"testing"
)

func duplicate(t *testing.T, fd int) int {
	t.Helper()
	dup, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	return dup
}
