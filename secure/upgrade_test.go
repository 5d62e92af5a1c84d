package secure_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// prefixed sends something in front of the first bytes, in one piece with them.
type prefixed struct {
	net.Conn
	prefix string
}

func (c *prefixed) Write(p []byte) (int, error) {
	prefix := c.prefix
	c.prefix = ""
	n, err := c.Conn.Write(append([]byte(prefix), p...))
	return n - len(prefix), err
}

// A client that does not wait for the answer to its STARTTLS has sent its hello in the same piece.
func TestUpgradeInOnePiece(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &starting{secure.Config{TLS: server}, func() rondo.Protocol { return echoing{} }}
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	for _, line := range []string{"220 ready\r\n"} {
		if _, err := io.ReadFull(raw, make([]byte, len(line))); err != nil {
			t.Fatal(err)
		}
	}
	c := tls.Client(&answered{prefixed{raw, "STARTTLS\r\n"}, len("220 go ahead\r\n")}, client)
	talk(t, c)
}

// answered passes over so many bytes of what comes first.
type answered struct {
	prefixed
	skip int
}

func (c *answered) Read(p []byte) (int, error) {
	if c.skip > 0 {
		if _, err := io.ReadFull(c.Conn, make([]byte, c.skip)); err != nil {
			return 0, err
		}
		c.skip = 0
	}
	return c.prefixed.Read(p)
}

// What is written and ended during the handshake arrives behind it, and so does the end.
func TestCloseWriteDuringHandshake(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := make(chan string, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			got <- err.Error()
			return
		}
		defer c.Close()
		p, err := io.ReadAll(c)
		if err != nil {
			p = []byte(err.Error())
		}
		got <- string(p)
	}()
	e := engine(t)
	c := rig.Result(t, e.Dial(t.Context(), "tcp", ln.Addr().String(), &netProtocol{}))
	c.Handle().Do(func(c *rondo.Conn) {
		secure.Config{TLS: client}.UpgradeClient(c, echoing{}).Ignore()
		if n, err := c.Write([]byte("hello")); n != 5 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		_ = c.CloseWrite()
	})
	if s := rig.Await(t, got); s != "hello" {
		t.Errorf("the peer got %q", s)
	}
}

// replacing gives way to another protocol when its peer has ended its direction.
type replacing struct{ next rondo.Protocol }

func (*replacing) ConnectionMade(*rondo.Conn)               {}
func (*replacing) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (p *replacing) EOFReceived(c *rondo.Conn)              { c.SetProtocol(p.next) }
func (*replacing) ConnectionLost(*rondo.Conn, error)        {}

// An end in good order is one for the next protocol too.
func TestSetProtocolAfterEnd(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	l := &lost{reason: make(chan error, 1)}
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return &replacing{l} }))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := rig.Await(t, l.reason); err != io.EOF { //nolint:errorlint // documented to be bare
		t.Errorf("the reason is %v", err)
	}
}

// A callback of the configuration that hangs holds nobody's turn for longer than its handshake may take.
func TestHangingCallback(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	release := make(chan struct{})
	defer close(release)
	hanging := server.Clone()
	hanging.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if h.ServerName == "hangs.test" {
			<-release
		}
		return server, nil
	}
	e := engine(t)
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: hanging, HandshakeTimeout: 200 * time.Millisecond}.Server(func() rondo.Protocol { return echoing{} }))
	if err != nil {
		t.Fatal(err)
	}
	const hang = 5 // more than there are turns
	for range hang {
		cfg := client.Clone()
		cfg.ServerName = "hangs.test"
		raw, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		go func() { _ = tls.Client(raw, cfg).Handshake() }()
	}
	for range hang {
		e.Log.Await(t, "a handshake failed")
	}
	c, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	talk(t, c)
}

// lingering answers and closes in the way that waits for the peer.
type lingering struct{ reason chan error }

func (l lingering) ConnectionMade(c *rondo.Conn) {
	_, _ = c.Write([]byte("answer"))
	_ = c.CloseLingering(0, 0)
}
func (lingering) DataReceived(_ *rondo.Conn, p []byte) int     { return len(p) }
func (l lingering) ConnectionLost(_ *rondo.Conn, reason error) { l.reason <- reason }

// A peer that has read the answer and leaves without close_notify has taken nothing away.
func TestCloseLingeringOverTLS(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	l := lingering{make(chan error, 1)}
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return l }))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := io.ReadAll(c); string(p) != "answer" || err != nil {
		t.Errorf("%q, %v", p, err)
	}
	_ = c.NetConn().Close()
	if err := rig.Await(t, l.reason); err != nil {
		t.Errorf("the reason is %v", err)
	}
}

// What a peer has sent that ends without close_notify is passed on by a pipe, whole, and then an end.
func TestPipeOfTruncated(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	target, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	const size = 4 << 20
	go func() {
		c, err := target.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write(make([]byte, size))
		_ = c.(*tls.Conn).NetConn().Close()
	}()
	e := engine(t)
	piped := make(chan rondo.Piped, 1)
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return &relaying{secure.Config{TLS: client}, target.Addr().String(), piped} })
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := io.Copy(io.Discard, c); n != size || err != nil {
		t.Errorf("%d bytes of %d, %v", n, size, err)
	}
	_ = c.Close()
	if r := rig.Await(t, piped); !errors.Is(r.Err, secure.ErrNoCloseNotify) || r.FromB != size {
		t.Errorf("it ended with %+v", r)
	}
}

// relaying joins its connection to a secure one.
type relaying struct {
	cfg    secure.Config
	target string
	piped  chan rondo.Piped
}

func (p *relaying) ConnectionMade(c *rondo.Conn) {
	c.PauseReading()
	p.cfg.DialWith(background, c.Loop().Engine(), rondo.Dialer{Loop: c.Loop()}, "tcp", p.target, &pausing{}).OnDone(func(to *rondo.Conn, err error) {
		if err == nil {
			_, err = rondo.Pipe(c, to, func(r rondo.Piped) { p.piped <- r })
		}
		if err != nil {
			c.Abort()
		}
	})
}
func (*relaying) DataReceived(*rondo.Conn, []byte) int { return 0 }
func (*relaying) ConnectionLost(*rondo.Conn, error)    {}

// pausing waits to be joined.
type pausing struct{}

func (*pausing) ConnectionMade(c *rondo.Conn)          { c.PauseReading() }
func (*pausing) DataReceived(*rondo.Conn, []byte) int  { return 0 }
func (*pausing) ConnectionLost(_ *rondo.Conn, _ error) {}
