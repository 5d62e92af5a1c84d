// Package poller is the seam between an event loop and the world it waits for: descriptors,
// readiness and time. One poller belongs to one loop.
//
// # The contract
//
// Every backend promises the following, and the contract suite (contract_test.go) holds each
// of them to it. A simulated network promises it too, which is why opening, accepting,
// connecting, reading, writing, closing and the clock are here, and not only waiting.
//
// Goroutines. All methods are called by the loop's goroutine, but for [Poller.Wake],
// [Poller.Now] and [Poller.Epoch], which any goroutine may call at any time, also after Shut, and for the socket
// methods on a descriptor that was not yet added to any poller: a connection may be accepted by
// one loop's poller and added to another's.
//
// Descriptors. An int names an open socket. All are non-blocking: no method but Wait takes
// longer than a system call. Numbers are reused as soon as Close returns, so nothing but the
// token says whose event it is: Add takes a token, and every event carries the token under
// which its descriptor was registered when the event was found. The caller makes tokens unique
// over time and drops events whose token it no longer knows; that is how a descriptor that is
// closed and reused while a batch of events is worked through is never mistaken for its
// predecessor.
//
// Readiness is level-triggered. As long as a descriptor can be read (bytes, end of file, a
// pending connection or an error) and reading is wanted, each Wait reports it Readable; the same
// for writing. So a caller may read once per event and leave the rest for the next turn, and
// may change what is wanted at any time without losing anything. An error or a hang-up of both
// directions is reported as readiness of what is wanted, by some backends of both (callers ignore what
// they do not want), and the next Recv or Send says what it is. While nothing is wanted (interest 0), an error may be
// reported once, as Failed; a backend that cannot see it (select, kqueue) reports nothing until
// something is wanted again.
//
// Data. An event may come with its bytes already read (a completion backend, a simulated
// network): Data is then not nil and valid until the next call of Wait. An empty Data that is
// not nil is the end of the stream. Otherwise the caller calls Recv.
//
// Waiting. Wait returns at once if anything is ready, else when something becomes so, when the
// clock reaches until, or after Wake. A return without events before until is allowed (a
// spurious wake), but never repeats without a cause. Events found together come in no particular
// order, and each descriptor at most once per direction. A batch is bounded (at most
// [MaxEvents]); no ready descriptor is passed over for ever.
//
// Waking. A Wake makes the Wait that is under way, or the next one, return. Wakes are merged:
// many before a Wait make one. None is lost, whenever it comes.
//
// Closing. Close removes the descriptor from the poller that it was added to. Remove first is
// needed only to move a descriptor elsewhere.
//
// Files. OpenFile makes a descriptor of what the process has open already: a pipe, a FIFO, a terminal, a
// device or a stream socket. All that is said above holds for it; but for a socket's, its bytes go through
// ReadFile and WriteFile, and Close and Reset give back what OpenFile has borrowed (the open file's flags, as they
// were). Backends agree on what they refuse with [ErrNotPollable], whatever the system call behind them would do
// with it. A pipe that is open for writing only may be watched for reading: it is never Readable but when its
// readers are gone, by which a writer with nothing to write learns it (not on all systems of kqueue). The descriptor
// that OpenFile takes is the operating system's. A simulated world that has none refuses it with
// [errors.ErrUnsupported].
//
// Splicing. A backend whose kernel moves bytes from one socket to another without showing them to the program implements [Splicer]
// too. One that does not (kqueue, a simulated network) leaves the copying to its caller.
//
// Passing. A backend whose Unix sockets, of streams and of datagrams, carry descriptors and know who their peer is implements [Passer] too; a simulated network does not, and is never
// given a [sock.Packet] with Rights, nor asked for Credentials.
//
// Datagrams. OpenPacket makes a descriptor that is read and written with RecvPackets and SendPackets, a batch at a time, and is
// otherwise as all that is said above: Readable while there is a datagram or an error, Writable while there is room for one. A datagram comes
// whole or cut off at the size that was asked for, and then says so; one of no bytes is one, and no end. Datagrams may be lost, or come twice or out of order, where the
// network does that, but no call loses one for the sake of another: RecvPackets returns an error that waits at the socket (ECONNREFUSED, of a connected one)
// by itself or behind those that have come before it, and SendPackets returns how many it has sent, and the error of one that cannot be only when it is the first. What comes
// has its sender's address, and the name of a Unix socket if it has one. A connected socket gets what its peer sends, and nothing from others. A Unix socket that
// is not connected may be Writable though the one that is sent to has no room: whoever is told EAGAIN then must try again after a while. A backend need not
// have multicast, or an option; it refuses them with an error.
//
// Adopting. A backend of the operating system's sockets can take over a listening one that another program has opened: it implements [Adopter].
//
// Sending files. A backend whose kernel sends a regular file to a socket without showing it to the program implements [FileSender].
//
// Errors. Calls that the kernel refuses for now return [syscall.EAGAIN], unwrapped; Recv
// returns 0 and nil at the end of the stream. All other errors are the kernel's ([syscall.Errno],
// wrapped in [os.SyscallError] where several calls were made). Add returns a [LimitError] where a
// backend has a limit of its own.
package poller

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/rondo-go/rondo/internal/sock"
)

