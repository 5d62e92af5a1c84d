//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package poller

var backends []backend
