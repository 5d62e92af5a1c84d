package endpoint_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
)

// What is written, and how it is printed; "" if that is the same.
var good = []struct{ in, out string }{
	{"tcp:127.0.0.1:80", ""},
	{":80", "tcp::80"},
	{"localhost:http", "tcp:localhost:http"},
	{"[::1]:80", "tcp:[::1]:80"},
	{"tcp6:[fe80::1%eth0]:80", ""},
	{"tcp:[1.2.3.4]:80", "tcp:1.2.3.4:80"},
	{"/run/x.sock", "unix:/run/x.sock"},
	{"@name", "unix:@name"},
	{"unix:/a%3Fb%25c", ""},
	{"unix:/a?", "unix:/a"},
	{"unix:relative", ""},
	{"unix:/with spaces/and:colons", ""},
	{"tls:h:443", ""},
	{"tls+tcp:h:443", "tls:h:443"},
	{"tls+tcp6:h:443", ""},
	{"tls:unix:443", ""}, // a host of that name
	{"tls+unix:@x?name=h", ""},
	{"systemd:", ""},
	{"systemd:web.socket", ""},
	{"tls+systemd:0?selfsigned", ""},
	{"stdio:", ""},
	{"tcp::80?reuseport&backlog=5&maxconns=7", "tcp::80?backlog=5&reuseport&maxconns=7"},
	{"tcp:h:80?timeout=1500ms", "tcp:h:80?timeout=1.5s"},
	{"tls:h:80?cert=/c%26d&key=k=k&ca=a%25?&alpn=h2,a%2Cb&name=n", "tls:h:80?name=n&cert=/c%26d&key=k=k&ca=a%25?&alpn=h2,a%2Cb"},
	{"tls:h:80?insecure&name=n", "tls:h:80?name=n&insecure"},
	{"tcp::80?proxy=any&trust=10.1.2.3/8,::1,unix", "tcp::80?trust=10.0.0.0/8,::1/128,unix&proxy=any"},
	{"tcp::80?proxy=v1&trust=any", "tcp::80?trust=0.0.0.0/0,::/0,unix&proxy=v1"},
}

// Parse and String are each other's inverse.
func TestParse(t *testing.T) {
	for _, test := range good {
		x, err := endpoint.Parse(test.in)
		if err != nil {
			t.Errorf("%q: %v", test.in, err)
			continue
		}
		want := test.out
		if want == "" {
			want = test.in
		}
		if got := x.String(); got != want {
			t.Errorf("%q is printed as %q, want %q", test.in, got, want)
		}
		if again, err := endpoint.Parse(want); err != nil || !reflect.DeepEqual(again, x) {
			t.Errorf("%q: parsed again: %+v, %v; want %+v", test.in, again, err, x)
		}
	}
}

// What is wrong, and a word of what is said of it.
var bad = []struct{ in, says string }{
	{"", "begins with none"},
	{"nothing", "begins with none"},
	{"tls+:80", "begins with none"},
	{"tls+tls:h:80", "begins with none"},
	{"tcp:80", "not host:port"},
	{"udp:h:80", "not host:port"},
	{"tcp:h", "not host:port"},
	{"tcp:::1:80", "not host:port"},
	{"tcp:h:", "no port"},
	{"tcp:h:65536", "no port"},
	{"tls:unix:/x", "TLS over a Unix socket is written tls+unix:/x"},
	{"tls:unix:x?selfsigned", "tls+unix:x"},
	{"tls:stdio:", "TLS over stdio is written tls+stdio:"},
	{"tls:tcp6:h:1", "TLS over tcp6 is written tls+tcp6:h:1"},
	{"tls:tcp:h:1", "TLS over tcp is written tls:h:1"},
	{"tcp:h:-1", "no port"},
	{"tcp:a b:1", "no host"},
	{"tcp:h/x:1", "no host"},
	{"unix:", "needs a path"},
	{"unix:@", "needs a path"},
	{"unix:/a%", "two hexadecimal"},
	{"unix:/a%0", "two hexadecimal"},
	{"unix:/a%+1", "two hexadecimal"},
	{"unix:/a%00", "zero byte"},
	{"systemd:a:b", "no colon"},
	{"tls:h:1?insecure&ca=x", "checks nothing"},
	{"stdio:x", "no address"},
	{"stdio:?maxconns=1", "one connection"},
	{"stdio:?peraddr=1", "one connection"},
	{"stdio:?backlog=1", "backlog is for sockets"},
	{"stdio:?reuseport", "reuseport is for addresses of TCP"},
	{"tcp:h:1?color=red", "no option"},
	{"tcp:h:1?&", "no option"},
	{"tcp:h:1?backlog=1&backlog=2", "twice"},
	{"tcp:h:1?backlog", "number above 0"},
	{"tcp:h:1?backlog=0", "number above 0"},
	{"tcp:h:1?maxconns=99999999999", "number above 0"},
	{"tcp:h:1?reuseport=yes", "without a value"},
	{"tcp:h:1?timeout=0s", "a time above 0"},
	{"tcp:h:1?timeout=5", "a time above 0"},
	{"tcp:h:1?cert=c", "one of TLS"},
	{"unix:/x?insecure", "tls+unix:"},
	{"tls:h:1?cert=", "a name"},
	{"tls:h:1?key=k", "cert= is missing"},
	{"tls:h:1?cert=c&selfsigned", "leave one"},
	{"tls:h:1?alpn=a,,b", "names of protocols"},
	{"tcp:h:1?proxy=v3&trust=any", "v1, v2 or any"},
	{"tcp:h:1?trust=any", "proxy= is missing"},
	{"tcp:h:1?proxy=v1&trust=localhost", "networks"},
	{"tcp:h:1?proxy=v1&trust=fe80::1%25eth0", "networks"},
	{"unix:/x?reuseport", "addresses of TCP"},
	{"systemd:?backlog=1", "opened here"},
}

