package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/descriptors"
	"github.com/rondo-go/rondo/poetry"
)

// proxy is what all connections of a proxy share.
type proxy struct {
	options  proxyOptions
	engine   *rondo.Engine
	listener *endpoint.Listener
	targets  []*proxyTarget
	next     atomic.Uint32 // whose turn it is
	stats    proxyStats
	unsaid   error // why the first statistics that are lost could not be written
	log      *sparseLog
	room     int64 // clients for whom there are descriptors; 0: that does not limit them
}

// proxyTarget is one of those that take turns.
type proxyTarget struct {
	at     endpoint.Endpoint
	dialer *endpoint.Dialer
	down   atomic.Int64 // passed over until then, by Loop.Elapsed; 0: it is not known to be down
}

// checkInsecure refuses --insecure where there is nothing that it could be for.
func (x *proxy) checkInsecure() error {
	if !x.options.insecure {
		return nil
	}
	encrypted := false
	for _, t := range x.targets {
		encrypted = encrypted || t.at.TLS
		if t.at.CA != "" {
			return wrong("--insecure checks nothing and ca= in TARGET %s says what to check: give one of them.", bare(t.at))
		}
	}
	if !encrypted {
		return wrong("--insecure is for a TARGET that is encrypted, and there is none: write tls: before it, or leave the option out.")
	}
	return nil
}

// targetHint is poetry.TrustHint in the words of a target: which one to trust is its option, since targets may differ.
func targetHint(err error) string {
	if poetry.TrustHint(err) == "" {
		return ""
	}
	return ": name the file with the certificate to trust in the target, like tls:HOST:PORT?ca=FILE, or give --insecure to check nothing"
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
	waits  time.Duration // for descriptors, the last time; 0: it has not yet
	until  time.Duration // for which no longer than that, by Loop.Elapsed
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
	if n := x.stats.open.Add(1); n == x.room {
		x.log.say(conn.Loop(), "", fmt.Sprintf("There are %s, as many as there are descriptors for; others wait. See ulimit -n.", count(int(n), "client")))
	}
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
		err = descriptors.Blame(err)
		if lacksDescriptors(err) { // which is no fault of the target's
			c.waitForDescriptors(ctx, err)
			return
		}
		t.down.Store(int64(l.Elapsed() + passedOver))
		x.log.say(l, bare(t.at), fmt.Sprintf("Target %s cannot be reached: %v%s.", bare(t.at), oneLine(err.Error()), targetHint(err)))
		if c.left = c.left[1:]; len(c.left) > 0 {
			c.connect(ctx)
			return
		}
		c.refuse()
	})
}

// refuse ends a client for whom there is no target.
func (c *proxyClient) refuse() {
	c.cancel()
	c.proxy.stats.refused.Add(1)
	c.conn.Abort()
}

// A client that waits for descriptors tries again after so long, and then after longer.
const (
	firstWait   = 20 * time.Millisecond
	longestWait = time.Second
)

// waitForDescriptors tries the same target again when others may have ended, for as long as a target may take.
func (c *proxyClient) waitForDescriptors(ctx context.Context, err error) {
	x, l := c.proxy, c.conn.Loop()
	now := l.Elapsed()
	if c.waits == 0 {
		c.until = now + x.options.connect
	}
	c.waits = min(max(2*c.waits, firstWait), longestWait)
	if now+c.waits > c.until {
		x.log.say(l, "", fmt.Sprintf("A client was refused after %v without a descriptor for the way to its target: %s.", x.options.connect, withoutDescriptors(err)))
		c.refuse()
		return
	}
	x.log.say(l, "", fmt.Sprintf("Clients wait for descriptors for the way to their targets: %s.", withoutDescriptors(err)))
	l.After(c.waits, func() {
		if ctx.Err() == nil {
			c.connect(ctx)
		}
	})
}

// lacksDescriptors reports whether it failed for want of descriptors, or of those that the poller can watch.
func lacksDescriptors(err error) bool {
	_, limit := errors.AsType[*rondo.LimitError](err)
	return limit || descriptors.Hint(err) != ""
}

// withoutDescriptors says which are missing, and what to do about it.
func withoutDescriptors(err error) string {
	if limit, ok := errors.AsType[*rondo.LimitError](err); ok {
		return limit.Error()
	}
	return strings.TrimPrefix(descriptors.Hint(err), ": ")
}

// join has the two talk to each other.
func (c *proxyClient) join(to *rondo.Conn) {
	stats := &c.proxy.stats
	err := join(c.conn, to, &stats.fromClients, &stats.toClients, func(err error) {
		if err != nil {
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

// Drain implements rondo.Drainer: who was let in goes on to its target.
func (*proxyClient) Drain(*rondo.Conn) {}

// targetSide is a target's protocol until it is joined to the client, which is in the same turn of the loop or soon after.
type targetSide struct{ idle time.Duration }

func (s targetSide) ConnectionMade(c *rondo.Conn) {
	c.PauseReading()
	c.SetIdleTimeout(s.idle)
}

func (targetSide) DataReceived(*rondo.Conn, []byte) int  { return 0 }
func (targetSide) Drain(*rondo.Conn)                     {}
func (targetSide) ConnectionLost(_ *rondo.Conn, _ error) {}
