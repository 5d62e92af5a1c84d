package sim

import (
	"strings"
	"syscall"
)

// linuxTexts are what Linux says of the errors that a simulated network gives. Programs are given those of the system that they run on, whose texts may be
// others; in the log they are these, on every system.
var linuxTexts = map[syscall.Errno]string{
	syscall.EADDRINUSE:    "address already in use",
	syscall.EADDRNOTAVAIL: "cannot assign requested address",
	syscall.EAFNOSUPPORT:  "address family not supported by protocol",
	syscall.EAGAIN:        "resource temporarily unavailable",
	syscall.EBADF:         "bad file descriptor",
	syscall.ECONNABORTED:  "software caused connection abort",
	syscall.ECONNREFUSED:  "connection refused",
	syscall.ECONNRESET:    "connection reset by peer",
	syscall.EEXIST:        "file exists",
	syscall.EINPROGRESS:   "operation now in progress",
	syscall.EINVAL:        "invalid argument",
	syscall.EMFILE:        "too many open files",
	syscall.ENETUNREACH:   "network is unreachable",
	syscall.ENOENT:        "no such file or directory",
	syscall.ENOTCONN:      "transport endpoint is not connected",
	syscall.EPIPE:         "broken pipe",
	syscall.ETIMEDOUT:     "connection timed out",
}

// likeLinux makes Linux's texts of those of this system. On Linux there is nothing to do.
var likeLinux = replacerOf(syscall.Errno.Error)

// replacerOf makes Linux's texts of those that a system has for its errors, or is nil if they are the same.
func replacerOf(text func(syscall.Errno) string) *strings.Replacer {
	var pairs []string
	for errno, linux := range linuxTexts {
		if here := text(errno); here != linux {
			pairs = append(pairs, here, linux)
		}
	}
	if pairs == nil {
		return nil
	}
	return strings.NewReplacer(pairs...)
}

// say is add for a text that the program or the engine has made, in which the system's errors may be.
func (l *Log) say(where, what, text string) {
	if likeLinux != nil {
		text = likeLinux.Replace(text)
	}
	l.add(where, what, text)
}
