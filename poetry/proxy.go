package poetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
)

// A Proxy gets a poem from a server, once, and serves it from then on. Clients that come before it is there wait for the same fetch; when the last of them has left, it is given up. If it fails those who wait are
// reset, so that none takes it for an empty poem, and the next client has it tried again. Begin with a Dial; the other zero values are useful. Its methods may be called from any goroutine, its fields not be changed once it serves.
type Proxy struct {
	// Dial connects to the server, on that loop, as rondo.Dialer.Dial does. Required.
	Dial func(ctx context.Context, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn]

	Timeout  time.Duration // for how long the server may send nothing; zero means 30 seconds, less than zero no limit
	MaxBytes int           // of a poem; zero means DefaultMaxBytes

	// HalfClosed is how long a fetch goes on when all who wait for it have ended their direction. Such a client may be one that reads on, and gets its poem, or one that has
	// closed and left: TCP shows no difference. Zero means a minute, less than zero no limit. Who leaves by a reset has left at once.
	HalfClosed time.Duration

	// Out is told what the proxy does, in whole lines, on loops; nil is nobody.
	Out io.Writer

	mu      sync.Mutex
	poem    []byte // once it is there, nil before
	have    bool
	waiting map[rondo.Handle]*proxied
	fetch   *fetch // under way
	doubts  int    // counts changes of who waits that a doubt may be about
}

const (
	proxyTimeout = 30 * time.Second
	halfClosed   = time.Minute
)

// Accept makes the protocol of a client: what [rondo.Engine.Listen] takes.
func (x *Proxy) Accept() rondo.Protocol { return &proxied{proxy: x} }

func (x *Proxy) say(format string, args ...any) {
	if x.Out != nil {
		fmt.Fprintf(x.Out, format+"\n", args...)
	}
}

// proxied is a client.
type proxied struct {
	proxy  *Proxy
	rest   []byte // of the poem, to be sent
	served bool   // it is there
	full   bool

	halfway bool // it has ended its direction; of the proxy's lock
}

func (p *proxied) ConnectionMade(c *rondo.Conn) {
	x := p.proxy
	x.mu.Lock()
	if x.have {
		poem := x.poem
		x.mu.Unlock()
		x.say("Using cached poem.")
		p.send(c, poem)
		return
	}
	if x.waiting == nil {
		x.waiting = map[rondo.Handle]*proxied{}
	}
	x.waiting[c.Handle()] = p
	x.doubts++ // here is one who certainly waits
	var begin *fetch
	if x.fetch == nil {
		begin = &fetch{proxy: x, loop: c.Loop()}
		x.fetch = begin
	}
	x.mu.Unlock()
	if begin != nil {
		x.say("Fetching poem from server.")
		begin.start()
	}
}

func (p *proxied) send(c *rondo.Conn, poem []byte) {
	p.rest, p.served = poem, true
	p.push(c)
}

// push writes as much as the client reads: the poem is everybody's, and not copied for each.
func (p *proxied) push(c *rondo.Conn) {
	for len(p.rest) > 0 && !p.full {
		n := min(len(p.rest), writeSliceBytes)
		if _, err := c.Write(p.rest[:n]); err != nil {
			return
		}
		p.rest = p.rest[n:]
	}
	if len(p.rest) == 0 {
		_ = c.CloseLingering(farewell, farewellBytes)
	}
}

func (p *proxied) PauseWriting(*rondo.Conn) { p.full = true }
func (p *proxied) ResumeWriting(c *rondo.Conn) {
	if p.full = false; len(p.rest) > 0 {
		p.push(c)
	}
}

// Drain implements rondo.Drainer: who waits goes on waiting, and who is being sent the poem gets all of it.
func (*proxied) Drain(*rondo.Conn) {}

func (*proxied) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }

// EOFReceived has a client that has ended its direction go on waiting: it may read on, as "nc -N" does.
func (p *proxied) EOFReceived(*rondo.Conn) {
	x := p.proxy
	x.mu.Lock()
	defer x.mu.Unlock()
	p.halfway = true
	x.doubt()
}

func (p *proxied) ConnectionLost(c *rondo.Conn, _ error) {
	x := p.proxy
	x.mu.Lock()
	delete(x.waiting, c.Handle())
	var giveUp *fetch
	if len(x.waiting) == 0 && x.fetch != nil {
		giveUp, x.fetch = x.fetch, nil
	}
	x.doubt()
	x.mu.Unlock()
	if giveUp != nil {
		x.say("Nobody waits for the poem any more.")
		giveUp.cancel()
	}
}