// Interest is what a descriptor is watched for.
type Interest uint8

// What can be wanted of a descriptor; the zero Interest wants nothing.
const (
	Read Interest = 1 << iota
	Write
)

// Ready is what was found of a descriptor.
type Ready uint8

// What can be found.
const (
	Readable Ready = 1 << iota // Recv or Accept will not say EAGAIN
	Writable                   // Send will not say EAGAIN
	Failed                     // an error waits, though nothing was wanted: see SocketError
)

// Event is one descriptor's news.
type Event struct {
	Token uint64
	Ready Ready
	Data  []byte // see the contract; nil means: call Recv
}

// Times at which Wait ends, apart from those that the clock can reach.
const (
	Immediately int64 = 0             // only look
	Forever     int64 = math.MaxInt64 // wait for an event or a wake
)

// MaxEvents is the most events that one Wait returns.
const MaxEvents = 1024

// Poller is what an event loop needs of the world. The package comment is its contract.
type Poller interface {
	// Name is the backend's name, as Open takes it.
	Name() string

	// Listen opens a listening socket; see [sock.Listen].
	Listen(addr net.Addr, o sock.Options) (fd int, err error)
	// Accept takes one pending connection, and who it is from unless it is a Unix socket.
	Accept(fd int) (conn int, peer netip.AddrPort, err error)
	// Connect begins a connection; see [sock.Connect] for its three outcomes.
	Connect(remote, local net.Addr) (fd int, err error)
	// SocketError takes the error that waits at the descriptor, nil if there is none.
	SocketError(fd int) error
	// Recv reads into p, Send writes from p.
	Recv(fd int, p []byte) (int, error)
	Send(fd int, p []byte) (int, error)
	// OpenFile makes a descriptor of what fd names, which stays open; see [sock.OpenFile]. ReadFile and WriteFile
	// are Recv and Send for those that it has made, other than sockets.
	OpenFile(fd int) (sock.File, error)
	ReadFile(fd int, p []byte) (int, error)
	WriteFile(fd int, p []byte) (int, error)
	// OpenPacket opens a datagram socket; see [sock.OpenPacket]. RecvPackets and SendPackets are the hot path, and
	// PacketAddrs the socket's addresses, the remote one nil if it is not connected.
	OpenPacket(o sock.PacketOptions) (fd int, err error)
	RecvPackets(fd int, b *sock.PacketBuffer, size int) ([]sock.Packet, error)
	SendPackets(fd int, b *sock.PacketBuffer, packets []sock.Packet) (int, error)
	PacketAddrs(fd int) (local, remote net.Addr)
	// SetPacketOption changes a setting, and SetGroup joins a multicast group or leaves it.
	SetPacketOption(fd int, o sock.PacketOption, value int) error
	SetGroup(fd int, group netip.Addr, iface int, join bool) error
	// CloseWrite ends the outgoing direction.
	CloseWrite(fd int) error
	// Close ends both, delivering what was sent; Reset drops it and tells the peer.
	Close(fd int) error
	Reset(fd int) error
	// Unsent is how many bytes were sent that the peer's side has not taken yet; 0 where the system does
	// not tell.
	Unsent(fd int) int
	// LocalAddr and PeerAddr are nil when they are no longer known.
	LocalAddr(fd int) net.Addr
	PeerAddr(fd int) net.Addr
	SetNoDelay(fd int, on bool) error
	SetKeepAlive(fd int, idle time.Duration) error

	// Add watches a descriptor that is not yet watched, Modify changes what is wanted of one that is.
	Add(fd int, token uint64, want Interest) error
	Modify(fd int, token uint64, want Interest) error
	// Remove stops watching without closing.
	Remove(fd int) error

	// Wait returns what is ready, waiting until the given time of the clock. The events are
	// valid until the next call.
	Wait(until int64) ([]Event, error)
	// Wake ends the current or the next Wait.
	Wake()
	// Now is the clock: nanoseconds since a moment before the poller was opened, greater than
	// zero, never running backwards.
	Now() int64
	// Epoch is the clock's zero as a time, with a monotonic reading where there is one.
	Epoch() time.Time
	// Shut closes the poller's own descriptors; those that were added stay open.
	Shut() error
}

