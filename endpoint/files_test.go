package endpoint_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/pemfile"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
)

// write puts a new certificate and its key into files: both in both.pem, and each in one of its own.
func write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cert, _ := rig.Certificate(t)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	c := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	k := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for name, data := range map[string][]byte{"cert.pem": c, "key.pem": k, "both.pem": append(slices.Clip(c), k...)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// teller says what was agreed, and whom it speaks to.
type teller struct{ inetdNothing }

func (teller) ConnectionMade(c *rondo.Conn) {
	state, _ := secure.State(c)
	_, _ = fmt.Fprintf(c, "alpn=%s clients=%d host=%s\n", state.NegotiatedProtocol, len(state.PeerCertificates), host(c))
	_ = c.Close()
}

func host(c *rondo.Conn) string {
	if s := c.RemoteAddr().String(); strings.HasPrefix(s, "127.0.0.1:") {
		return "127.0.0.1"
	}
	return c.RemoteAddr().String()
}

// read is all that a server says to a client of that endpoint.
func read(t *testing.T, e *rig.Engine, at string) (string, error) {
	t.Helper()
	c, err := endpoint.DialNet(background, e.Engine, at)
	if err != nil {
		return "", err
	}
	defer c.Close()
	p := make([]byte, 200)
	n, err := c.Read(p)
	return string(p[:n]), err
}

// Certificates, CAs and names come from the string, and each counts.
func TestCertificates(t *testing.T) {
	a, b := write(t), write(t)
	for _, test := range []struct {
		name, server, client, says, fails string
	}{
		{"two files", "?cert=A/cert.pem&key=A/key.pem", "?ca=A/cert.pem", "alpn= clients=0", ""},
		{"one file", "?cert=A/both.pem", "?ca=A/cert.pem", "alpn= clients=0", ""},
		{"a name", "?cert=A/both.pem", "?ca=A/cert.pem&name=localhost", "alpn= clients=0", ""},
		{"another name", "?cert=A/both.pem", "?ca=A/cert.pem&name=example.com", "", "example.com"},
		{"another CA", "?cert=A/both.pem", "?ca=B/cert.pem", "", "certificate"},
		{"the system's CAs", "?cert=A/both.pem", "", "", "certificate"},
		{"insecure", "?cert=A/both.pem", "?insecure", "alpn= clients=0", ""},
		{"selfsigned", "?selfsigned", "", "", "certificate"},
		{"ALPN", "?cert=A/both.pem&alpn=a,b", "?insecure&alpn=b,c", "alpn=b", ""},
		{"no common ALPN", "?cert=A/both.pem&alpn=a", "?insecure&alpn=c", "", "no application protocol"},
		{"a client's certificate", "?cert=A/both.pem&ca=B/cert.pem", "?insecure&cert=B/cert.pem&key=B/key.pem", "clients=1", ""},
		{"no client's certificate", "?cert=A/both.pem&ca=B/cert.pem", "?insecure", "", "certificate required"},
		{"another client's", "?cert=A/both.pem&ca=B/cert.pem", "?insecure&cert=A/both.pem", "", "tls:"},
		{"proxy", "?cert=A/both.pem&proxy=v2&trust=127.0.0.1", "?insecure&proxy=v2", "host=127.0.0.1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			files := strings.NewReplacer("A/", a+"/", "B/", b+"/")
			server := "tls:127.0.0.1:0" + files.Replace(test.server)
			ln, err := endpoint.Listen(e.Engine, server, func() rondo.Protocol { return teller{} })
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(t, e, clientOf(t, server, ln.Addr(), files.Replace(test.client)))
			switch {
			case test.fails == "" && (err != nil || !strings.Contains(got, test.says)):
				t.Errorf("%q, %v; want %q", got, err, test.says)
			case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)):
				t.Errorf("%q, %v; want an error with %q", got, err, test.fails)
			}
			if test.fails != "" {
				e.Log.Await(t, "a handshake failed")
			}
			if _, ok := errors.AsType[*secure.HandshakeError](err); ok { // the client's; with TLS 1.3 a server can refuse it when that is over
				e.Log.Await(t, "a handshake failed")
			}
			_ = ln.Close()
		})
	}
}

// Authorities come from a file that ends.
func TestLoadCA(t *testing.T) {
	dir := write(t)
	if _, err := endpoint.LoadCA(filepath.Join(dir, "cert.pem")); err != nil {
		t.Error(err)
	}
	long := filepath.Join(dir, "long.pem")
	if err := os.WriteFile(long, make([]byte, pemfile.MaxBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := endpoint.LoadCA(long); err == nil || !strings.HasPrefix(err.Error(), long+" has more than 1 MiB, ") {
		t.Errorf("a file that is too long: %v", err)
	}
	if _, err := endpoint.LoadCA(filepath.Join(dir, "key.pem")); !errors.Is(err, endpoint.ErrNoCertificate) {
		t.Errorf("a key: %v", err)
	}
}

// A server that expects a PROXY header takes one, of the right version and from whom it trusts.
func TestProxy(t *testing.T) {
	for _, test := range []struct {
		server, client, refused string
	}{
		{"?proxy=v1&trust=127.0.0.0/8", "?proxy=v1", ""},
		{"?proxy=v2&trust=any", "?proxy=v2", ""},
		{"?proxy=any&trust=any", "?proxy=v1", ""},
		{"?proxy=v1&trust=any", "?proxy=v2", "not accepted"},
		{"?proxy=any&trust=10.0.0.0/8,unix", "?proxy=v2", "not one of the proxies"},
	} {
		t.Run(test.server+test.client, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			ln, err := endpoint.Listen(e.Engine, "tcp:127.0.0.1:0"+test.server, func() rondo.Protocol { return teller{} })
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(t, e, ln.Addr().String()+test.client)
			if test.refused != "" {
				e.Log.Await(t, test.refused)
				if err == nil {
					t.Errorf("got %q", got)
				}
			} else if err != nil || !strings.Contains(got, "host=127.0.0.1") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Openssl is a client of an endpoint with a certificate.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not there")
	}
	dir := write(t)
	e := rig.New(t, rondo.Config{})
	ln, err := endpoint.Listen(e.Engine, "tls:127.0.0.1:0?cert="+dir+"/both.pem", func() rondo.Protocol { return teller{} })
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", dir+"/cert.pem", "-connect", ln.Addr().String())
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), "alpn= clients=0") {
		t.Errorf("%q, %v", out, err)
	}
}

// A time that is up, and a context that is: both are said.
func TestTimeout(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ln, err := e.Bind("tcp", "127.0.0.1:0") // it accepts nobody, so no handshake comes to anything
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = endpoint.DialNet(background, e.Engine, "tls:"+ln.Addr().String()+"?insecure&timeout=20ms")
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	e.Log.Await(t, "a handshake failed")
}
