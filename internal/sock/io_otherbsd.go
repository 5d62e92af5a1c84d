//go:build dragonfly || freebsd || netbsd || openbsd

package sock

// Unsent would be how many bytes the peer's side has not taken yet; these systems differ in how they tell.
func Unsent(int) int { return 0 }

// Go's runtime ignores SIGPIPE on descriptors other than 0, 1 and 2.
func noSigpipe(int) {}
