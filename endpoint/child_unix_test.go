//go:build unix

package endpoint_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/activation"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
)

// childEndpoint has the test binary be a server, which serves that endpoint and says so.
const childEndpoint = "RONDO_TEST_ENDPOINT"

func TestMain(m *testing.M) {
	if at := os.Getenv(childEndpoint); at != "" {
		serve := child
		if name := os.Getenv(childRow); name != "" {
			serve = func(at string) error { return serveRow(at, name) }
		}
		if err := serve(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// child serves until its standard input ends, or its endpoint is closed.
func child(at string) error {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	ended := make(chan struct{})
	if strings.HasSuffix(at, "stdio:") || strings.Contains(at, "stdio:?") {
		ln, err := endpoint.Listen(e, at, func() rondo.Protocol { return greeter{} })
		if err != nil {
			return err
		}
		ln.OnClose(func() { close(ended) })
		<-ended
		fmt.Fprintln(os.Stderr, "ended")
		return ln.Err()
	}
	ln, err := endpoint.Listen(e, at, inetd.Echo)
	if err != nil {
		return err
	}
	if _, err := endpoint.Listen(e, at, inetd.Echo); err != nil {
		return fmt.Errorf("the second time: %w", err)
	}
	// What this program starts must not take the sockets for its own.
	out, err := exec.Command("sh", "-c", `echo "[$LISTEN_PID$LISTEN_FDS$LISTEN_FDNAMES]" $(test -S /dev/fd/3 && echo inherited)`).CombinedOutput()
	if err != nil {
		return err
	}
	fmt.Printf("%v %s", ln.Addrs(), out)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return ln.Close()
}

// greeter greets, and echoes until it hears "bye".
type greeter struct{ inetdNothing }

func (greeter) ConnectionMade(c *rondo.Conn) { _, _ = io.WriteString(c, "hello\n") }
func (greeter) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p)
	if strings.Contains(string(p), "bye") {
		_ = c.Close()
	}
	return len(p)
}

// start runs the child with those sockets, as a service manager does: it is the child that LISTEN_PID names.
func start(t *testing.T, at, names, fds string, sockets ...*os.File) (cmd *exec.Cmd, stdin io.Closer, line string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0"`, self)
	cmd.Env = append(os.Environ(), childEndpoint+"="+at, "LISTEN_FDS="+fds, "LISTEN_FDNAMES="+names)
	cmd.ExtraFiles = sockets
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	p := make([]byte, 1000)
	n, _ := io.ReadAtLeast(out, p, 1)
	if n == 0 {
		_ = cmd.Wait()
		return cmd, in, errs.String()
	}
	return cmd, in, string(p[:n])
}

// listeners are two sockets as a service manager opens them, of TCP and Unix.
func listeners(t *testing.T) (tcp, unix net.Listener, files []*os.File) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unix, err = net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ln := range []net.Listener{tcp, unix} {
		f, err := ln.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		t.Cleanup(func() { _ = f.Close(); _ = ln.Close() })
	}
	return tcp, unix, files
}

// A real child process gets its sockets from its environment, by all, by name and by number; what it starts does not; and its end leaves the Unix socket's file where it is.
func TestSystemd(t *testing.T) {
	for _, test := range []struct {
		at        string
		tcp, unix bool
	}{
		{"systemd:", true, true},
		{"systemd:web", true, false},
		{"systemd:1", false, true},
		{"tls+systemd:web?selfsigned", true, false},
	} {
		t.Run(test.at, func(t *testing.T) {
			tcp, unix, files := listeners(t)
			cmd, in, line := start(t, test.at, "web:local", "2", files...)
			if strings.Contains(line, tcp.Addr().String()) != test.tcp || strings.Contains(line, unix.Addr().String()) != test.unix || !strings.HasSuffix(line, " []\n") {
				t.Fatalf("the child says %q", line)
			}
			e := rig.New(t, rondo.Config{})
			for _, x := range []struct {
				serves bool
				addr   net.Addr
			}{{test.tcp, tcp.Addr()}, {test.unix, unix.Addr()}} {
				if x.serves {
					at := x.addr.String()
					if strings.HasPrefix(test.at, "tls+") {
						at = "tls:" + at + "?insecure"
					}
					converse(t, e, at)
				}
			}
			_ = in.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(unix.Addr().String()); err != nil {
				t.Errorf("after the child's end: %v", err)
			}
		})
	}
}

