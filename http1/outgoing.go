package http1

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// outgoing is a request's body on its way. One that lies in memory is read on the loop; any other may block, so that it is read on a goroutine of its own, a piece at a time and no faster than the server takes it.
type outgoing struct {
	x      *call
	body   io.ReadCloser
	memory io.Reader // what body reads from, if that lies in memory
	length int64     // -1 if nobody knows: it is chunked
	sent   int64
	step   outgoingStep
	timer  rondo.Timer // ExpectContinueTimeout

	mu     sync.Mutex
	freed  sync.Cond // of what is shared with the goroutine:
	piece  []byte    // read, and not written
	err    error     // that follows it; io.EOF is the end
	read   bool      // there are the two
	over   bool      // nothing more is wanted
	closed bool
}

type outgoingStep uint8

const (
	unsent  outgoingStep = iota
	probing              // for the first piece: whether there is a body at all
	waiting              // for 100 Continue
	pouring
	poured  // all was written
	stopped // and never will be
)

const pieceSize = 32 << 10

// newOutgoing knows how long a body is, as net/http does: ContentLength if it is not 0, else what can be seen.
func newOutgoing(x *call, body io.ReadCloser) *outgoing {
	b := &outgoing{x: x, body: body, memory: inMemory(body), length: x.req.ContentLength}
	b.freed.L = &b.mu
	if b.length == 0 {
		b.length = -1
		if m, ok := b.memory.(interface{ Len() int }); ok {
			b.length = int64(m.Len())
		}
	}
	return b
}

// inMemory is the reader that is known to read from memory in a body: those that http.NewRequest knows, in what it puts round them. Nil says that it may block.
func inMemory(body io.ReadCloser) io.Reader {
	var r io.Reader = body
	if t := reflect.TypeOf(body); t == nopCloser || t == nopCloserWriterTo {
		r, _ = reflect.TypeAssert[io.Reader](reflect.ValueOf(body).Field(0)) //nolint:errcheck // nil is right
	}
	switch r.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		return r
	}
	return nil
}

// The types of io.NopCloser, which have no names; net/http finds them in the same way.
var (
	nopCloser         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(struct {
		io.Reader
		io.WriterTo
	}{}))
)

// probes reports whether there may be no body at all, although there is a reader of one: it was not said, and the method usually has none. Then a body that is empty is none, as in net/http.
func (b *outgoing) probes() bool {
	if b.length >= 0 {
		return false
	}
	switch b.x.method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions, "PROPFIND", "SEARCH":
		return true
	}
	return false
}

// begin is called when the head was written, or, if it probes, in place of that.
func (b *outgoing) begin(c *rondo.Conn) {
	switch {
	case b.probes():
		b.step = probing
	case b.x.req.Header.Get("Expect") != "" && wire.EqualFold(b.x.req.Header.Get("Expect"), "100-continue") && b.x.transport.ExpectContinueTimeout >= 0:
		b.step = waiting
		b.timer = c.Loop().After(limit(b.x.transport.ExpectContinueTimeout, defaultContinueTimeout), b.wanted)
		return
	default:
		b.step = pouring
	}
	b.pour()
}

// wanted is when the server wants the body, or has not said so in time.
func (b *outgoing) wanted() {
	if b.step == waiting {
		b.timer.Stop()
		b.step = pouring
		b.pour()
	}
}

// pour begins, or goes on, as long as the server takes what is written.
func (b *outgoing) pour() {
	if b.memory == nil {
		b.x.pool.loop.Engine().Go(b.readAll)
		return
	}
	scratch := b.x.pool.buffer()
	if cap(scratch) < pieceSize {
		scratch = make([]byte, 0, pieceSize)
		b.x.pool.keepBuffer(scratch)
	}
	p := scratch[:pieceSize]
	for (b.step == pouring || b.step == probing) && b.x.conn != nil && b.x.conn.is&congested == 0 {
		n, err := b.memory.Read(p)
		b.write(p[:n], err)
	}
}

