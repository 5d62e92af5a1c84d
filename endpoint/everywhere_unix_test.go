//go:build unix

package endpoint_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// carrier is a column of the table: the one argument of a server, and that of its clients. Nothing else is different from column to column. DIR stands for a new folder, NAME for a new name, ADDR for the address that the server has
// got and PORT for its port.
type carrier struct{ name, listen, dial string }

// carriers are those of this machine, and the next are in a simulated world, where a server is on a host of that name.
var carriers = []carrier{
	{"tcp", "tcp:127.0.0.1:0", "tcp:ADDR"},
	{"tcp6", "tcp:[::1]:0", "tcp:ADDR"},
	{"unix", "unix:DIR/NAME", "unix:ADDR"},
	{"abstract", "unix:@rondo-NAME", "unix:ADDR"},
	{"tls", "tls:127.0.0.1:0?selfsigned", "tls:ADDR?insecure"},
	{"tls+tcp6", "tls:[::1]:0?selfsigned", "tls:ADDR?insecure"},
	{"tls+unix", "tls+unix:DIR/NAME?selfsigned", "tls+unix:ADDR?insecure"},
	{"proxy", "tcp:127.0.0.1:0?proxy=v2&trust=127.0.0.1", "tcp:ADDR?proxy=v2"},
	{"proxy below tls", "tls:127.0.0.1:0?selfsigned&proxy=v1&trust=127.0.0.1", "tls:ADDR?insecure&proxy=v1"},
	{"proxy below tls+unix", "tls+unix:DIR/NAME?selfsigned&proxy=v2&trust=unix", "tls+unix:ADDR?insecure&proxy=v2"},
	{"limits", "tcp:127.0.0.1:0?maxconns=1&idle=20s&lifetime=20s&backlog=5&reuseport", "tcp:ADDR?timeout=20s"},
	{"systemd", "systemd:web", "tcp:ADDR"},
	{"tls+systemd", "tls+systemd:local?selfsigned", "tls+unix:ADDR?insecure"},
	{"stdio", "stdio:", ""},
}

var simulated = []carrier{
	{"sim/tcp", "tcp::0", "tcp:server:PORT"},
	{"sim/unix", "unix:/NAME", "unix:ADDR"},
	{"sim/tls", "tls::0?selfsigned", "tls:server:PORT?insecure"},
	{"sim/tls+unix", "tls+unix:/NAME?selfsigned", "tls+unix:ADDR?insecure"},
	{"sim/proxy below tls", "tls::0?selfsigned&proxy=v2&trust=any", "tls:server:PORT?insecure&proxy=v2"},
}

var cells atomic.Int64

// server is what the carrier's argument for a server has become.
func (x carrier) server(dir string) string {
	name := fmt.Sprintf("%d-%d", os.Getpid(), cells.Add(1))
	return strings.NewReplacer("DIR", dir, "NAME", name).Replace(x.listen)
}

// client is the argument for the clients of what listens at addr.
func (x carrier) client(addr net.Addr) string {
	_, port, _ := net.SplitHostPort(addr.String())
	return strings.NewReplacer("ADDR", addr.String(), "PORT", port).Replace(x.dial)
}

// Every protocol runs over every carrier by changing one argument: what it has to say comes through, and both sides hear of an end in good order.
func TestEverywhere(t *testing.T) {
	for _, x := range carriers {
		t.Run(x.name, func(t *testing.T) {
			x.needs(t)
			for _, r := range rows() {
				if r.without[x.name] != "" {
					continue
				}
				t.Run(r.name, func(t *testing.T) {
					switch x.name {
					case "stdio":
						onStdio(t, x, r)
					case "systemd", "tls+systemd":
						bySystemd(t, x, r)
					default:
						here(t, x, r)
					}
				})
			}
		})
	}
	for _, x := range simulated {
		t.Run(x.name, func(t *testing.T) {
			for _, r := range rows() {
				t.Run(r.name, func(t *testing.T) { inWorld(t, x, r) })
			}
		})
	}
}

// needs skips a column that this machine cannot have.
func (x carrier) needs(t *testing.T) {
	switch {
	case x.name == "abstract" && runtime.GOOS != "linux":
		t.Skip("it needs abstract names, which only Linux has")
	case strings.Contains(x.name, "tcp6"):
		ln, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Skip("this machine has no IPv6: ", err)
		}
		_ = ln.Close()
	}
}

// patient is a context that ends a cell which hangs.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	t.Cleanup(cancel)
	return ctx
}

