// Package sock is the sockets layer: the system calls that an engine makes on non-blocking
// descriptors, and nothing else. It knows no loop, takes plain integers, and keeps no state but what it
// has borrowed and must give back ([ShareFile]).
//
// The calls on the hot path ([Recv], [Send], [Accept]) go past Go's scheduler on Linux. On a
// non-blocking descriptor they return within microseconds, so telling the scheduler about each
// of them (which is what package syscall's Read and Write do) costs a fifth of an echo and
// buys nothing. The price is that the goroutine cannot be preempted meanwhile, hence
// [MaxTransfer].
//
// Errors are bare [syscall.Errno] values, so that a caller can compare them without unwrapping;
// whoever knows the connection wraps them.
package sock

import "errors"

// MaxTransfer is the most bytes that one Recv or Send moves. A raw system call holds its
// processor (the scheduler's P) until it returns; at some GB/s this bounds that to well under
// 100 µs.
const MaxTransfer = 256 << 10

// ErrNetwork is returned for a network name other than tcp, tcp4, tcp6 and unix.
var ErrNetwork = errors.New(`unknown network: use "tcp", "tcp4", "tcp6" or "unix"`)

// Options say how a listening socket or an outgoing connection is set up.
// The zero value is the usual one.
type Options struct {
	ReusePort bool // SO_REUSEPORT: several sockets share one port, and the kernel spreads connections
	OnlyIPv6  bool // a wildcard address does not stand for IPv4's too
	Backlog   int  // connections waiting to be accepted; 0 means 4096 (the kernel's somaxconn caps it)
}

// defaultBacklog is Linux's somaxconn since 5.4; a larger figure is cut down by the kernel.
const defaultBacklog = 4096

// ErrNotPollable is returned for files that are always ready, though reading them may take long: regular files,
// folders, and devices like /dev/null.
var ErrNotPollable = errors.New("it cannot be polled: only pipes, terminals, sockets and some other devices can")

// File is what OpenFile has made.
type File struct {
	FD          int
	Read, Write bool // what it is open for
	Socket      bool // to be used with Recv and Send like any other, not with ReadFile and WriteFile
	Pipe        bool // or a FIFO
}

// Credentials are who is at the other end of a Unix socket: when it connected, or listened.
type Credentials struct {
	PID      int // 0 where the system does not tell
	UID, GID int
}

// MaxPassed is the most descriptors that Linux passes with one message (SCM_MAX_FD in net/scm.h).
const MaxPassed = 253
