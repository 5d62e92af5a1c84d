package stream

import (
	"cmp"
	"context"
	"fmt"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// defaultInbox is what a Packets keeps for its tasks, in bytes; each datagram counts for inboxOverhead more than it has.
const (
	defaultInbox  = 256 << 10
	inboxOverhead = 64
)

// PacketsConfig says how a datagram socket for tasks is set up. The zero PacketsConfig is the usual one.
type PacketsConfig struct {
	rondo.PacketConfig // whose Loop is the task's, whatever it says, and whose ReusePort must not be set: it would be several sockets

	// Inbox is how much is kept that no task has read, in bytes, of which each datagram counts for 64 more than it has. Those that come when there is no
	// room are dropped, as the network drops them, and counted: see Packets.Dropped. Zero means 256 KiB.
	Inbox int
}

// Packets is a datagram socket for tasks on its loop. Make one with [ListenPackets] or [DialPackets]. One task reads at a time; any number may write.
type Packets struct {
	conn    *rondo.PacketConn
	limit   int
	inbox   []inPacket
	head    int
	size    int
	spare   [][]byte // for the next that come
	lent    []byte   // what Next has returned
	dropped uint64

	reader  *task.Task // which waits; nil if none does
	served  bool       // it will go on
	writers task.Lock  // those that wait for room stand in its line
	writer  *task.Task // the first of them
	full    bool       // the socket has no room
	failed  error      // what the network has said, for the next read
	ended   error      // why nothing more comes
	gone    bool       // nobody wants the socket that is being opened
}

type inPacket struct {
	data      []byte
	from      rondo.PacketAddr
	truncated bool
}

// spareBuffers of at most spareSize bytes are kept.
const spareBuffers, spareSize = 32, 2 << 10

// ListenPackets opens a datagram socket on the task's loop. Networks, addresses and errors are those of [rondo.Engine.ListenPacket], so a host name is looked up while
// the loop waits: give it an address. The task closes it; a shutdown of the engine ends reading with rondo.ErrEngineClosed, and the socket is closed when its tasks have ended.
func ListenPackets(t *task.Task, network, address string) (*Packets, error) {
	return PacketsConfig{}.Listen(t, network, address)
}

// DialPackets opens a datagram socket that is connected to address: see [rondo.Engine.DialPacket].
func DialPackets(t *task.Task, network, address string) (*Packets, error) {
	return PacketsConfig{}.Dial(t, network, address)
}

// Listen is [ListenPackets] with this configuration.
func (cfg PacketsConfig) Listen(t *task.Task, network, address string) (*Packets, error) {
	if err := t.Checkpoint(); err != nil {
		return nil, err
	}
	p := cfg.make(t)
	cfg.Loop = t.Loop()
	if _, err := cfg.PacketConfig.Listen(t.Engine(), network, address, func() rondo.PacketProtocol { return p.protocol() }); err != nil {
		return nil, err
	}
	return p, nil
}

// Dial is [DialPackets] with this configuration.
func (cfg PacketsConfig) Dial(t *task.Task, network, address string) (*Packets, error) {
	p := cfg.make(t)
	cfg.Loop = t.Loop()
	_, err := task.Await(t, cfg.PacketConfig.Dial(context.Background(), t.Engine(), network, address, p.protocol()))
	if err != nil {
		p.gone = true // it may be opened in this very turn
		if p.conn != nil {
			p.conn.Abort()
		}
		return nil, err
	}
	return p, nil
}

func (cfg PacketsConfig) make(*task.Task) *Packets {
	if cfg.Inbox < 0 {
		panic(fmt.Sprintf("stream: PacketsConfig.Inbox is %d: it must not be negative", cfg.Inbox))
	}
	return &Packets{limit: cmp.Or(cfg.Inbox, defaultInbox)}
}

func (p *Packets) protocol() rondo.PacketProtocol { return (*packetsProtocol)(p) }

// packetsProtocol is what the engine calls.
type packetsProtocol Packets

// Opened implements rondo.PacketProtocol.
func (q *packetsProtocol) Opened(c *rondo.PacketConn) {
	q.conn = c
	if q.gone {
		c.Abort()
	}
}

// PacketReceived implements rondo.PacketProtocol. A datagram is kept whatever its size when nothing else is.
func (q *packetsProtocol) PacketReceived(_ *rondo.PacketConn, in rondo.Packet) {
	p := (*Packets)(q)
	size := len(in.Data) + inboxOverhead
	if p.ended != nil || p.size > 0 && p.size+size > p.limit {
		p.dropped++
		return
	}
	p.size += size
	if p.head == len(p.inbox) {
		p.inbox, p.head = p.inbox[:0], 0
	}
	p.inbox = append(p.inbox, inPacket{append(p.buffer(len(in.Data)), in.Data...), in.From, in.Truncated})
	if p.reader != nil && !p.served {
		p.served = true
		p.reader.Resume()
	}
}

func (p *Packets) buffer(n int) (b []byte) {
	if last := len(p.spare) - 1; last >= 0 && n <= spareSize {
		b, p.spare = p.spare[last], p.spare[:last]
	}
	return b
}

// ErrorReceived implements rondo.PacketErrorReceiver. What the network says of a connected socket the next read returns; of others, an error is about one
// destination of many.
func (q *packetsProtocol) ErrorReceived(c *rondo.PacketConn, err error) {
	p := (*Packets)(q)
	if c.RemoteAddr().IsValid() {
		p.failed = err
		p.wakeReader()
	}
}

// PauseWriting implements rondo.PacketWritePauser.
func (q *packetsProtocol) PauseWriting(*rondo.PacketConn) {}

// ResumeWriting implements rondo.PacketWritePauser.
func (q *packetsProtocol) ResumeWriting(*rondo.PacketConn) {
	p := (*Packets)(q)
	p.full = false
	p.wakeWriter()
}

// Drain implements rondo.PacketDrainer: reading is at its end, and the tasks close the socket, or nobody is left who would.
func (q *packetsProtocol) Drain(c *rondo.PacketConn) {
	p := (*Packets)(q)
	p.end(rondo.ErrEngineClosed)
	task.WhenIdle(c.Loop(), func() { _ = c.Close() })
}

// Closed implements rondo.PacketProtocol.
func (q *packetsProtocol) Closed(_ *rondo.PacketConn, err error) {
	p := (*Packets)(q)
	if err == nil {
		err = rondo.ErrClosed
	}
	p.end(err)
	p.full = false
	p.wakeWriter()
}

// end is the end of what comes in.
func (p *Packets) end(err error) {
	if p.ended == nil {
		p.ended = err
		p.wakeReader()
	}
}

func (p *Packets) wakeReader() {
	if p.reader != nil && !p.served {
		p.served = true
		p.reader.Unpark()
	}
}

func (p *Packets) wakeWriter() {
	if t := p.writer; t != nil {
		p.writer = nil
		t.Unpark()
	}
}

// ReadFrom waits for a datagram and copies it, as much as fits, into data; n is 0 for one of no bytes. After Close it returns rondo.ErrClosed, and what the
// network has said of a connected socket (syscall.ECONNREFUSED) as a *net.OpError, once: the socket goes on. If it is cancelled no datagram is lost.
func (p *Packets) ReadFrom(t *task.Task, data []byte) (n int, from rondo.PacketAddr, err error) {
	in, err := p.Next(t)
	return copy(data, in.Data), in.From, err
}

// Read is ReadFrom for a connected socket.
func (p *Packets) Read(t *task.Task, data []byte) (n int, err error) {
	n, _, err = p.ReadFrom(t, data)
	return n, err
}

// Next is ReadFrom without the copy: the datagram's data is valid until the next read, and it says whether it was cut off.
func (p *Packets) Next(t *task.Task) (rondo.Packet, error) {
	if err := t.Checkpoint(); err != nil {
		return rondo.Packet{}, err
	}
	if p.reader != nil {
		return rondo.Packet{}, ErrBusy
	}
	p.giveBack()
	for p.head == len(p.inbox) {
		switch {
		case p.failed != nil:
			err := p.failed
			p.failed = nil
			return rondo.Packet{}, err
		case p.ended != nil:
			return rondo.Packet{}, p.ended
		}
		p.reader, p.served = t, false
		err := t.Park((*receiving)(p))
		p.forget(t)
		if err != nil {
			return rondo.Packet{}, err
		}
	}
	in := p.inbox[p.head]
	p.inbox[p.head] = inPacket{}
	p.head++
	p.size -= len(in.data) + inboxOverhead
	p.lent = in.data
	return rondo.Packet{Data: in.data, From: in.from, Truncated: in.truncated}, nil
}

// giveBack ends what the read before has lent.
func (p *Packets) giveBack() {
	if p.lent != nil && cap(p.lent) <= spareSize && len(p.spare) < spareBuffers {
		p.spare = append(p.spare, p.lent[:0])
	}
	p.lent = nil
}

func (p *Packets) forget(t *task.Task) {
	if p.reader == t {
		p.reader, p.served = nil, false
	}
}

// receiving is a Packets that a task waits to read from.
type receiving Packets

// Abandon implements task.Parking.
func (r *receiving) Abandon(error) { (*Packets)(r).forget(r.reader) }

// String implements task.Parking.
func (r *receiving) String() string { return fmt.Sprintf("a datagram at %v", r.conn.LocalAddr()) }

// WriteTo sends data as one datagram. It waits while there is no room for it (PacketConfig.WriteLimit), behind others that do; else it returns at once. The errors are those of
// [rondo.PacketConn.WriteTo].
func (p *Packets) WriteTo(t *task.Task, data []byte, to rondo.PacketAddr) error {
	return p.write(t, func() error { return p.conn.WriteTo(data, to) })
}

// Write is WriteTo for a connected socket.
func (p *Packets) Write(t *task.Task, data []byte) error {
	return p.write(t, func() error { return p.conn.Write(data) })
}

func (p *Packets) write(t *task.Task, send func() error) error {
	if err := t.Checkpoint(); err != nil {
		return err
	}
	if !p.full && !p.writers.Locked() {
		err := send()
		if err != rondo.ErrPacketQueueFull { //nolint:errorlint // documented to be bare
			return err
		}
		p.full = true
	}
	if err := p.writers.Lock(t); err != nil {
		return err
	}
	defer p.writers.Unlock()
	for {
		for p.full {
			p.writer = t
			if err := t.Park((*sending)(p)); err != nil {
				return err
			}
		}
		err := send()
		if err != rondo.ErrPacketQueueFull { //nolint:errorlint // likewise
			return err
		}
		p.full = true
	}
}

// sending is a Packets that a task waits to write to.
type sending Packets

// Abandon implements task.Parking.
func (s *sending) Abandon(error) { s.writer = nil }

// String implements task.Parking.
func (s *sending) String() string {
	return fmt.Sprintf("room for a datagram at %v", s.conn.LocalAddr())
}

// Dropped is how many datagrams have come that there was no room for in the inbox. What the kernel has dropped it does not say.
func (p *Packets) Dropped() uint64 { return p.dropped }

// Buffered is how many datagrams can be read without waiting.
func (p *Packets) Buffered() int { return len(p.inbox) - p.head }

// Conn is the socket below, for its settings.
func (p *Packets) Conn() *rondo.PacketConn { return p.conn }

// LocalAddr is the socket's own address, also after it was closed.
func (p *Packets) LocalAddr() rondo.PacketAddr { return p.conn.LocalAddr() }

// RemoteAddr is where a connected socket sends to; else the zero PacketAddr.
func (p *Packets) RemoteAddr() rondo.PacketAddr { return p.conn.RemoteAddr() }

// Close closes the socket once all that was written is sent: it does not wait. Tasks that wait get rondo.ErrClosed; what has come and was not read is
// dropped. Closing again does nothing; the error is always nil.
func (p *Packets) Close() error {
	p.end(rondo.ErrClosed)
	p.inbox, p.head, p.size = nil, 0, 0
	p.full = false
	p.wakeWriter()
	return p.conn.Close()
}
