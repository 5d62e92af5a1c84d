package http1

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// Transport exchanges requests for responses, over connections that it keeps for the next ones: the http.Transport of net/http on loops. It is an http.RoundTripper, so that an http.Client works on it, and what a
// [Client] is made on. The zero Transport is ready but for Engine and Secure: what is named as in net/http means the same, but for the zero values.
//
// A connection belongs to a loop, and each loop has a pool of its own, for which the limits hold. RoundTrip exchanges all requests for one host on one of Engine's loops, so that they hold for the whole of it; who
// calls the methods of a Client that name a loop chooses.
//
// Any goroutine may use it, several at a time. It must not be copied, nor its fields changed, once it is in use.
type Transport struct {
	// Engine is whose loops RoundTrip uses. Fetching on a loop does not need it.
	Engine *rondo.Engine

	// Proxy is the proxy for a request, as http.ProxyFromEnvironment says it: an http or https URL, perhaps with a user and a password. A nil URL is none, and so is a nil function. It may be called on a loop.
	Proxy func(*http.Request) (*url.URL, error)

	// ProxyConnectHeader is sent to proxies with CONNECT.
	ProxyConnectHeader http.Header

	// Connect makes the connections, to host:port, in place of a rondo.Dialer over TCP: over Unix sockets, for example. It is called on l, to which the connection must belong.
	Connect func(ctx context.Context, l *rondo.Loop, address string, p rondo.Protocol) *rondo.Future[*rondo.Conn]

	// Secure makes a connection one of TLS that is a plain one, and agrees on HTTP/1.1: for https, of a proxy too. host is whom it must be for, without a port. Package httpd has a Transport with one. Nil refuses https.
	// It is called on c's loop.
	Secure func(c *rondo.Conn, host string, p rondo.Protocol) *rondo.Future[tls.ConnectionState]

	// DialTimeout bounds looking a name up and connecting, TLSHandshakeTimeout the handshake, and ResponseHeaderTimeout the time from when all of a request was written until the head of its answer has come. Zero
	// means 30 seconds, 10 seconds and no limit; less than zero no limit. CONNECT has the ResponseHeaderTimeout too, or one minute if there is none.
	DialTimeout, TLSHandshakeTimeout, ResponseHeaderTimeout time.Duration

	// ExpectContinueTimeout is how long the body of a request with "Expect: 100-continue" waits for the server to say that it wants it. Zero means 1 second, less than zero that it does not wait.
	ExpectContinueTimeout time.Duration

	// IdleConnTimeout is how long a connection is kept that nobody uses. Zero means 90 seconds, less than zero no limit.
	IdleConnTimeout time.Duration

	// MaxConnsPerHost is how many connections there are to one host at the most, those included that are being made; further requests wait in line. Zero means no limit.
	MaxConnsPerHost int

	// MaxIdleConns is how many connections are kept that nobody uses, and MaxIdleConnsPerHost how many of them to one host. Zero means 1,000, and as many as MaxIdleConns: not the two of net/http, since they cost some
	// hundred bytes here.
	MaxIdleConns, MaxIdleConnsPerHost int

	// MaxResponseHeaderBytes is how long the head of a response may be. Zero means 1 MiB, and not the ten of net/http. At most [MaxInformational] heads 1xx may come before the answer's.
	MaxResponseHeaderBytes int64

	// DisableKeepAlives has each connection used once.
	DisableKeepAlives bool

	// DisableCompression has gzip not be asked for. Otherwise it is when the request says nothing of the sort, and then undone, as in net/http: Response.Uncompressed says so.
	DisableCompression bool

	pools sync.Map // of *rondo.Loop: *pool
}

const (
	defaultDialTimeout      = 30 * time.Second
	defaultHandshakeTimeout = 10 * time.Second
	defaultConnectTimeout   = time.Minute
	defaultContinueTimeout  = time.Second
	defaultIdleConnTimeout  = 90 * time.Second
	defaultMaxIdleConns     = 1000

	// MaxInformational is how many responses 1xx a server may send before the answer, as in net/http: more are an attempt to keep the client busy.
	MaxInformational = 5
)

// pool is the transport's on that loop. Only there.
func (t *Transport) pool(l *rondo.Loop) *pool {
	if p, ok := t.pools.Load(l); ok {
		return p.(*pool) //nolint:errcheck // nothing else is in it
	}
	p := &pool{transport: t, loop: l, local: clients.On(l), hosts: map[hostKey]*host{}, head: new(wire.Response), limits: wire.Limits{Head: int(t.MaxResponseHeaderBytes)}}
	p.idle.next, p.idle.prev = &p.idle, &p.idle
	p.keep = limit(t.IdleConnTimeout, defaultIdleConnTimeout)
	p.maxIdle = t.MaxIdleConns
	if p.maxIdle <= 0 {
		p.maxIdle = defaultMaxIdleConns
	}
	p.maxIdlePerHost = t.MaxIdleConnsPerHost
	if p.maxIdlePerHost <= 0 {
		p.maxIdlePerHost = p.maxIdle
	}
	t.pools.Store(l, p)
	return p
}

// CloseIdleConnections closes the connections that nobody uses at the moment. Any goroutine may call it; it does not wait.
func (t *Transport) CloseIdleConnections() {
	t.pools.Range(func(_, v any) bool {
		p := v.(*pool) //nolint:errcheck // nothing else is in it
		p.loop.Post(p.closeIdle)
		return true
	})
}

// loopOf is the loop on which RoundTrip exchanges the requests for a host: always the same, since a connection can be used again only where it is.
func (t *Transport) loopOf(k hostKey) *rondo.Loop {
	loops := t.Engine.Loops()
	if len(loops) == 1 {
		return loops[0]
	}
	sum := uint32(2166136261) // FNV-1a
	for _, s := range [...]string{k.address, k.proxy} {
		for i := range len(s) {
			sum = (sum ^ uint32(s[i])) * 16777619
		}
	}
	return loops[sum%uint32(len(loops))] //nolint:gosec // some
}
