package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
)

// proxy is what all connections of a proxy share.
type proxy struct {
	options proxyOptions
	targets []*proxyTarget
	next    atomic.Uint32 // whose turn it is
	stats   proxyStats
	log     *sparseLog
}

// proxyTarget is one of those that take turns.
type proxyTarget struct {
	at     endpoint.Endpoint
	dialer *endpoint.Dialer
	down   atomic.Int64 // passed over until then, by Loop.Elapsed; 0: it is not known to be down
}

// passedOver is how long a target that could not be reached is passed over.
const passedOver = time.Second

// order is the targets in the order in which they are to be tried: that whose turn it is first, and those that are down last.
func (x *proxy) order(now time.Duration) []*proxyTarget {
	first := int(x.next.Add(1)-1) % len(x.targets)
	up := make([]*proxyTarget, 0, len(x.targets))
	var down []*proxyTarget
	for i := range x.targets {
		if t := x.targets[(first+i)%len(x.targets)]; time.Duration(t.down.Load()) > now {
			down = append(down, t)
		} else {
			up = append(up, t)
		}
	}
	return append(up, down...)
}

// proxyClient is a client's protocol until its target is there. Its bytes are left with the kernel.
type proxyClient struct {
	proxy  *proxy
	conn   *rondo.Conn
	left   []*proxyTarget // to be tried
	cancel context.CancelFunc
}

func (c *proxyClient) ConnectionMade(conn *rondo.Conn) {
	conn.PauseReading()
	c.conn = conn
	x := c.proxy
	if rate := x.options.rate; rate > 0 {
		conn.SetReadRate(rate, 0)
		conn.SetWriteRate(rate, 0)
	}
	x.stats.connections.Add(1)
	x.stats.open.Add(1)
	conn.OnLost(func(error) { x.stats.open.Add(-1) })
	c.left = x.order(conn.Loop().Elapsed())
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	c.connect(ctx)
}

// connect tries the next target, and those after it if that fails.
func (c *proxyClient) connect(ctx context.Context) {
	x, l := c.proxy, c.conn.Loop()
	t := c.left[0]
	c.left = c.left[1:]
	x.dial(ctx, c.conn, t).OnDone(func(to *rondo.Conn, err error) {
		switch {
		case err == nil:
			t.down.Store(0)
			c.cancel()
			c.join(to)
			return
		case ctx.Err() != nil || errors.Is(err, rondo.ErrEngineClosed): // the client has gone, or all ends
			c.conn.Abort()
			return
		}
		t.down.Store(int64(l.Elapsed() + passedOver))
		x.log.say(l, fmt.Sprintf("Target %s cannot be reached: %v.", bare(t.at), oneLine(err.Error())))
		if len(c.left) > 0 {
			c.connect(ctx)
			return
		}
		c.cancel()
		x.stats.refused.Add(1)
		c.conn.Abort()
	})
}

// join has the two talk to each other.
func (c *proxyClient) join(to *rondo.Conn) {
	stats := &c.proxy.stats
	err := rondo.Pipe(c.conn, to, func(r rondo.Piped) {
		stats.fromClients.Add(r.FromA)
		stats.toClients.Add(r.FromB)
		if r.Err != nil {
			stats.errors.Add(1)
		}
	})
	if err != nil { // the client has gone meanwhile
		to.Abort()
		c.conn.Abort()
	}
}

// DataReceived takes nothing.
func (*proxyClient) DataReceived(*rondo.Conn, []byte) int { return 0 }

func (c *proxyClient) ConnectionLost(*rondo.Conn, error) { c.cancel() }

// targetSide is a target's protocol until it is joined to the client, which is in the same turn of the loop or soon after.
type targetSide struct{ idle time.Duration }

func (s targetSide) ConnectionMade(c *rondo.Conn) {
	c.PauseReading()
	c.SetIdleTimeout(s.idle)
}

func (targetSide) DataReceived(*rondo.Conn, []byte) int  { return 0 }
func (targetSide) ConnectionLost(_ *rondo.Conn, _ error) {}

// proxyStats are counted by all loops.
type proxyStats struct {
	connections, open      atomic.Int64 // of clients
	fromClients, toClients atomic.Int64 // bytes, of those that have ended
	refused                atomic.Int64 // no target could be reached
	errors                 atomic.Int64 // a connection was lost in the middle
}

// report is one line.
func (s *proxyStats) report(asJSON bool) string {
	if asJSON {
		line, _ := json.Marshal(struct { // it has nothing that could fail
			Connections int64 `json:"connections"`
			Open        int64 `json:"open"`
			FromClients int64 `json:"bytes_from_clients"`
			ToClients   int64 `json:"bytes_to_clients"`
			Refused     int64 `json:"refused"`
			Errors      int64 `json:"errors"`
		}{s.connections.Load(), s.open.Load(), s.fromClients.Load(), s.toClients.Load(), s.refused.Load(), s.errors.Load()})
		return string(line)
	}
	return fmt.Sprintf("%s, %d open; %s from clients, %d to them; %d refused, %d lost in the middle.", count(int(s.connections.Load()), "connection"),
		s.open.Load(), count(int(s.fromClients.Load()), "byte"), s.toClients.Load(), s.refused.Load(), s.errors.Load())
}

// sparseLog writes a line a second at the most, and then how many it has left out.
type sparseLog struct {
	out *journal

	mu      sync.Mutex
	next    time.Duration // when the next line may be written, by Loop.Elapsed
	omitted int
}

func newSparseLog(w io.Writer) *sparseLog { return &sparseLog{out: newJournal(w)} }

func (s *sparseLog) say(l *rondo.Loop, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := l.Elapsed()
	if now < s.next {
		s.omitted++
		return
	}
	s.next = now + time.Second
	if s.omitted > 0 {
		line += fmt.Sprintf(" (%s like it left out.)", count(s.omitted, "line"))
		s.omitted = 0
	}
	_, _ = s.out.Write([]byte(line + "\n")) // a journal never fails
}
