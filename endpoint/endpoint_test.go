package endpoint_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/knock"
)

func TestMain(m *testing.M) {
	if at := os.Getenv("ENDPOINT_OF_CHILD"); at != "" {
		if err := serveAt(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// serveAt is the child process of tests: it tells knock-knock jokes there until the server closes, or its last client has left.
func serveAt(at string) error {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	over := make(chan struct{})
	s, err := endpoint.Listen(e, at, knock.Server(nil, func(net.Addr, error) {
		if at != "stdio:" {
			close(over)
		}
	}))
	if err != nil {
		return err
	}
	if at == "stdio:" {
		s.OnClose(func() { close(over) })
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if _, there := os.LookupEnv(name); there {
			return fmt.Errorf("%s is still there", name)
		}
	}
	<-over
	return nil
}

func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		":7000":                                "tcp::7000",
		"localhost:http":                       "tcp:localhost:http",
		"tcp:127.0.0.1:7000":                   "tcp:127.0.0.1:7000",
		"tcp6:[::1]:7000":                      "tcp6:[::1]:7000",
		"[::1]:7000":                           "tcp:[::1]:7000",
		"tcp4::7000?backlog=10&reuseport":      "tcp4::7000?backlog=10&reuseport",
		"/tmp/s":                               "unix:/tmp/s",
		"./s":                                  "unix:./s",
		"@name":                                "unix:@name",
		"unix:s":                               "unix:s",
		"unix:/a%3Fb%25c":                      "unix:/a%3Fb%25c",
		"tls:localhost:443":                    "tls:tcp:localhost:443",
		"tls:unix:/tmp/s?name=x":               "tls:unix:/tmp/s?name=x",
		"tls::443?cert=a b&key=k&alpn=h2,http": "tls:tcp::443?alpn=h2%2Chttp&cert=a+b&key=k",
		"tls::443?cert=a%26b&key=k":            "tls:tcp::443?cert=a%26b&key=k",
		"systemd:":                             "systemd:",
		"systemd:web":                          "systemd:web",
		"tls:systemd:0?selfsigned":             "tls:systemd:0?selfsigned",
		"stdio:":                               "stdio:",
		"example.com:80?timeout=5s&delay=1s":   "tcp:example.com:80?delay=1s&timeout=5s",
	} {
		e, err := endpoint.Parse(s)
		if err != nil || e.String() != want {
			t.Errorf("%q is %q, %v", s, e.String(), err)
		}
	}
	for s, why := range map[string]string{
		"":                                "host:port",
		"localhost":                       "host:port",
		"tcp:localhost":                   "host:port",
		"::1:7000":                        "host:port",
		":70000":                          "0 to 65535",
		":":                               "0 to 65535",
		"unix:":                           "needs a path",
		"unix:/a%":                        "%25",
		"stdio:x":                         "no address",
		"tls:tls::443":                    "twice",
		"tls:":                            "host:port",
		":80?":                            "no options behind",
		":80?backlog":                     "whole number",
		":80?backlog=0":                   "1 or more",
		":80?backlog=1&backlog=2":         "twice",
		":80?idle=5":                      "duration",
		":80?idle=-5s":                    "duration",
		":80?colour=red":                  `no option "colour"`,
		":80?%":                           "name=value",
		":80?reuseport=1":                 "has no value",
		"/tmp/s?reuseport":                "TCP only",
		":80?cert=a&key=b":                "for tls: only",
		"tls::80?cert=a":                  "go together",
		"tls::80?cert=":                   "a value",
		"tls::80?cert=a&key=b&selfsigned": "in files or self-signed",
		"tls::80?ca=a&insecure":           "give one of them",
	} {
		e, err := endpoint.Parse(s)
		if syntax, ok := errors.AsType[*endpoint.SyntaxError](err); !ok || !strings.Contains(err.Error(), why) || syntax.Endpoint != s {
			t.Errorf("%q is %v, %v; it was to be refused for %q", s, e, err, why)
		}
	}
}

// What an endpoint prints is read as the same endpoint.
func FuzzParse(f *testing.F) {
	for _, s := range []string{":7000", "tls:unix:/a%3Fb?name=x&alpn=h2", "systemd:web", "stdio:", "@x", "tls::1?cert=%26&key=+", "tcp6:[::1%25eth0]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := endpoint.Parse(s)
		if err != nil {
			return
		}
		again, err := endpoint.Parse(e.String())
		if err != nil || again.String() != e.String() || again.Kind != e.Kind || again.Address != e.Address || again.TLS != e.TLS {
			t.Errorf("%q prints as %q, which is %q, %v", s, e, again, err)
		}
	})
}

// Options are for one purpose, and a server of TLS wants a certificate.
func TestPurpose(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	for s, why := range map[string]string{
		":0?timeout=1s":               "for connecting",
		"tls::0":                      "needs a certificate",
		"tls::0?cert=a.pem&key=b.pem": "a.pem",
		"tls::0?selfsigned&ca=ca.pem": "ca.pem",
		"systemd:":                    "no socket was passed",
		"x":                           "host:port",
	} {
		if _, err := endpoint.Listen(e.Engine, s, inetd.Echo); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("listening at %q: %v; it was to be refused for %q", s, err, why)
		}
	}
	for s, why := range map[string]string{
		"localhost:1?maxconns=1": "for listening",
		"systemd:":               "for listening",
		"stdio:":                 "for listening",
		"tls:unix:/tmp/s":        "server's name",
		"tls:x:1?ca=ca.pem":      "ca.pem",
		"localhost:1?from=x":     "an address of this machine",
		"x":                      "host:port",
	} {
		if _, err := endpoint.Dial(t.Context(), e.Engine, s, inetd.Discard()).Wait(t.Context()); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("connecting to %q: %v; it was to be refused for %q", s, err, why)
		}
	}
}
