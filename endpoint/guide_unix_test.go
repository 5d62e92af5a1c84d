//go:build unix

package endpoint_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/proxyproto"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// What follows is shown in docs/guide/endpoints.md, as it is.

// serveEcho serves at whatever place it is told.
func serveEcho(e *rondo.Engine, at string) (*endpoint.Listener, error) {
	return endpoint.Listen(e, at, inetd.Echo)
}

// say sends a line there and returns the answer.
func say(ctx context.Context, e *rondo.Engine, at, line string) (string, error) {
	c, err := endpoint.DialNet(ctx, e, at)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return "", err
	}
	answer := make([]byte, len(line)+1)
	_, err = io.ReadFull(c, answer)
	return strings.TrimSpace(string(answer)), err
}

// ask is say as a task.
func ask(t *task.Task, to *endpoint.Dialer, line string) (string, error) {
	s, err := stream.DialBy(t, to.On(t.Loop()).Dial)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if _, err := s.Write(t, []byte(line+"\n")); err != nil {
		return "", err
	}
	answer, err := s.ReadLine(t, 1000)
	return strings.TrimSpace(string(answer)), err
}

// serveHTTP has net/http serve there.
func serveHTTP(e *rondo.Engine, at string, h http.Handler) error {
	ln, err := endpoint.ListenNet(e, at)
	if err != nil {
		return err
	}
	return http.Serve(ln, h)
}

// whoami tells each client who it is, though a proxy is between.
type whoami struct{}

func (whoami) ConnectionMade(c *rondo.Conn) {
	_, _ = fmt.Fprintf(c, "You are %v", c.RemoteAddr())
	if h := proxied.Header(c); h != nil {
		_, _ = fmt.Fprintf(c, ", and have connected to %v", h.Destination)
	}
	_ = c.Close()
}

// passOn connects to a server for the client, and tells it so.
func passOn(ctx context.Context, client *rondo.Conn, to *endpoint.Dialer, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	header := proxied.Of(client, 2)
	return to.Announce(func(*rondo.Conn) proxyproto.Header { return header }).Dial(ctx, p)
}

// So far the guide.

func (whoami) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (whoami) ConnectionLost(*rondo.Conn, error)        {}

func TestGuideShowsThis(t *testing.T) {
	guide, err := os.ReadFile("../docs/guide/endpoints.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("guide_unix_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 5 {
		t.Errorf("it shows %d pieces of code", len(blocks))
	}
	for _, b := range blocks {
		if !strings.Contains(string(code), b[1]) {
			t.Errorf("it shows what is not in this file:\n%s", b[1])
		}
	}
}

// The guide's server and client talk over each place that it names.
func TestGuideEcho(t *testing.T) {
	all := places(t)
	if runtime.GOOS == "linux" {
		all["abstract"] = [2]string{fmt.Sprintf("unix:@rondo-test-%d", os.Getpid()), ""}
	}
	for name, x := range all {
		t.Run(name, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			ln, err := serveEcho(e.Engine, x[0])
			if err != nil {
				t.Fatal(err)
			}
			at := clientOf(t, x[0], ln.Addr(), x[1])
			if got, err := say(t.Context(), e.Engine, at, "hello"); got != "hello" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			to, err := endpoint.NewDialer(e.Engine, at)
			if err != nil {
				t.Fatal(err)
			}
			if got := rig.Result(t, task.Go(e.Loop(), func(t *task.Task) (string, error) { return ask(t, to, "hello") })); got != "hello" {
				t.Errorf("a task: %q", got)
			}
			_ = ln.Close()
		})
	}
}

// Curl sends a PROXY header of its own in front of TLS, and net/http sees what it says.
func TestGuideHTTPBehindProxy(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not there")
	}
	e := rig.New(t, rondo.Config{})
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	served := make(chan error, 1)
	go func() {
		served <- serveHTTP(e.Engine, "tls:"+addr+"?selfsigned&proxy=v1&trust=127.0.0.1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.RemoteAddr)
		}))
	}()
	out, err := exec.Command("curl", "-sk", "--http1.1", "--max-time", "20", "--retry", "20", "--retry-connrefused", "--retry-delay", "1",
		"--haproxy-protocol", "https://"+addr+"/").CombinedOutput()
	if !strings.HasPrefix(string(out), "127.0.0.1:") || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	rig.Await(t, served)
}

// A proxy that says whom it passes on is heard, over TLS and without it, and what proxy= would have said is not sent as well.
func TestGuideProxy(t *testing.T) {
	for _, options := range [][2]string{{"tcp:", ""}, {"tls:", "insecure"}, {"tcp:", "proxy=v1"}} {
		e := rig.New(t, rondo.Config{})
		server := options[0] + "127.0.0.1:0?proxy=v2&trust=any"
		if options[0] == "tls:" {
			server += "&selfsigned"
		}
		back, err := endpoint.Listen(e.Engine, server, func() rondo.Protocol { return whoami{} })
		if err != nil {
			t.Fatal(err)
		}
		to, err := endpoint.NewDialer(e.Engine, strings.TrimSuffix(options[0]+back.Addr().String()+"?"+options[1], "?"))
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan string, 1)
		front, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
			return &accepted{func(c *rondo.Conn) { passOn(background, c, to, &saying{heard: heard}).Ignore() }}
		})
		if err != nil {
			t.Fatal(err)
		}
		c := rig.Dial(t, front.Addr().String())
		if got, want := rig.Await(t, heard), fmt.Sprintf("You are %v, and have connected to %v", c.LocalAddr(), front.Addr()); got != want {
			t.Errorf("%v: it heard %q, not %q", options, got, want)
		}
	}
}

// accepted is a protocol that is its ConnectionMade.
type accepted struct{ made func(*rondo.Conn) }

func (p *accepted) ConnectionMade(c *rondo.Conn)              { p.made(c) }
func (*accepted) DataReceived(_ *rondo.Conn, data []byte) int { return len(data) }
func (*accepted) ConnectionLost(*rondo.Conn, error)           {}