// doubt has the fetch given up after a while in which nobody waits of whom it is certain. It is called with the lock.
func (x *Proxy) doubt() {
	f := x.fetch
	if f == nil || len(x.waiting) == 0 || x.HalfClosed < 0 {
		return
	}
	for _, p := range x.waiting {
		if !p.halfway {
			return
		}
	}
	x.doubts++
	now := x.doubts
	f.loop.Post(func() {
		f.loop.After(cmp.Or(x.HalfClosed, halfClosed), func() { x.despair(f, now) })
	})
}

// despair gives the fetch up if nothing has changed since.
func (x *Proxy) despair(f *fetch, doubts int) {
	x.mu.Lock()
	if x.fetch != f || x.doubts != doubts {
		x.mu.Unlock()
		return
	}
	waiting := x.waiting
	x.fetch, x.waiting = nil, nil
	x.mu.Unlock()
	x.say("Nobody waits for the poem any more.")
	f.cancel()
	for h := range waiting {
		h.Do((*rondo.Conn).Abort) // an end in good order would pass for an empty poem
	}
}

// ended is what became of a fetch.
func (x *Proxy) ended(f *fetch, poem []byte, err error) {
	x.mu.Lock()
	if x.fetch != f { // it was given up
		x.mu.Unlock()
		return
	}
	x.fetch = nil
	if err == nil {
		x.poem, x.have = poem, true
	}
	waiting := x.waiting
	x.waiting = nil
	x.mu.Unlock()
	switch {
	case err == nil:
	case f.peer != nil:
		x.say("No poetry from %v: %v", f.peer, err)
	default:
		x.say("No poetry: %v", err) // the error says who was dialed
	}
	for h, p := range waiting {
		h.Do(func(c *rondo.Conn) {
			if err != nil {
				c.Abort()
			} else {
				p.send(c, poem)
			}
		})
	}
}

// fetch gets the poem. It is a protocol, all of whose methods but cancel run on its loop.
type fetch struct {
	proxy  *Proxy
	loop   *rondo.Loop
	dialed *rondo.Future[*rondo.Conn]
	conn   *rondo.Conn
	peer   net.Addr // of conn; nil before there is one
	got    []byte
	err    error
}

func (f *fetch) start() {
	f.dialed = f.proxy.Dial(context.Background(), f.loop, f)
	f.dialed.OnDone(func(_ *rondo.Conn, err error) {
		if err != nil {
			f.proxy.ended(f, nil, err)
		}
	})
}

// errNobodyWaits is why a fetch is given up.
var errNobodyWaits = errors.New("nobody waits for the poem any more")

// errNoPoem is why nothing is kept of a server that says nothing.
var errNoPoem = errors.New("it has closed without a word")

// Drain implements rondo.Drainer: clients wait for it.
func (f *fetch) Drain(*rondo.Conn) {}

// cancel may be called from any goroutine.
func (f *fetch) cancel() {
	f.loop.Post(func() {
		f.dialed.Cancel(errNobodyWaits)
		if f.conn != nil {
			f.conn.Abort()
		}
	})
}

func (f *fetch) ConnectionMade(c *rondo.Conn) {
	f.conn, f.peer = c, c.RemoteAddr()
	c.SetIdleTimeout(f.timeout())
}

// timeout is how long the server may send nothing.
func (f *fetch) timeout() time.Duration { return cmp.Or(f.proxy.Timeout, proxyTimeout) }

func (f *fetch) DataReceived(c *rondo.Conn, p []byte) int {
	most := f.proxy.MaxBytes
	if most == 0 {
		most = DefaultMaxBytes
	}
	if len(f.got)+len(p) > most {
		f.err = fmt.Errorf("the poem has more than %d bytes", most)
		c.Abort()
		return len(p)
	}
	f.got = append(f.got, p...)
	return len(p)
}

func (f *fetch) ConnectionLost(c *rondo.Conn, err error) {
	switch {
	case f.err != nil:
		err = f.err
	case errors.Is(err, rondo.ErrIdle):
		err = fmt.Errorf("it sent nothing for %v, after %d bytes: --timeout says how long it may", f.timeout(), len(f.got))
	case err == io.EOF && len(f.got) == 0: //nolint:errorlint // documented to be bare
		err = errNoPoem
	case err == io.EOF: //nolint:errorlint // likewise
		err = nil
	case err == nil:
		err = net.ErrClosed
	}
	f.proxy.ended(f, f.got, err)
}
