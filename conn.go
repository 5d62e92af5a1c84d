package rondo

import (
	"net"
	"net/netip"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// Conn is a connection, as its protocol sees it: the transport. Only code that runs on its loop may
// use it; everybody else has its [Handle]. An idle connection is this struct and nothing more: no
// goroutine, no buffer, no timer.
type Conn struct {
	loop  *Loop
	proto Protocol
	in    *input    // what the protocol has left; nil if nothing
	out   *output   // what the kernel has not taken yet; nil if nothing
	extra *settings // what was set differently from the default; usually nil
	peer  netip.AddrPort
	token token
	fd    int32
	flags connFlags
}

// connFlags are a connection's state.
type connFlags uint32

const (
	isEnded       connFlags = 1 << iota // the descriptor is closed and the slot given back
	isClosing                           // Close was called: no more reading; ends when all is sent
	isDirty                             // in Loop.dirty
	isQueued                            // in Loop.queue
	isUnix                              // a Unix socket
	isFile                              // no socket at all: see file.go
	readWaits                           // a rate has no more for it: not read until it has
	writeOnly                           // or not read; then hasEOF too if watching it for reading tells nothing
	isDraining                          // the engine shuts down: ends when nothing is left to read
	hasEOF                              // the peer has ended its direction
	endedByPeer                         // and that is why the connection is closing
	isLimited                           // there are rates to obey: see rates.go
	hasFIN                              // CloseWrite was called: no more Write
	sentFIN                             // and carried out
	readPaused                          // PauseReading
	writePaused                         // the protocol was told to pause
	blocked                             // the kernel took less than it was given: wait until writable
	mustRedeliver                       // leftover bytes are due without new ones
	mustEOF                             // the end of the stream was found while reading was paused
	changed                             // SetProtocol during the present callback
	delivers                            // DataReceived is being called
	watchesRead                         // what the poller watches for
	watchesWrite                        //
	hearsEOF                            // the protocol is an EOFReceiver
	hearsPause                          // the protocol is a WritePauser
	isLayered                           // there is a layer below the protocol
	eofSeen                             // the network has no more for it
	mustDecode                          // and may have something for the protocol
	mustSeal                            // and is to be given what was written
	isSource                            // a Splice takes what is received
	isSink                              // a Splice sends into it
	sourceWaits                         // what the former has taken is not sent yet
)

// settings are what few connections change, kept apart so that the others do not pay for it.
type settings struct {
	listener    *Listener  // to be told when the connection ends
	origin      *addrCount // where that counts it by its address; nil if it does not
	layer       Layer      // of an isLayered
	plain       *output    // what was written and the layer has not been given
	timeouts    *timeouts  // if it has any
	rare        *rarities  // if there are any
	shared      bool       // by all connections of a listener that have nothing of their own
	awaited     bool       // the listener counts it as waiting for Accept, and it may never get there
	layerClosed bool       // the layer has told the peer that nothing follows
	farewell    bool       // and that is all that was left to be sent
	closeTimed  bool       // a timer watches over the closing
	held        bool       // the layer is given nothing yet: see layerhold.go
	heldClose   bool       // and Close was called meanwhile
}

// rarities are what hardly any connection has. They are kept apart so that the settings of many idle ones are 64 bytes.
type rarities struct {
	low, high, limit int             // water marks, if limit is not 0
	closing          Timer           // until a closed connection whose peer does not read is given up
	linger           linger          // what SetLinger was given
	drained          int             // bytes read since the engine began to shut down
	file             fileAddr        // what OpenFile was given
	readOnly         bool            // and it cannot be written
	splices          *splices        // of an isSource or isSink
	rates            *rates          // of an isLimited
	lost             []func(error)   // to be told after the protocol
	passing          []passage       // descriptors that go with bytes of the output
	remote           net.Addr        // what SetRemoteAddr was given
	remoteBy         any             // and who says so
	files            []*FileTransfer // files that go between bytes of the output: see sendfilequeue.go
	filesSent        int64           // bytes of such files
	below            int64           // what the layer has written while there were some
}

// set returns the connection's own settings, to be changed.
func (c *Conn) set() *settings {
	if c.extra == nil {
		c.extra = new(settings)
	} else if c.extra.shared {
		own := *c.extra
		own.shared = false
		c.extra = &own
	}
	return c.extra
}

// setRare returns those that are rare, to be changed.
func (c *Conn) setRare() *rarities {
	x := c.set()
	if x.rare == nil {
		x.rare = new(rarities)
	}
	return x.rare
}

// adopt makes a connection of a descriptor, on the loop, which has been charged with it (Engine.place).
// On an error the descriptor is the caller's.
func (l *Loop) adopt(fd int, peer netip.AddrPort, proto Protocol, flags connFlags, extra *settings) (*Conn, error) {
	c := &Conn{loop: l, proto: proto, extra: extra, peer: peer, fd: int32(fd), flags: flags | optional(proto)}
	c.token = l.conns.put(c)
	var interest poller.Interest
	if flags&hasEOF == 0 {
		c.flags |= watchesRead
		interest = poller.Read
	}
	if err := l.poller.Add(fd, uint64(c.token), interest); err != nil {
		l.conns.remove(c.token)
		return nil, err
	}
	l.engine.open.Add(1)
	return c, nil
}

// begin tells the protocol that the connection stands.
func (c *Conn) begin() {
	l := c.loop
	before := l.current
	l.current = c
	c.proto.ConnectionMade(c)
	c.settle()
	if l.drained && c.flags&(isEnded|isClosing) == 0 {
		c.drain()
	}
	l.current = before
}

// own panics in debug and race builds unless the caller is on the loop.
func (c *Conn) own(called, instead string) { c.loop.mustOwn(called, instead) }

// Loop returns the loop that the connection belongs to. Any goroutine may call it.
func (c *Conn) Loop() *Loop { return c.loop }

// Handle returns what other goroutines use in the connection's stead. Any goroutine may call it.
func (c *Conn) Handle() Handle { return Handle{c.loop, c.token} }

// Protocol returns the connection's protocol.
func (c *Conn) Protocol() Protocol {
	c.own("Conn.Protocol", "Handle.Do")
	return c.proto
}

// SetProtocol replaces the connection's protocol, which is not told. Bytes that the old one has not
// consumed go to the new one, and so does news that the old one has had: that the peer has ended its direction, and
// that the engine shuts down. ConnectionMade of the new one is not called: call it if it needs to be. If reading
// was paused, it stays so. It panics if p is nil.
func (c *Conn) SetProtocol(p Protocol) {
	c.own("Conn.SetProtocol", "Handle.Do")
	if p == nil {
		panic("rondo: Conn.SetProtocol needs a protocol")
	}
	c.proto = p
	if c.flags&(isEnded|isClosing) != 0 {
		return
	}
	if c.flags&(hasEOF|writeOnly) == hasEOF {
		c.flags &^= hasEOF
		c.again(mustEOF)
	}
	if c.loop.drained {
		c.flags &^= isDraining
		c.loop.queue = append(c.loop.queue, runFunc(c.drain))
	}
	// What the old one waits for does not bind the new one, which was not told to pause writing either.
	c.flags = c.flags&^(hearsEOF|hearsPause|writePaused) | optional(p) | changed
	if c.in != nil {
		c.in.need = 0
		if len(c.in.data) > 0 {
			c.again(mustRedeliver) // unless it is DataReceived that calls: then deliver goes on
		}
	}
}

// RemoteAddr is the peer's address, also after the connection has ended: a *net.TCPAddr, or a
// *net.UnixAddr with the name that the peer has bound, usually none. That of a file has the network "file" and
// the file's name. SetRemoteAddr puts another in its place.
func (c *Conn) RemoteAddr() net.Addr {
	c.own("Conn.RemoteAddr", "Handle.Do")
	if x := c.extra; x != nil && x.rare != nil && x.rare.remote != nil {
		return x.rare.remote
	}
	if c.flags&isFile != 0 {
		return c.extra.rare.file
	}
	if c.flags&isUnix == 0 {
		return net.TCPAddrFromAddrPort(c.peer)
	}
	if c.flags&isEnded == 0 {
		if a := c.loop.poller.PeerAddr(int(c.fd)); a != nil {
			return a
		}
	}
	return &net.UnixAddr{Net: "unix"}
}

// LocalAddr is this side's address; nil after the connection has ended. A file has but one.
func (c *Conn) LocalAddr() net.Addr {
	c.own("Conn.LocalAddr", "Handle.Do")
	if c.flags&isEnded != 0 {
		return nil
	}
	if c.flags&isFile != 0 {
		return c.extra.rare.file
	}
	return c.loop.poller.LocalAddr(int(c.fd))
}

// SetNoDelay says whether small writes go out at once (true, the default) or wait for others by
// Nagle's algorithm. It does nothing for a Unix socket or a file.
func (c *Conn) SetNoDelay(on bool) error {
	c.own("Conn.SetNoDelay", "Handle.Do")
	return c.option(func() error { return c.loop.poller.SetNoDelay(int(c.fd), on) })
}

// SetKeepAlive sends probes when the connection has been silent for idle, rounded up to seconds, so
// that a peer which has vanished is noticed. Zero or less switches them off. It does nothing for a Unix
// socket or a file.
func (c *Conn) SetKeepAlive(idle time.Duration) error {
	c.own("Conn.SetKeepAlive", "Handle.Do")
	return c.option(func() error { return c.loop.poller.SetKeepAlive(int(c.fd), idle) })
}

func (c *Conn) option(set func() error) error {
	if c.flags&isEnded != 0 {
		return ErrClosed
	}
	if c.flags&(isUnix|isFile) != 0 {
		return nil
	}
	if err := set(); err != nil {
		return c.opError("set", err)
	}
	return nil
}

// again has the connection looked after soon: what f says, and what there is to send.
func (c *Conn) again(f connFlags) {
	c.flags |= f
	if c.flags&isQueued == 0 {
		c.flags |= isQueued
		c.loop.queue = append(c.loop.queue, c)
	}
}

// run is what again has asked for.
func (c *Conn) run(l *Loop) {
	c.flags &^= isQueued
	if c.flags&isEnded != 0 {
		return
	}
	l.current = c
	if c.flags&isSource != 0 {
		c.spliceReadable()
	} else if c.flags&(readPaused|isClosing|isEnded) == 0 {
		c.redeliver()
		if c.flags&mustDecode != 0 {
			c.decode()
		}
		if c.flags&mustEOF != 0 {
			c.readEOF()
		}
	}
	if c.flags&isDraining != 0 && c.flags&(readPaused|isClosing|isEnded) == 0 {
		// What is in the kernel's buffer is still read: the last read closes.
		c.readable(nil)
		if c.flags&(readPaused|isClosing|isEnded) == 0 {
			c.again(0)
		}
	}
	c.settle()
	l.current = nil
}

// watch tells the poller what the connection waits for, if that has changed.
func (c *Conn) watch() {
	var want connFlags
	if c.flags&(readPaused|readWaits|hasEOF|isClosing|sourceWaits|eofSeen) == 0 {
		want |= watchesRead
	}
	if c.flags&blocked != 0 && !c.writeWaits() {
		want |= watchesWrite
	}
	if c.flags&(watchesRead|watchesWrite) == want || c.flags&isEnded != 0 {
		return
	}
	c.flags = c.flags&^(watchesRead|watchesWrite) | want
	var interest poller.Interest
	if want&watchesRead != 0 {
		interest |= poller.Read
	}
	if want&watchesWrite != 0 {
		interest |= poller.Write
	}
	if err := c.loop.poller.Modify(int(c.fd), uint64(c.token), interest); err != nil {
		c.end(c.opError("watch", err), true)
	}
}

// opError says which network and peer an error of the network is about.
func (c *Conn) opError(op string, err error) error {
	if c.flags&isFile != 0 {
		return c.fileError(op, err)
	}
	e := &net.OpError{Op: op, Net: "tcp", Err: syscallError(op, err)}
	if c.flags&isUnix != 0 {
		e.Net = "unix"
	} else {
		e.Addr = net.TCPAddrFromAddrPort(c.peer)
	}
	return e
}
