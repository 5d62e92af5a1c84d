package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/descriptors"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

func (p *program) serve() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a server: echo",
		Args:  unknownCommand,
		RunE: func(*cobra.Command, []string) error {
			return wrong("Say what to serve: \"rondo serve echo\".")
		},
	}
	cmd.AddCommand(p.serveEcho())
	return cmd
}

// echoServer is what the command line says.
type echoServer struct {
	address string
	config  rondo.Config
	drain   time.Duration
	style   string
	tls     bool
}

func (p *program) serveEcho() *cobra.Command {
	s := echoServer{address: "127.0.0.1:7000", drain: 10 * time.Second, style: "protocol"}
	cmd := &cobra.Command{
		Use:   "echo [options]",
		Short: "Send back whatever comes",
		Long: `Send back whatever comes, to any number of clients at once. Ctrl-C, or the
signals INT, TERM and HUP, end it in good order: nobody new is let in, and what
has come is still answered. Ctrl-C, INT or TERM after that ends it at once; HUP
does not.`,
		Example: `  rondo serve echo
  rondo serve echo --addr 0.0.0.0:7000 --loops 4
  rondo serve echo --style task
  rondo serve echo --addr unix:/tmp/echo.sock
  rondo serve echo --tls`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE:                  func(cmd *cobra.Command, _ []string) error { return p.echo(cmd.Context(), s) },
	}
	f := cmd.Flags()
	f.Var(filled{&s.address, "address"}, "addr",
		"[HOST:]PORT or unix:PATH; without a host, on 127.0.0.1; the port is from 1 to 65535, or 0 for a free one")
	f.Var(whole{&s.config.Loops, 0, maxLoops}, "loops", fmt.Sprintf("event loops, at most %d; 0 means one for each processor", maxLoops))
	f.Var(filled{&s.config.Poller, "poller"}, "poller", "how to wait for events: "+pollers()+" (default the best that works)")
	f.Var(choice{word: &s.style, allowed: []string{"protocol", "task"}}, "style",
		"how it is written: callbacks, or a task for each connection")
	f.BoolVar(&s.tls, "tls", false, "encrypt, with a new self-signed certificate")
	f.Var(seconds{&s.drain}, "drain", "how long to wait for connections to finish at the end, 0 or more; 0 cuts them off")
	return cmd
}

func (p *program) echo(ctx context.Context, s echoServer) error {
	network, address, err := listenOn("--addr", s.address)
	if err != nil {
		return err
	}
	names := poller.Names()
	if s.config.Poller != "" && len(names) > 0 && !slices.Contains(names, s.config.Poller) {
		return wrong("--poller: there is no poller %q on this system: give %s.", s.config.Poller, pollers())
	}
	e, err := rondo.New(s.config)
	if err != nil {
		return err
	}
	defer e.Close()
	accept := func() rondo.Protocol { return echo{} }
	if s.style == "task" {
		accept = stream.Handle(echoTask)
	}
	if s.tls {
		cfg, err := p.selfSigned()
		if err != nil {
			return err
		}
		accept = secure.Server(secure.Config{TLS: cfg}, accept)
	}
	ln, err := e.Listen(network, address, accept)
	if err != nil {
		return descriptors.Blame(err) // while the engine has those that it has
	}
	where := ln.Addr().String()
	if network == "unix" {
		where = "unix:" + where
	}
	if _, err := fmt.Fprintf(p.out, "Listening on %s with %s (%s). Ctrl-C ends it.\n", where, count(len(e.Loops()), "loop"), e.Poller()); err != nil {
		return fmt.Errorf("saying where it listens: %w", err) // nobody would learn the port
	}
	<-ctx.Done()
	return p.drain(e, s.drain)
}

// drain ends the engine, and says how many connections did not finish in time, if any.
func (p *program) drain(e *rondo.Engine, patience time.Duration) error {
	if patience == 0 {
		open := e.Conns()
		if err := e.Close(); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "Ended at once.")
		if open > 0 {
			fmt.Fprintf(p.errs, "%s cut off.\n", were(open, "connection"))
		}
		return nil
	}
	fmt.Fprintf(p.out, "Draining for up to %v; Ctrl-C, INT or TERM ends it at once.\n", patience)
	timeout, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	limit, cutOff := context.WithCancel(context.Background())
	defer cutOff()
	open := 0
	stop := context.AfterFunc(timeout, func() {
		open = e.Conns() // before they are cut off: afterwards there are none
		cutOff()
	})
	defer stop()
	// Only after an error may open be read: it says that the limit has ended.
	if err := e.Shutdown(limit); err != nil && open > 0 {
		fmt.Fprintf(p.errs, "Not everything had finished after %v: %s cut off.\n", patience, were(open, "connection"))
		return nil
	}
	fmt.Fprintln(p.out, "Drained.")
	return nil
}

// were is n things that something was done to.
func were(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " was"
	}
	return count(n, thing) + " were"
}

const maxPort = 65535

// maxLoops is far beyond any processor count, and far below what would exhaust descriptors.
const maxLoops = 1024

// longestSocketPath leaves room for the zero byte at the end: 107 bytes on Linux, 103 on the BSDs and macOS.
const longestSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// listenOn reads an address to listen on, which the user has given as what. Loopback unless told otherwise: a missing host is 127.0.0.1.
func listenOn(what, s string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return "", "", wrong("%s: a Unix socket needs a path: write it like unix:/tmp/echo.sock.", what)
		}
		if len(path) > longestSocketPath {
			return "", "", wrong("%s: the path of the Unix socket has %d bytes: give one of at most %d, which is the "+
				"most that this system takes.", what, len(path), longestSocketPath)
		}
		return "unix", path, nil
	}
	host, port := "", s
	if strings.Contains(s, ":") {
		if host, port, err = net.SplitHostPort(s); err != nil {
			return "", "", wrong("%s: %q is not of the form [HOST:]PORT: write it like 127.0.0.1:7000 or [::1]:7000.", what, s)
		}
	}
	n, err := strconv.Atoi(port)
	huge := errors.Is(err, strconv.ErrRange)
	if err != nil && !huge || strings.HasPrefix(port, "+") {
		return "", "", wrong("%s: the port %q is no whole number: write the address like 127.0.0.1:7000.", what, port)
	}
	if huge || n < 0 || n > maxPort {
		return "", "", wrong("%s: the port %s is out of range: give a whole number from 0 to %d.", what, port, maxPort)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return "tcp", net.JoinHostPort(host, port), nil
}

// echoTask is the same as straight-line code: Write waits for a client that does not read its answers.
func echoTask(t *task.Task, s *stream.Stream) error {
	for {
		p, err := s.Next(t, 64<<10)
		if err != nil {
			return err
		}
		if _, err := s.Write(t, p); err != nil {
			return err
		}
	}
}

// echo sends back what comes, and reads no more from a client that does not read its answers.
type echo struct{}

func (echo) ConnectionMade(*rondo.Conn) {}

func (echo) DataReceived(c *rondo.Conn, p []byte) int {
	_, _ = c.Write(p) // an error ends the connection, or it has ended
	return len(p)
}

func (echo) ConnectionLost(*rondo.Conn, error) {}

func (echo) PauseWriting(c *rondo.Conn)  { c.PauseReading() }
func (echo) ResumeWriting(c *rondo.Conn) { c.ResumeReading() }
