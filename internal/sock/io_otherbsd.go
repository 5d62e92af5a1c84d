//go:build dragonfly || freebsd || netbsd || openbsd

package sock

// Go's runtime ignores SIGPIPE on descriptors other than 0, 1 and 2.
func noSigpipe(int) {}
