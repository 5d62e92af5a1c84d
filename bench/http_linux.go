package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1"
)

// What -http compares.
const (
	nginxServer       = "nginx"
	rondoOnLoop       = "http-nonblocking"
	rondoInTask       = "http-task"
	rondoOnGoroutine  = "http-goroutine"
	netHTTPServer     = "http-net"
	request           = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	greeting          = "Hello, World!"
	longestHTTPAnswer = 4 << 10
)

// compareHTTP measures short answers: of nginx, of one handler in each of the places where http1 can run it, and of the same with net/http.
func (b *bench) compareHTTP(ctx context.Context, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	own := func(name, label string) subject {
		return subject{name: name, label: label, argv: func(addr string) []string {
			return []string{self, "serve", "-poller", b.poller, name, addr}
		}}
	}
	if nginx, err := exec.LookPath("nginx"); err == nil {
		b.subjects = append(b.subjects, subject{name: nginxServer, label: "nginx, return 200", argv: func(addr string) []string {
			return []string{nginx, "-c", b.nginxConfig(addr)}
		}})
	} else {
		fmt.Fprintf(out, "nginx is not installed, and not compared.\n\n")
	}
	b.subjects = append(b.subjects,
		own(rondoOnLoop, "rondo, NonBlocking"),
		own(rondoInTask, "rondo, in a task"),
		own(rondoOnGoroutine, "rondo, on goroutines"),
		own(netHTTPServer, "net/http"))
	fmt.Fprintf(out, "Processor time of the server per GET answered with %d bytes, %s of %gs in turn: median (min–max).\n\n",
		len(greeting), plural(b.rounds, "round"), b.seconds)
	for _, conns := range b.conns {
		found, err := b.inTurn(ctx, b.subjects, work{conns: conns, size: b.size, turn: b.turn(), http: true})
		if err != nil {
			return err
		}
		b.HTTP = append(b.HTTP, found...)
		t := table{head: []string{fmt.Sprintf("%d connections", conns), "× nginx", "× net/http", "ns per request"}}
		for _, s := range found {
			t.add(s.Label, beside(found, s, nginxServer), beside(found, s, netHTTPServer), spreadOf(s.costs()).format("%.0f"))
		}
		b.show(out, t, found)
	}
	if b.idle == 0 {
		return nil
	}
	return b.compareMemory(ctx, out)
}

// nginxConfig writes the smallest configuration: one process, no log, connections that stay.
func (b *bench) nginxConfig(addr string) string {
	file := filepath.Join(b.dir, "nginx.conf")
	text := fmt.Sprintf("worker_processes 1; daemon off; master_process off; pid %s; error_log /dev/null;\n"+
		"events { worker_connections 20000; }\n"+
		"http { access_log off; keepalive_requests 100000000; keepalive_timeout 300s; server { listen %s backlog=4096; location / { default_type text/plain; return 200 %q; } } }\n",
		filepath.Join(b.dir, "nginx.pid"), addr, greeting)
	_ = os.WriteFile(file, []byte(text), 0o600) // nginx says that it is not there
	return file
}

var plainText = []string{"text/plain"}

func greet(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Content-Type"] = plainText
	io.WriteString(w, greeting)
}

func serveHTTP(ctx context.Context, name, addr, poller string) error {
	h := http.Handler(http.HandlerFunc(greet))
	switch name {
	case netHTTPServer:
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { ln.Close() })
		if err := http.Serve(ln, h); ctx.Err() == nil {
			return err
		}
		return nil
	case rondoOnLoop:
		h = http1.NonBlocking(h)
	case rondoInTask:
		h = http1.Task(h)
	}
	server := &http1.Server{Handler: h}
	return serveRondo(ctx, addr, poller, func() rondo.Protocol { return server.Protocol() })
}

// page is what is asked for and how long the answers are, which is all the same but for their dates. The first is looked at.
type page struct{ answer int }

// ask learns how long the answers are, on a blocking descriptor.
func (p *page) ask(fd int) error {
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return os.NewSyscallError("write", err)
	}
	var got []byte
	for piece := make([]byte, longestHTTPAnswer); ; {
		var n int
		if err := retry(func() (err error) {
			n, err = unix.Read(fd, piece)
			return err
		}); err != nil {
			return os.NewSyscallError("read", err)
		}
		if n == 0 {
			return errClosed
		}
		got = append(got, piece[:n]...)
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), nil)
		if err != nil {
			if len(got) > longestHTTPAnswer {
				return fmt.Errorf("no answer of HTTP: %.100q", got)
			}
			continue // there is more to come
		}
		body, err := io.ReadAll(res.Body)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			continue
		}
		if err != nil || res.StatusCode != http.StatusOK || string(body) != greeting || res.Close {
			return fmt.Errorf("the answer is %.200q", got)
		}
		p.answer = len(got)
		return nil
	}
}

// check is verify for an answer of which got bytes have come before piece.
func (p *page) check(got int, piece []byte) error {
	const begin = "HTTP/1.1 200 OK\r\n"
	if got+len(piece) > p.answer {
		return fmt.Errorf("the server sent %d bytes where its first answer had %d", got+len(piece), p.answer)
	}
	if got == 0 && len(piece) >= len(begin) && string(piece[:len(begin)]) != begin {
		return fmt.Errorf("the answer begins %.40q", piece)
	}
	if rest := p.answer - got - len(piece); rest == 0 && len(piece) >= len(greeting) && string(piece[len(piece)-len(greeting):]) != greeting {
		return fmt.Errorf("the answer ends %.40q", piece[len(piece)-len(greeting):])
	}
	return nil
}

// holdHTTP is hold for servers of HTTP.
func holdHTTP(server netip.AddrPort, conns, _ int) (held, error) {
	return holdEach(server, conns, func(_, fd int) error { return new(page).ask(fd) })
}
