package stream

import (
	"errors"
	"io"
	"net"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// maxBuffered is how much is read ahead of the tasks, in bytes, unless a read has asked for more at once.
const maxBuffered = 64 << 10

// ErrBusy is the error of a read while another task reads the same stream.
var ErrBusy = errors.New("stream: another task is reading")

// Stream is a connection for tasks on its loop. Make one with [Handle], [Dial] or [OpenFile], or give the result of [New] to
// rondo as the protocol of a connection.
type Stream struct {
	// What every message touches comes first, so that it is in as few cache lines as possible.
	conn   transport  // unconnected until the connection stands
	data   []byte     // what has come and was not read: data[taken:]. The loop's pool's; nil when there is nothing
	taken  int        //
	reader *task.Task // which waits, or has been served and has not run yet; nil if there is none
	need   int        // until so many bytes are there
	ended  error      // io.EOF when the peer has ended its direction, or why the connection has ended; nil so far
	lost   error      // why the connection has ended altogether; nil while it has not
	loop   *rondo.Loop

	served    bool // the reader has what it waits for, or will hear that there is no more
	blocked   bool // above the high water mark
	paused    bool // the connection is not read from, because there is enough
	lent      bool // a read has returned bytes in place, and the next one has not begun
	abandoned bool // nobody wants the connection that is being made
	closed    bool // for writing, by Close or CloseWrite
	owned     bool // dialed or opened by a task, which decides when it ends

	piece   int        // the most that is given to the connection at once
	burst   int        // what was written since a task that writes has let others have their turn
	writers task.Lock  // one at a time, so that no write is torn apart
	writer  *task.Task // which waits for the peer to read; nil if none does
	into    []byte     // where the reader wants what comes, if it does not matter how much
	got     int        // how much was put there

	splice  *rondo.Splice // which takes what comes; nil if there is none
	drain   drainer
	handle  Handler  // what will serve it; nil if it has begun, or is somebody else's
	service *service // whose handler that is; nil if it is only Handle's
}

// transport is what a stream is over: a *rondo.Conn, or a file that cannot be polled.
type transport interface {
	Write(p []byte) (int, error)
	Buffered() int
	PauseReading()
	ResumeReading()
	CloseWrite() error
	Close() error
	Abort()
	LocalAddr() net.Addr
	RemoteAddr() net.Addr
}

// New makes a stream, to be the protocol of one connection: of [rondo.Engine.Dial], for example. Any goroutine may call it. The stream
// can be used once ConnectionMade has been called, so when Dial's future is done: before, Loop, Conn and the addresses are nil, and to
// write to it or to close it panics. ([Dial] and [Handle] give streams that are connected.)
func New() *Stream { return &Stream{conn: unconnected{}} }

// ConnectionMade implements rondo.Protocol.
func (s *Stream) ConnectionMade(c *rondo.Conn) {
	s.begin(c, c.Loop())
	s.limitWrites(c)
	switch {
	case s.abandoned || s.service != nil && !s.service.enter():
		c.Abort()
	case s.service != nil:
		s.service.begin(s.loop, s.serve())
	case s.handle != nil:
		s.serve()
	}
}

func (s *Stream) begin(over transport, l *rondo.Loop) { s.conn, s.loop, s.piece = over, l, maxWrite }

// DataReceived implements rondo.Protocol.
func (s *Stream) DataReceived(_ *rondo.Conn, p []byte) int {
	s.received(p)
	return len(p)
}

func (s *Stream) received(p []byte) {
	s.drain.heard(len(p))
	if s.into != nil { // a task waits for whatever comes, and nothing is before it
		s.got = copy(s.into, p)
		s.into = nil
		s.keep(p[s.got:])
	} else {
		s.keep(p)
		if len(s.data)-s.taken < s.need {
			return
		}
	}
	if s.reader != nil && !s.served {
		s.served = true
		s.reader.Resume()
	}
}

// keep copies what no task has asked for yet.
func (s *Stream) keep(p []byte) {
	if len(p) == 0 {
		return
	}
	if s.data == nil {
		s.data = buffers.On(s.loop).get()
	} else if s.taken > 0 && len(s.data)+len(p) > cap(s.data) {
		rest := s.data[s.taken:]
		if s.lent { // a task looks at this buffer: it is left to it
			s.data = append(make([]byte, 0, max(bufferSize, 2*(len(rest)+len(p)))), rest...)
		} else {
			s.data = s.data[:copy(s.data, rest)]
		}
		s.taken = 0
	}
	s.data = append(s.data, p...)
	if !s.paused && len(s.data)-s.taken >= max(maxBuffered, s.need) {
		s.paused = true
		s.conn.PauseReading()
	}
}

// take hands out n bytes of what is there. They are valid until the next read.
func (s *Stream) take(n int) []byte {
	p := s.data[s.taken : s.taken+n : s.taken+n]
	s.taken += n
	s.lent = true
	return p
}

// settle follows every read, or comes before the next one: an empty buffer goes back, and the connection is read again if there is room.
func (s *Stream) settle() {
	s.lent = false
	if s.data != nil && s.taken == len(s.data) {
		buffers.On(s.loop).put(s.data)
		s.data, s.taken = nil, 0
	}
	if s.paused && len(s.data)-s.taken < maxBuffered/2 {
		s.resume()
	}
}

func (s *Stream) resume() {
	if s.ended != nil {
		return // what still comes is not wanted
	}
	s.paused = false
	s.conn.ResumeReading()
	if s.drain.on {
		s.drainOn()
	}
}

// EOFReceived implements rondo.EOFReceiver.
func (s *Stream) EOFReceived(*rondo.Conn) { s.end(io.EOF) }

// end is the end of what comes in.
func (s *Stream) end(err error) {
	if s.ended == nil {
		s.ended = err
		s.wakeReader()
	}
}

// ConnectionLost implements rondo.Protocol.
func (s *Stream) ConnectionLost(_ *rondo.Conn, err error) {
	if err == nil || err == io.EOF { //nolint:errorlint // documented to be bare
		err = rondo.ErrClosed
	}
	s.lost = err
	s.end(err)
	s.wakeWriter()
}

func (s *Stream) wakeReader() {
	if s.reader != nil && !s.served {
		s.served, s.into = true, nil
		s.reader.Unpark()
	}
}

func (s *Stream) wakeWriter() {
	if t := s.writer; t != nil {
		s.writer = nil
		t.Unpark()
	}
}

// PauseWriting implements rondo.WritePauser.
func (s *Stream) PauseWriting(*rondo.Conn) { s.blocked = true }

// ResumeWriting implements rondo.WritePauser.
func (s *Stream) ResumeWriting(*rondo.Conn) {
	s.blocked = false
	s.wakeWriter()
}

// Loop is the loop that the stream belongs to; nil before the connection stands.
func (s *Stream) Loop() *rondo.Loop { return s.loop }

// Conn is the connection below, for its settings; nil if the stream is over a file that cannot be polled.
func (s *Stream) Conn() *rondo.Conn {
	c, _ := s.conn.(*rondo.Conn)
	return c
}

// LocalAddr is this side's address; nil before the connection stands and after it has ended.
func (s *Stream) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// RemoteAddr is the peer's address, also after the connection has ended; nil before it stands.
func (s *Stream) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// Close closes the stream once all that was written is sent: it does not wait. Tasks that wait to read or write get
// rondo.ErrClosed. Nothing more is read; see [rondo.Conn.Close]
// for what that means when the peer still sends. Closing again does nothing; the error is always nil.
func (s *Stream) Close() error {
	s.end(rondo.ErrClosed)
	s.closeWrite()
	return s.conn.Close()
}

// CloseWrite ends the outgoing direction once what was written is sent, and does not wait. The peer reads an
// end of file, and may go on sending.
func (s *Stream) CloseWrite() error {
	s.closeWrite()
	return s.conn.CloseWrite()
}

// closeWrite has those know that write, or wait to.
func (s *Stream) closeWrite() {
	s.closed = true
	s.wakeWriter()
}

// Abort ends the connection at once: what was not sent is dropped and the peer's reads fail with a reset.
func (s *Stream) Abort() {
	s.end(rondo.ErrAborted)
	s.conn.Abort()
}
