//go:build unix

package endpoint_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/knock"
	"github.com/rondo-go/rondo/poetry"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// shouting answers lines in capital letters.
type shouting struct{}

func (shouting) ConnectionMade(*framed.Conn)        {}
func (shouting) ConnectionLost(*framed.Conn, error) {}
func (shouting) FrameReceived(c *framed.Conn, line []byte) {
	_ = c.SendFrame([]byte(fmt.Sprintf("%s!", line)))
}

// netEchoing is an echo on a goroutine, over a net.Conn.
type netEchoing struct{}

func (netEchoing) ConnectionMade(c *rondo.Conn) {
	conn := rondo.NetConn(c)
	go func() {
		_, _ = io.Copy(conn, conn)
		_ = conn.Close()
	}()
}
func (netEchoing) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (netEchoing) ConnectionLost(*rondo.Conn, error)        {}

// protocols are all that there are in this repository, what a client says and what it hears until the server has closed.
func protocols() map[string]struct {
	accept    func() rondo.Protocol
	say, hear string
} {
	proxied := &poetry.Proxy{}
	proxied.Dial = func(ctx context.Context, l *rondo.Loop, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
		promise := rondo.NewPromise[*rondo.Conn](l)
		promise.Reject(net.ErrClosed)
		return promise.Future()
	}
	return map[string]struct {
		accept    func() rondo.Protocol
		say, hear string
	}{
		"echo":    {inetd.Echo, "hello", "hello"},
		"discard": {inetd.Discard, "hello", ""},
		"daytime": {inetd.Daytime, "", "*"},
		"time":    {inetd.Time, "", "*"},
		"knock":   {knock.Server(nil, nil), "Knock knock\r\n", "Who's there?\r\n"},
		"frames":  {framed.Handle(frame.Lines(100), func() framed.Handler { return shouting{} }), "one\ntwo\n", "one!\ntwo!\n"},
		"task": {stream.Handle(func(t *task.Task, s *stream.Stream) error {
			_, err := stream.Copy(t, s, s)
			return err
		}), "hello", "hello"},
		"net.Conn":  {func() rondo.Protocol { return netEchoing{} }, "hello", "hello"},
		"transform": {poetry.TransformServer(nil), "9:shout.one,", "3:ONE,"},
	}
}

// Every protocol runs over plain, TLS and Unix sockets by changing one argument.
func TestEverywhere(t *testing.T) {
	for _, kind := range []string{"tcp:", "unix:", "tls:", "tls+unix:"} {
		for name, c := range protocols() {
			t.Run(kind+name, func(t *testing.T) {
				e := rig.New(t, rondo.Config{})
				place, listening, dialing := "127.0.0.1:0", "", ""
				if kind == "unix:" || kind == "tls+unix:" {
					place = filepath.Join(t.TempDir(), "s")
				}
				if kind[:2] == "tl" {
					listening, dialing = "?selfsigned", "?insecure"
				}
				s, err := endpoint.Listen(e.Engine, kind+place+listening, c.accept)
				if err != nil {
					t.Fatal(err)
				}
				p := &saying{text: c.say, heard: make(chan string, 1)}
				rig.Result(t, endpoint.Dial(t.Context(), e.Engine, kind+s.Addr().String()+dialing, p))
				if got := rig.Await(t, p.heard); got != c.hear && !(c.hear == "*" && got != "") {
					t.Errorf("it heard %q, not %q", got, c.hear)
				}
			})
		}
	}
}

// saying says something, ends its direction, and tells what it has heard in the end.
type saying struct {
	text  string
	got   []byte
	heard chan string
}

func (p *saying) ConnectionMade(c *rondo.Conn) {
	_, _ = c.Write([]byte(p.text))
	_ = c.CloseWrite()
}

func (p *saying) DataReceived(_ *rondo.Conn, data []byte) int {
	p.got = append(p.got, data...)
	return len(data)
}
func (p *saying) ConnectionLost(*rondo.Conn, error) { p.heard <- string(p.got) }

// In a simulation they are the same.
func TestSimulated(t *testing.T) {
	for _, kind := range []string{"tcp:", "unix:", "tls:", "tls+unix:"} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			server := w.Host("server")
			place, client, to := ":7000", w.Host("client"), "server:7000"
			if kind == "unix:" || kind == "tls+unix:" {
				place, client, to = "/s", server, "/s"
			}
			listening, dialing := "", ""
			if kind[:2] == "tl" {
				listening, dialing = "?selfsigned", "?insecure"
			}
			if _, err := endpoint.Listen(server.Engine(), kind+place+listening, inetd.Echo); err != nil {
				w.Fatalf("listening: %v", err)
			}
			p := &saying{text: "hello", heard: make(chan string, 1)}
			endpoint.Dial(t.Context(), client.Engine(), kind+to+dialing, p)
			w.Sleep(time.Second)
			if len(p.heard) == 0 || <-p.heard != "hello" {
				w.Errorf("%s: nothing came back", kind)
			}
		})
	}
}

// Options have their effect: certificates in files, those who may sign, a client's certificate, names, limits.
func TestOptions(t *testing.T) {
	dir := t.TempDir()
	cert, key := rig.CertificateFiles(t, dir)
	e := rig.New(t, rondo.Config{})
	s, err := endpoint.Listen(e.Engine, fmt.Sprintf("tls:127.0.0.1:0?cert=%s&key=%s&ca=%s&alpn=echo&idle=50ms", cert, key, cert), inetd.Echo)
	if err != nil {
		t.Fatal(err)
	}
	p := &saying{text: "hello", heard: make(chan string, 1)}
	at := fmt.Sprintf("tls:%s?ca=%s&cert=%s&key=%s&alpn=echo&name=localhost", s.Addr(), cert, cert, key)
	c := rig.Result(t, endpoint.Dial(t.Context(), e.Engine, at, p))
	_ = c
	if got := rig.Await(t, p.heard); got != "hello" {
		t.Errorf("it heard %q", got)
	}
	// Without a certificate of its own a client is not let in; with TLS 1.3 it learns so after its handshake.
	raw, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is not let in
	if err == nil {
		_, err = raw.Read(make([]byte, 1))
		_ = raw.Close()
	}
	if err == nil {
		t.Error("a client without a certificate was let in")
	}
	e.Log.Await(t, "a handshake failed")
	// Who does nothing is sent away.
	idle, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err = tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{idle}}) //nolint:gosec // likewise
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Read(make([]byte, 1)); err != io.EOF { //nolint:errorlint // bare
		t.Errorf("an idle client hears %v", err)
	}
	_ = raw.Close()
	_ = os.Remove(cert)
}
