package secure_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/stream"
)

// telling is a protocol that tells what was agreed, in one line, and closes.
type telling struct{}

func (p *telling) ConnectionMade(c *rondo.Conn) {
	state, ok := secure.State(c)
	if !ok {
		_, _ = c.Write([]byte("plain\n"))
		return
	}
	names := []string{state.NegotiatedProtocol, state.ServerName}
	if state.DidResume {
		names = append(names, "resumed")
	}
	for _, cert := range state.PeerCertificates {
		names = append(names, cert.Subject.CommonName)
	}
	_, _ = c.Write([]byte(strings.Join(names, " ") + "\n"))
	_ = c.Close()
}
func (p *telling) DataReceived(_ *rondo.Conn, data []byte) int { return len(data) }
func (p *telling) ConnectionLost(*rondo.Conn, error)           {}

// What is agreed in the handshake, the protocol can ask for: the application protocol (ALPN), the server's name (SNI), the client's certificate, and whether
// a session was resumed.
func TestState(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			server.NextProtos = []string{"h2", "poem"}
			server.ClientAuth, server.ClientCAs = tls.VerifyClientCertIfGiven, client.RootCAs
			client.NextProtos = []string{"poem"}
			client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return &telling{} }))
			if err != nil {
				t.Fatal(err)
			}
			ask := func() string {
				c, err := tls.Dial("tcp", ln.Addr().String(), client)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				told, err := io.ReadAll(c)
				if err != nil {
					t.Error(err)
				}
				return string(told)
			}
			if got := ask(); got != "poem localhost\n" {
				t.Errorf("it was agreed: %q", got)
			}
			if got := ask(); got != "poem localhost resumed\n" {
				t.Errorf("it was agreed: %q", got)
			}
			client.ClientSessionCache = nil
			client.Certificates = server.Certificates
			if got := ask(); got != "poem localhost localhost\n" {
				t.Errorf("it was agreed: %q", got)
			}
		})
	}
}

// Peers that do not agree each hear why.
func TestDisagreement(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	for name, c := range map[string]struct {
		change func(c *tls.Config)
		want   string
	}{
		"unknown authority": {func(c *tls.Config) { c.RootCAs = nil }, "certificate signed by unknown authority"},
		"another name":      {func(c *tls.Config) { c.ServerName = "elsewhere" }, "certificate is valid for localhost, not elsewhere"},
		"older version":     {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, "protocol version"},
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t)
			ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return &telling{} }))
			if err != nil {
				t.Fatal(err)
			}
			cfg := client.Clone()
			c.change(cfg)
			p := &lost{reason: make(chan error, 1)}
			_, err = secure.Config{TLS: cfg}.Dial(background, e.Engine, "tcp", ln.Addr().String(), p).Wait(background)
			var failed *secure.HandshakeError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("dialing: %v", err)
			}
			e.Log.Await(t, "a handshake failed") // the client's
			e.Log.Await(t, "a handshake failed") // the server's
		})
	}
}

// starting is a line protocol that becomes secure when it is told to.
type starting struct {
	cfg  secure.Config
	then func() rondo.Protocol
}

func (*starting) ConnectionMade(c *rondo.Conn) { _, _ = c.Write([]byte("220 ready\r\n")) }

func (p *starting) DataReceived(c *rondo.Conn, data []byte) int {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		return 0
	}
	if string(data[:i+1]) == "STARTTLS\r\n" {
		_, _ = c.Write([]byte("220 go ahead\r\n"))
		p.cfg.UpgradeServer(c, p.then()).Ignore()
	}
	return i + 1
}

func (*starting) ConnectionLost(*rondo.Conn, error) {}

// A connection becomes secure in its midst, also when the client's first bytes come with the last in the clear.
func TestStartTLS(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &starting{secure.Config{TLS: server}, stream.Handle(echoHandler)}
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	lines := bufio.NewReader(raw)
	if line, err := lines.ReadString('\n'); line != "220 ready\r\n" {
		t.Fatal(line, err)
	}
	_, _ = io.WriteString(raw, "STARTTLS\r\n")
	if line, err := lines.ReadString('\n'); line != "220 go ahead\r\n" {
		t.Fatal(line, err)
	}
	c := tls.Client(raw, client)
	talk(t, c)
}

