//go:build !unix

package poller_test

import "testing"

func duplicate(t *testing.T, _ int) int {
	t.Helper()
	t.Skip("descriptors are not numbers of the operating system here")
	return -1
}