func TestParseRefuses(t *testing.T) {
	for _, test := range bad {
		x, err := endpoint.Parse(test.in)
		if wrong, ok := errors.AsType[*endpoint.Error](err); !ok || !strings.Contains(wrong.Reason, test.says) || wrong.Endpoint != test.in {
			t.Errorf("%q: %+v, %v; want %q", test.in, x, err, test.says)
		}
	}
}

// Options of the other side, and what a side cannot do without, are refused before anything is opened.
func TestSides(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	for _, test := range []struct {
		in, listen, dial string // what is said; "" if nobody asks
	}{
		{"tcp:127.0.0.1:1?timeout=1s", "not for a server", ""},
		{"tcp:127.0.0.1:1?backlog=5", "", "not for a client"},
		{"tls:127.0.0.1:1?insecure&selfsigned", "not for a server", "not for a client"},
		{"tls:127.0.0.1:1", "needs a certificate", ""},
		{"tcp:127.0.0.1:1?proxy=v2", "whose headers it believes", ""},
		{"tcp:127.0.0.1:1?proxy=any", "", "one version"},
		{"tls+unix:/x", "", "name= must say"},
		{"stdio:", "", "for servers"},
		{"systemd:", "", "for servers"},
		{"tls:127.0.0.1:1?cert=/does/not/exist", "no such file", "no such file"},
		{"tls:127.0.0.1:1?selfsigned&ca=/does/not/exist", "ca=: the certificates in /does/not/exist cannot be read: no such file", ""},
		{"tls:127.0.0.1:1?ca=endpoint_test.go", "", "ca=: there is no certificate (PEM) in endpoint_test.go"},
		{"nonsense", "begins with none", "begins with none"},
	} {
		if test.listen != "" {
			if _, err := endpoint.Listen(e.Engine, test.in, inetd.Echo); err == nil || !strings.Contains(err.Error(), test.listen) {
				t.Errorf("Listen(%q): %v, want %q", test.in, err, test.listen)
			}
		}
		if test.dial != "" {
			if _, err := rig.Outcome(t, endpoint.Dial(background, e.Engine, test.in, inetd.Echo())); err == nil || !strings.Contains(err.Error(), test.dial) {
				t.Errorf("Dial(%q): %v, want %q", test.in, err, test.dial)
			}
			if _, err := endpoint.DialNet(background, e.Engine, test.in); err == nil || !strings.Contains(err.Error(), test.dial) {
				t.Errorf("DialNet(%q): %v, want %q", test.in, err, test.dial)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, test := range good {
		f.Add(test.in)
	}
	for _, test := range bad {
		f.Add(test.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := endpoint.Parse(s)
		if err != nil {
			return
		}
		again, err := endpoint.Parse(x.String())
		if err != nil || !reflect.DeepEqual(again, x) {
			t.Errorf("%q is printed as %q, which is %+v, %v; want %+v", s, x, again, err, x)
		}
	})
}

// An endpoint that was built and not parsed is held to the same: none that asks for a certificate is served in the clear.
func TestBuiltIsChecked(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	for _, x := range []endpoint.Endpoint{
		{Network: "tcp", Address: "127.0.0.1:0", Options: endpoint.Options{SelfSigned: true}},
		{Network: "tcp", Address: "127.0.0.1:0", Options: endpoint.Options{CA: "ca.pem"}},
	} {
		if _, err := x.Bind(e.Engine); err == nil {
			t.Errorf("%v is served", x)
		}
		if _, err := x.Dialer(e.Engine); err == nil {
			t.Errorf("%v is connected to", x)
		}
	}
}
