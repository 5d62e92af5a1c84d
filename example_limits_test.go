package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
)

func serveWithLimits(engine *rondo.Engine, address string) (*rondo.Listener, error) {
	return rondo.ListenConfig{
		MaxConns:        10_000,
		MaxConnsPerAddr: 50,
		AcceptLimiter:   rondo.NewLimiter(500, 1000), // connections a second
		IdleTimeout:     time.Minute,
		Lifetime:        time.Hour,
		ReadRate:        1 << 20,                          // bytes a second, each
		WriteLimiter:    rondo.NewLimiter(100<<20, 1<<20), // all together
	}.Listen(engine, "tcp", address, func() rondo.Protocol { return &prompt{} })
}

type prompt struct{ asked bool }

func (p *prompt) ConnectionMade(*rondo.Conn)        {}
func (p *prompt) ConnectionLost(*rondo.Conn, error) {}

func (p *prompt) DataReceived(c *rondo.Conn, line []byte) int {
	p.asked = false
	_, _ = c.Write(line)
	return len(line)
}

func (p *prompt) Idle(c *rondo.Conn) {
	if p.asked {
		_, _ = io.WriteString(c, "goodbye\n")
		_ = c.Close()
		return
	}
	p.asked = true
	_, _ = io.WriteString(c, "still there?\n")
}

func tooLarge(c *rondo.Conn) {
	_, _ = io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	_ = c.CloseLingering(0, 0)
}

func keepConnected(ctx context.Context, engine *rondo.Engine, address string) *rondo.Reconnector {
	return rondo.ReconnectConfig{
		Dial: func(ctx context.Context) *rondo.Future[*rondo.Conn] {
			return engine.Dial(ctx, "tcp", address, &prompt{})
		},
		Backoff:   rondo.Backoff{Initial: 500 * time.Millisecond, Max: 30 * time.Second},
		Permanent: func(err error) bool { return errors.Is(err, syscall.EACCES) },
	}.Start(ctx, engine)
}

// A server with limits, and a client that keeps its connection to it.
func ExampleReconnectConfig() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	ln, err := serveWithLimits(engine, "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}

	r := keepConnected(context.Background(), engine, ln.Addr().String())
	h, err := r.WhenConnected().Wait(context.Background())
	fmt.Println(h.Alive(), err)

	r.Stop()
	reason, _ := r.WhenStopped().Wait(context.Background())
	fmt.Println(reason)
	fmt.Println(ln.Stats().Accepted)
	// Output:
	// true <nil>
	// rondo: reconnector stopped
	// 1
}

// The guide's answer to a request that is too large arrives although the request was not read.
func TestTooLarge(t *testing.T) {
	e := newTestEngine(t, rondo.Config{ReadBuffer: 1000})
	addr := e.serve(func() rondo.Protocol {
		r := newRecorder(t)
		r.onData = func(c *rondo.Conn, p []byte) int { tooLarge(c); return len(p) }
		return r
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 413 ") {
		t.Errorf("%q, %v", got, err)
	}
}

// The guide shows code of this file, as it is.
func TestLimitsGuide(t *testing.T) {
	guide, err := os.ReadFile("docs/guide/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("example_limits_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 4 {
		t.Errorf("it shows %d pieces of code", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(string(code), b[1]) {
			t.Errorf("it shows what is not in this file:\n%s", b[1])
		}
	}
}