// Splicer is implemented by pollers that can join two stream sockets by way of a pipe.
type Splicer interface {
	// OpenPipe opens a pipe, which is for Splice and ReadFile only: it is not added. Close closes each of its two
	// descriptors.
	OpenPipe() (r, w int, err error)
	// Splice moves at most n bytes from a socket into a pipe, or from a pipe to a socket, in their order, and returns how many. It
	// says EAGAIN when the source has nothing or the destination no room: only a caller who knows that the pipe is empty
	// knows which. It may also say EAGAIN, or 0, where Recv has news: of urgent data, or of the end of the stream. So
	// what a Readable socket does not give to Splice is asked of Recv.
	Splice(from, to, n int) (int, error)
}

// Adopter is implemented by pollers whose listening sockets are the operating system's.
type Adopter interface {
	// ShareListener makes a descriptor of what fd names, which stays open; see [sock.ShareListener]. It is to Accept what Listen returns.
	ShareListener(fd int) (int, error)
}

// Passer is implemented by pollers whose Unix sockets are the operating system's.
type Passer interface {
	// RecvFiles and SendFiles are Recv and Send with descriptors that go with the bytes; see [sock.RecvFiles] and [sock.SendFiles]. Those that are received are blocking or
	// not as they were, and belong to nobody but the caller.
	RecvFiles(fd int, p []byte) (n int, fds []int, lost bool, err error)
	SendFiles(fd int, p []byte, fds []int) (int, error)
	PeerCredentials(fd int) (sock.Credentials, error)
	// RecvUnixPacket is RecvPackets for one datagram of a Unix socket, with descriptors and credentials that go with it; see [sock.RecvUnixPacket]. SendPackets takes those that have
	// descriptors.
	RecvUnixPacket(fd int, b *sock.PacketBuffer, size int) (sock.UnixPacket, error)
}

// FileSender is implemented by pollers that can send a regular file to a stream socket.
type FileSender interface {
	// SendFile sends at most n and [sock.MaxTransfer] bytes of the file, which is the operating system's, from offset, and returns how many; its
	// position is left alone. It says EAGAIN when the socket has no room, and 0 with a nil error at or behind the end of the file. It may take as long as the disk does.
	SendFile(fd, file int, offset int64, n int) (int, error)
}

// ErrNotPollable is OpenFile's for what is always ready, though reading it may take long.
var ErrNotPollable = sock.ErrNotPollable

// LimitError is returned by Add for a descriptor that a backend cannot watch.
type LimitError struct {
	Poller string // the backend
	FD     int    // the descriptor that was refused
	Limit  int    // descriptors must be below this number
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the %s poller watches descriptors below %d only and this one is %d: use another poller or fewer connections",
		e.Poller, e.Limit, e.FD)
}
