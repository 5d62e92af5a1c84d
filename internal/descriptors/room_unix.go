//go:build unix

package descriptors

import (
	"os"
	"syscall"
)

// Room is how many more descriptors the process may open, and false if that is not known. It opens one for a moment.
func Room() (n int, known bool) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	most := int64(limit.Cur)       //nolint:unconvert // it is unsigned on some systems
	if most <= 0 || most > 1<<30 { // it is no limit
		return 0, false
	}
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0, false
	}
	return max(0, int(most)-len(open)+1), true // but for the folder's own
}