// What is written by a Handle while the handshake is under way waits for its end, and never goes out in the clear.
func TestWriteDuringHandshake(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	handles := make(chan rondo.Handle, 1)
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &upgrading{secure.Config{TLS: server}, handles}
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := (<-handles).Write([]byte("too soon\n")); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(raw, client)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || line != "too soon\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// upgrading begins a handshake at once, and hands out the connection.
type upgrading struct {
	cfg     secure.Config
	handles chan rondo.Handle
}

func (p *upgrading) ConnectionMade(c *rondo.Conn) {
	p.cfg.UpgradeServer(c, &lost{reason: make(chan error, 1)}).Ignore()
	p.handles <- c.Handle()
}
func (*upgrading) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (*upgrading) ConnectionLost(*rondo.Conn, error)        {}

// tool skips the test if a program is not installed.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// authority writes the certificate where a program reads it.
func authority(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// OpenSSL talks to a server, changes its keys in the midst (K asks for the same of the server), and closes in good order.
func TestOpenSSL(t *testing.T) {
	openssl := tool(t, "openssl")
	server, _ := configs(t, tls.VersionTLS13)
	ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(stream.Handle(echoHandler)))
	if err != nil {
		t.Fatal(err)
	}
	c := startOpenSSL(t, openssl, "s_client", "-connect", ln.Addr().String(), "-CAfile", authority(t, server.Certificates[0]), "-verify_return_error", "-servername", "localhost")
	c.enter("hello")
	c.expect("hello")
	c.enter("K") // update the keys of both
	c.expect("KEYUPDATE")
	c.enter("after the update")
	c.expect("after the update")
	c.enter("Q")
	_, _ = io.Copy(io.Discard, c.lines)
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// openSSL is a running openssl.
type openSSL struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Writer
	lines *bufio.Reader
}

// startOpenSSL starts one, which is killed at the end of the test if it has not ended.
func startOpenSSL(t *testing.T, path string, args ...string) *openSSL {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }) //nolint:forbidigo // a program that hangs does so in real time
	t.Cleanup(func() {
		kill.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &openSSL{t, cmd, in, bufio.NewReader(out)}
}

func (o *openSSL) enter(line string) { _, _ = io.WriteString(o.in, line+"\n") }

// expect reads to the first line that begins so, and returns it.
func (o *openSSL) expect(want string) string {
	o.t.Helper()
	for {
		line, err := o.lines.ReadString('\n')
		if line = strings.TrimSpace(line); strings.HasPrefix(line, want) {
			return line
		}
		if err != nil {
			o.t.Fatalf("no line %q: %v", want, err)
		}
	}
}

// answering is an HTTP server of one answer.
type answering struct{}

func (answering) ConnectionMade(*rondo.Conn) {}
func (answering) DataReceived(c *rondo.Conn, p []byte) int {
	if !bytes.HasSuffix(p, []byte("\r\n\r\n")) {
		return 0
	}
	_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecure"))
	_ = c.Close()
	return len(p)
}
func (answering) ConnectionLost(*rondo.Conn, error) {}

// curl talks to a server.
func TestCurl(t *testing.T) {
	curl := tool(t, "curl")
	for name, version := range versions {
		server, _ := configs(t, version)
		ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return answering{} }))
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		out, err := exec.Command(curl, "-sS", "--max-time", "20", "--cacert", authority(t, server.Certificates[0]), "--resolve", "localhost:"+port+":127.0.0.1", "https://localhost:"+port+"/").CombinedOutput()
		if err != nil || string(out) != "secure" {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// Over a Unix socket it is the same.
func TestUnix(t *testing.T) {
	server, client := configs(t, tls.VersionTLS13)
	path := filepath.Join(t.TempDir(), "s")
	_, err := engine(t).Listen("unix", path, secure.Config{TLS: server}.Server(stream.Handle(echoHandler)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("unix", path, client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	talk(t, c)
}
