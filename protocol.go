package rondo

// Protocol is one connection's side of a conversation. Its methods are called on the
// connection's loop, one at a time, and must not block: what blocks goes through [Run].
//
// ConnectionMade comes first and once, ConnectionLost last and once, always, whatever ended the
// connection; a protocol that has been told of the one is told of the other.
type Protocol interface {
	// ConnectionMade says that the connection stands.
	ConnectionMade(c *Conn)

	// DataReceived gets all bytes that have arrived and not yet been consumed, and returns how
	// many of them it has consumed, from the front. The others are kept and come again, in front
	// of the next bytes. A protocol that has found one message should therefore look for the
	// next before it returns. To be called only when there is more, see [Conn.Need].
	//
	// The bytes are the loop's, valid until the call returns: copy what must be kept.
	DataReceived(c *Conn, p []byte) (consumed int)

	// ConnectionLost says that the connection has ended. The reason is
	//
	//   - nil: this side closed it, and the kernel has taken all that was written;
	//   - io.EOF: the peer has ended it;
	//   - io.ErrUnexpectedEOF: likewise, with bytes left that the protocol had not consumed;
	//   - ErrAborted, ErrEngineClosed, *BufferError, *PanicError: see there;
	//   - *net.OpError: what the network said, for example syscall.ECONNRESET.
	ConnectionLost(c *Conn, err error)
}

// EOFReceiver is implemented by protocols that keep talking after the peer has ended its
// direction (half-close). EOFReceived is called once, after all data; the connection then stays
// until it is closed here. For a protocol without it, the end of the stream closes the connection,
// after what was written has been sent.
type EOFReceiver interface {
	EOFReceived(c *Conn)
}

// WritePauser is implemented by protocols that produce much. PauseWriting is called, possibly from
// within Write, when more than the high water mark is buffered; ResumeWriting when no more than
// the low one is left. A protocol that writes on regardless ends at the hard limit with a
// [*BufferError].
type WritePauser interface {
	PauseWriting(c *Conn)
	ResumeWriting(c *Conn)
}

// Drainer is implemented by protocols that have work to finish when the engine shuts down. Drain is
// called once; the protocol then closes the connection when it is done, and has until the
// context of Shutdown ends. For a protocol without it, what has arrived is still delivered (8 MiB at the most), what
// was written is sent, and the connection is closed. Engine.Close gives no time, and calls no Drain.
type Drainer interface {
	Drain(c *Conn)
}

// optional says, as connection flags, which of the optional interfaces p implements, so that the
// question is asked once and not at each event.
func optional(p Protocol) connFlags {
	var f connFlags
	if _, ok := p.(EOFReceiver); ok {
		f |= hearsEOF
	}
	if _, ok := p.(WritePauser); ok {
		f |= hearsPause
	}
	return f
}