// What the environment says and is not so is refused, in words.
func TestSystemdRefused(t *testing.T) {
	_, _, files := listeners(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	datagrams, err := pc.File()
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	for _, test := range []struct {
		at, names, fds, says string
		files                []*os.File
	}{
		{"systemd:mail", "web:local", "2", `["web" "local"]`, files},
		{"systemd:2", "web:local", "2", "there are 2 passed sockets", files},
		{"systemd:", "web", "2", "as many", files},
		{"systemd:", "", "two", "must be a number", files},
		{"systemd:", "", "", "must be a number", nil},
		{"systemd:", "", "1000", "descriptor 5", files}, // which is the Go runtime's own by then, or nobody's
		{"systemd:", "", "1", "no socket", []*os.File{r}},
		{"systemd:", "", "1", "not a listening stream socket", []*os.File{datagrams}},
		{"systemd:", "", "0", "no sockets were passed", nil},
	} {
		if _, _, line := start(t, test.at, test.names, test.fds, test.files...); !strings.Contains(line, test.says) {
			t.Errorf("%+v: the child says %q", test, line)
		}
	}
	if _, err := endpoint.Bind(rig.New(t, rondo.Config{}).Engine, "systemd:"); !errors.Is(err, activation.ErrNone) {
		t.Errorf("without any: %v", err)
	}
}

// A program that serves its standard input and output ends with the connection: when the input ends, or when the protocol closes. A file is as good as a pipe.
func TestStdio(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("0123456789", 100_000)
	path := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(path, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, w := rig.Pipe(t)
	if _, err := w.WriteString("good bye"); err != nil { // and the input does not end
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		in   io.Reader
		want string
	}{
		"end of input": {strings.NewReader("some text"), "hello\nsome text"},
		"nothing":      {nil, "hello\n"},
		"a file":       {file, "hello\n" + long},
		"long":         {strings.NewReader(long), "hello\n" + long},
		"close":        {r, "hello\ngood bye"},
		"proxy":        {strings.NewReader("PROXY UNKNOWN\r\ntext"), "hello\ntext"},
	} {
		t.Run(name, func(t *testing.T) {
			at := "stdio:"
			if name == "proxy" {
				at += "?proxy=v1&trust=unix"
			}
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), childEndpoint+"="+at)
			cmd.Stdin = test.in
			var out, errs strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Run(); err != nil || out.String() != test.want || errs.String() != "ended\n" {
				t.Errorf("%d bytes, want %d, %v: %q", out.Len(), len(test.want), err, errs.String())
			}
		})
	}
}

// What has failed can be asked for at the end.
func TestStdioFails(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		full = nil // there is none on this system
	} else {
		defer full.Close()
	}
	mute, w, err := os.Pipe() // a client that says nothing, and stays
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	defer w.Close()
	for name, test := range map[string]struct {
		at   string
		in   io.Reader
		out  *os.File
		says string
	}{
		"idle":         {"stdio:?idle=10ms", mute, nil, rondo.ErrIdle.Error()},
		"lifetime":     {"stdio:?lifetime=10ms", mute, nil, rondo.ErrLifetime.Error()},
		"idle, header": {"stdio:?idle=10ms&proxy=v1&trust=unix", mute, nil, rondo.ErrIdle.Error()},
		"input":        {"stdio:", folder, nil, "read /dev/stdin: is a directory"},
		"output":       {"stdio:", strings.NewReader("text"), full, "write /dev/stdout: no space left on device"},
		"PROXY header": {"stdio:?proxy=v1&trust=unix", strings.NewReader("PROXY lies\r\n"), nil, "rondo: connection aborted"},
		"no header":    {"stdio:?proxy=v1&trust=unix", nil, nil, "before its TLS handshake or its PROXY header was whole"},
		"handshake":    {"tls+stdio:?selfsigned", strings.NewReader("no TLS\r\n"), nil, "failed: tls: first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "output" && full == nil {
				t.Skip("/dev/full is not there")
			}
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), childEndpoint+"="+test.at)
			cmd.Stdin = test.in
			if test.out != nil {
				cmd.Stdout = test.out
			}
			var errs strings.Builder
			cmd.Stderr = &errs
			err := cmd.Run()
			if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 ||
				!strings.HasSuffix(errs.String(), "ended\nendpoint: serving standard input and output: "+test.says+"\n") &&
					!strings.HasSuffix(errs.String(), test.says+"\n") {
				t.Errorf("%v: %q", err, errs.String())
			}
		})
	}
}

// There is one connection, and a listener that was not served is closed without it.
func TestStdioOnce(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ln, err := endpoint.Bind(e.Engine, "stdio:")
	if err != nil {
		t.Fatal(err)
	}
	if got := ln.Addr().Network(); got != "stdio" {
		t.Error(got)
	}
	closed := make(chan struct{})
	ln.OnClose(func() { close(closed) })
	_ = ln.Close()
	rig.Await(t, closed)
	if err := ln.Serve(inetd.Echo); err == nil {
		t.Error("served after Close")
	}
	if _, err := ln.ServeNet(); err == nil {
		t.Error("a net.Listener over standard input and output")
	}
}
