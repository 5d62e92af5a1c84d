package endpoint_test

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/rig"
)

var background = context.Background()

// inetdNothing is the rest of a protocol that hears nothing.
type inetdNothing struct{}

func (inetdNothing) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (inetdNothing) ConnectionLost(*rondo.Conn, error)        {}

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