// write sends a piece. err is what follows it.
func (b *outgoing) write(p []byte, err error) {
	x := b.x
	c := x.conn.c
	if b.step == probing {
		if len(p) == 0 && err == nil {
			return
		}
		if b.step = pouring; len(p) == 0 && err == io.EOF { //nolint:errorlint // bare by io.Reader's contract
			b.length = 0
		}
		x.sendHead(c)
	}
	b.sent += int64(len(p))
	switch {
	case err != nil && err != io.EOF: //nolint:errorlint // bare by io.Reader's contract
		x.cancel(fmt.Errorf("http1: the request's body cannot be read: %w", err))
		return
	case b.length >= 0 && (b.sent > b.length || err != nil && b.sent < b.length):
		x.cancel(fmt.Errorf("http1: ContentLength is %d, and the request's body has another length: %d bytes or more", b.length, b.sent))
		return
	case b.length >= 0:
		_, _ = c.Write(p) // what fails ends the connection
	default:
		if len(p) > 0 {
			var line [20]byte
			_, _ = c.Write(wire.AppendChunkHeader(line[:0], int64(len(p))))
			_, _ = c.Write(p)
			_, _ = c.Write(crlf)
		}
		if err != nil {
			_, _ = c.Write(wire.AppendLastChunk(nil, fieldsOf(x.req.Trailer)...))
		}
	}
	if err != nil {
		b.step = poured
		b.close()
		x.expectAnswer()
	}
}

var crlf = []byte("\r\n")

func fieldsOf(h http.Header) (fields []wire.Field) {
	for name, values := range h {
		for _, v := range values {
			fields = append(fields, wire.Field{Name: []byte(name), Value: []byte(v)})
		}
	}
	slices.SortStableFunc(fields, func(a, b wire.Field) int { return bytes.Compare(a.Name, b.Name) })
	return fields
}

// readAll is the goroutine.
func (b *outgoing) readAll() {
	l, p := b.x.pool.loop, make([]byte, pieceSize)
	for {
		n, err := b.body.Read(p)
		b.mu.Lock()
		if b.over {
			b.mu.Unlock()
			b.close()
			return
		}
		b.piece, b.err, b.read = p[:n], err, true
		l.PostRunner(b)
		for b.read && !b.over && err == nil {
			b.block(l.Engine())
			if b.read && !b.over {
				b.freed.Wait()
			}
		}
		b.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (b *outgoing) block(e *rondo.Engine) {
	b.mu.Unlock()
	defer b.mu.Lock() // also when Block does not return, since the goroutine is killed
	e.Block(func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return !b.read || b.over
	}, b)
}

// Run implements rondo.Runner: a piece was read, or the server takes more again.
func (b *outgoing) Run(l *rondo.Loop) {
	b.mu.Lock()
	p, err, read := b.piece, b.err, b.read
	b.mu.Unlock()
	if !read || b.step != pouring && b.step != probing || b.x.conn == nil || b.x.conn.is&congested != 0 {
		return
	}
	b.write(p, err)
	b.mu.Lock()
	b.read = false
	b.freed.Signal()
	b.mu.Unlock()
	l.Engine().Wake(b)
}

// resume is when the server takes more again.
func (x *call) resume() {
	switch b := x.body; {
	case b == nil || b.step != pouring:
	case b.memory != nil:
		b.pour()
	default:
		b.Run(x.pool.loop)
	}
}

// sent reports whether all of the request was.
func (x *call) sent() bool { return x.body == nil || x.body.step == poured }

// stopSending is when nobody wants the rest of the body.
func (x *call) stopSending() {
	b := x.body
	if b == nil || b.step == poured || b.step == stopped {
		return
	}
	b.timer.Stop()
	b.step = stopped
	b.mu.Lock()
	b.over = true
	b.freed.Signal()
	b.mu.Unlock()
	if x.pool != nil {
		x.pool.loop.Engine().Wake(b)
	}
	b.close()
}

// close closes the body, once: off the loop unless it lies in memory. A Read that blocks may end by that.
func (b *outgoing) close() {
	b.mu.Lock()
	again := b.closed
	b.closed = true
	b.mu.Unlock()
	switch {
	case again:
	case b.memory != nil || b.x.pool == nil:
		_ = b.body.Close()
	default:
		b.x.pool.loop.Engine().Go(func() { _ = b.body.Close() })
	}
}
