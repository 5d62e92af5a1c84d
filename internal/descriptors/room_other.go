//go:build !unix

package descriptors

// Room is how many more descriptors the process may open: this system has no such limit.
func Room() (n int, known bool) { return 0, false }
