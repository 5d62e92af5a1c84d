package endpoint_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

var background = context.Background()

// lineEcho is an echo of whole lines.
type lineEcho struct{}

func (lineEcho) ConnectionMade(*framed.Conn)               {}
func (lineEcho) FrameReceived(c *framed.Conn, line []byte) { _ = c.SendFrame(line) }
func (lineEcho) ConnectionLost(_ *framed.Conn, _ error)    {}
func taskEcho(t *task.Task, s *stream.Stream) error        { _, err := stream.Copy(t, s, s); return err }
func netEcho(c net.Conn)                                   { _, _ = io.Copy(c, c); _ = c.Close() }
func framedEcho() rondo.Protocol                           { return framed.New(frame.Lines(1<<17), lineEcho{}) }

// asNet gives its connection to a goroutine.
type asNet struct{ inetdNothing }

type inetdNothing struct{}

func (inetdNothing) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (inetdNothing) ConnectionLost(*rondo.Conn, error)        {}
func (asNet) ConnectionMade(c *rondo.Conn)                    { go netEcho(rondo.NetConn(c)) }

// echoes are servers that send back what they get, each in another style.
var echoes = map[string]func() rondo.Protocol{
	"protocol": inetd.Echo,
	"framed":   framedEcho,
	"task":     stream.Handle(taskEcho),
	"NetConn":  func() rondo.Protocol { return asNet{} },
}

// places are endpoints of a server, and what a client of it is to be told besides the address.
func places(t *testing.T) map[string][2]string {
	dir := t.TempDir()
	return map[string][2]string{
		"tcp":      {"tcp:127.0.0.1:0", ""},
		"tcp4":     {"tcp4:127.0.0.1:0", ""},
		"unix":     {"unix:" + filepath.Join(dir, "plain"), ""},
		"tls":      {"tls:127.0.0.1:0?selfsigned", "?insecure"},
		"tls+unix": {"tls+unix:" + filepath.Join(dir, "secure") + "?selfsigned", "?insecure"},
	}
}

// clientOf is the endpoint of a client of what listens at addr.
func clientOf(t *testing.T, server string, addr net.Addr, options string) string {
	t.Helper()
	x, err := endpoint.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	return endpoint.Endpoint{Network: x.Network, TLS: x.TLS, Address: addr.String()}.String() + options
}

// Any protocol runs over anything: by the one string.
func TestEveryProtocolEverywhere(t *testing.T) {
	for place, x := range places(t) {
		for name, accept := range echoes {
			t.Run(place+"/"+name, func(t *testing.T) {
				e := rig.New(t, rondo.Config{})
				ln, err := endpoint.Listen(e.Engine, x[0], accept)
				if err != nil {
					t.Fatal(err)
				}
				converse(t, e, clientOf(t, x[0], ln.Addr(), x[1]))
				closed := make(chan struct{})
				ln.OnClose(func() { close(closed) })
				_ = ln.Close()
				rig.Await(t, closed)
			})
		}
		t.Run(place+"/net.Listener", func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			ln, err := endpoint.ListenNet(e.Engine, x[0])
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				c, err := ln.Accept()
				if err == nil {
					netEcho(c)
				}
			}()
			converse(t, e, clientOf(t, x[0], ln.Addr(), x[1]))
			rig.Await(t, done)
			_ = ln.Close()
		})
	}
}

// converse sends lines and reads them back, as a net.Conn and as a task.
func converse(t *testing.T, e *rig.Engine, at string) {
	t.Helper()
	line := strings.Repeat("x", 100_000) + "\n"
	c, err := endpoint.DialNet(background, e.Engine, at)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(c, line+"and more\n")
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != line+"and more\n" {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	_ = c.Close()
}

// A task is a client of any endpoint likewise, and so is a plain protocol.
func TestDial(t *testing.T) {
	for place, x := range places(t) {
		t.Run(place, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			ln, err := endpoint.Listen(e.Engine, x[0], inetd.Echo)
			if err != nil {
				t.Fatal(err)
			}
			at := clientOf(t, x[0], ln.Addr(), x[1])
			got := rig.Result(t, task.Go(e.Loop(), func(t *task.Task) (string, error) {
				s := stream.New()
				if _, err := task.Await(t, endpoint.Dial(t, e.Engine, at, s)); err != nil {
					return "", err
				}
				defer s.Close()
				if _, err := s.Write(t, []byte("hello\n")); err != nil {
					return "", err
				}
				p, err := s.ReadLine(t, 100)
				return string(bytes.TrimSpace(p)), err
			}))
			if got != "hello" {
				t.Errorf("got %q", got)
			}
		})
	}
}
