// Package sock is the sockets layer: the system calls that an engine makes on non-blocking
// descriptors, and nothing else. It keeps no state, knows no loop and takes plain integers.
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