// here has the server and its client in this process.
func here(t *testing.T, x carrier, r row) {
	e := rig.New(t, rondo.Config{})
	s := &server{engine: e.Engine, carrier: x, dir: shortDir(t), ctx: patient(t), spawn: func(fn func()) { go fn() }}
	if err := r.serve(s); err != nil {
		t.Fatal(err)
	}
	v := visitor{ctx: s.ctx, engine: rig.New(t, rondo.Config{}).Engine, at: x.client(s.addr), now: time.Now, spawn: s.spawn}
	if err := r.visit(v); err != nil {
		t.Error(err)
	}
	rig.Eventually(t, "the server has ended its connections", s.ended)
	if err := s.failed(); err != nil {
		t.Error("the server: ", err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// shortDir is a folder whose name leaves room in a Unix socket's address.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "r") //nolint:usetesting // its folder has the test's name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// inWorld has them in a simulated one.
func inWorld(t *testing.T, x carrier, r row) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		host := w.Host("server")
		s := &server{engine: host.Engine(), carrier: x, ctx: t.Context(), spawn: host.Go, now: w.Now, sleep: func(_ context.Context, d time.Duration) error { w.Sleep(d); return nil }}
		if err := r.serve(s); err != nil {
			w.Fatalf("%v", err)
		}
		if !strings.Contains(x.name, "unix") { // a Unix socket is its host's
			host = w.Host("client")
		}
		v := visitor{ctx: t.Context(), engine: host.Engine(), at: x.client(s.addr), now: w.Now, spawn: host.Go, exact: true}
		if err := r.visit(v); err != nil {
			w.Errorf("%v", err)
		}
		w.Wait(s.ended)
		if err := s.failed(); err != nil {
			w.Errorf("the server: %v", err)
		}
		if err := s.close(); err != nil {
			w.Errorf("%v", err)
		}
	})
}

// childRow names the row that the child serves.
const childRow = "RONDO_TEST_ROW"

// bySystemd has the server in a child process, which is given its sockets.
func bySystemd(t *testing.T, x carrier, r row) {
	tcp, unix, files := listeners(t)
	t.Setenv(childRow, r.name)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // else it would sleep for a second
	cmd, in, line := start(t, x.listen, "web:local", "2", files...)
	if line != "serving\n" {
		t.Fatalf("the child says %q", line)
	}
	addr := tcp.Addr()
	if strings.Contains(x.listen, "local") {
		addr = unix.Addr()
	}
	v := visitor{ctx: patient(t), engine: rig.New(t, rondo.Config{}).Engine, at: x.client(addr), now: time.Now, spawn: func(fn func()) { go fn() }}
	if err := r.visit(v); err != nil {
		t.Error(err)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child: %v: %s", err, cmd.Stderr)
	}
}

// onStdio has the server in a child process whose standard input and output are one socket, as inetd(8) has its servers.
func onStdio(t *testing.T, x carrier, r row) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0) //nolint:forbidigo // they become files at once
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
	defer near.Close()
	cmd := exec.CommandContext(patient(t), self)
	cmd.Env = append(os.Environ(), childEndpoint+"="+x.listen, childRow+"="+r.name, "GORACE=atexit_sleep_ms=0")
	var errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = far.Close()
	v := visitor{ctx: patient(t), engine: rig.New(t, rondo.Config{}).Engine, now: time.Now, spawn: func(fn func()) { go fn() }, only: near}
	if err := r.visit(v); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the child: %v: %s", err, errs.String())
	}
}

// serveRow is the child: it serves the row until its input ends, or its only connection has.
func serveRow(at, name string) error {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	s := &server{engine: e, carrier: carrier{listen: at}, ctx: ctx, spawn: func(fn func()) { go fn() }}
	for _, r := range rows() {
		if r.name == name {
			if err := r.serve(s); err != nil {
				return err
			}
		}
	}
	if s.addr == nil {
		return fmt.Errorf("there is no protocol %q", name)
	}
	if ln, ok := s.listener.(*endpoint.Listener); ok && at == "stdio:" {
		closed := make(chan struct{})
		ln.OnClose(func() { close(closed) })
		<-closed
	} else {
		fmt.Println("serving")
		_, _ = os.Stdin.Read(make([]byte, 1))
	}
	for !s.ended() && ctx.Err() == nil {
		runtime.Gosched()
	}
	if err := s.close(); err != nil {
		return err
	}
	return s.failed()
}
