package cli

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

func (p *program) serve() *cobra.Command {
	names := []string{"echo", "http"}
	for _, s := range small {
		names = append(names, s.name)
	}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a server: " + strings.Join(names, ", "),
		Args:  unknownCommand,
		RunE: func(*cobra.Command, []string) error {
			return wrong("Say what to serve: \"rondo serve echo\".")
		},
	}
	cmd.AddCommand(p.serveEcho(), p.serveHTTP())
	for _, s := range small {
		cmd.AddCommand(p.serveSmall(s))
	}
	return cmd
}

func (p *program) serveEcho() *cobra.Command {
	s, style := server{address: "127.0.0.1:7000", drain: 10 * time.Second}, "protocol"
	cmd := &cobra.Command{
		Use:   "echo [options]",
		Short: "Send back whatever comes (RFC 862)",
		Long: `Send back whatever comes, to any number of clients at once. Ctrl-C, or the
signals INT, TERM and HUP, end it in good order: nobody new is let in, and what
has come is still answered. Ctrl-C, INT or TERM after that ends it at once; HUP
does not.`,
		Example: `  rondo serve echo
  rondo serve echo --addr 0.0.0.0:7000 --loops 4
  rondo serve echo --style task
  rondo serve echo --addr unix:/tmp/echo.sock
  rondo serve echo --udp
  rondo serve echo --tls`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.udp && cmd.Flags().Changed("style") {
				return wrong("--udp has no --style: leave one of them out.")
			}
			if s.udp {
				return p.listenPackets(cmd.Context(), &s, inetd.EchoPackets)
			}
			accept := inetd.Echo
			if style == "task" {
				accept = stream.Handle(echoTask)
			}
			return p.listen(cmd.Context(), &s, accept)
		},
	}
	s.flags(cmd.Flags())
	s.udpFlag(cmd.Flags())
	cmd.Flags().Var(choice{word: &style, allowed: []string{"protocol", "task"}}, "style",
		"how it is written: callbacks, or a task for each connection")
	return cmd
}

// smallServer is one of the services that need no options of their own.
type smallServer struct {
	name, short, long string
	port              int
	accept            func() rondo.Protocol
	packets           func() rondo.PacketProtocol
}

var small = []smallServer{
	{"discard", "Throw away whatever comes (RFC 863)", `Throw away whatever comes, from any number of clients at once, until they end.`, 7009, inetd.Discard, inetd.DiscardPackets},
	{"chargen", "Send lines of characters without end (RFC 864)", `Send lines of 72 characters without end, as fast as each client reads them, and
throw away what comes.`, 7019, inetd.Chargen, inetd.ChargenPackets},
	{"daytime", "Say what day and time it is, in words (RFC 867)", `Say what day and time it is in a line of words, in the zone of this machine, and
close.`, 7013, inetd.Daytime, inetd.DaytimePackets},
	{"time", "Say what time it is, in four bytes (RFC 868)", `Say how many seconds have passed since the beginning of 1900, in four bytes, the
most significant first, and close. They begin anew on 7 February 2036.`, 7037, inetd.Time, inetd.TimePackets},
}

func (p *program) serveSmall(small smallServer) *cobra.Command {
	s := server{address: fmt.Sprintf("127.0.0.1:%d", small.port), drain: time.Second}
	cmd := &cobra.Command{
		Use:   small.name + " [options]",
		Short: small.short,
		Long:  small.long + "\nCtrl-C, or the signals INT, TERM and HUP, end it. It is for trying things, and not for the internet.",
		Example: fmt.Sprintf(`  rondo serve %[1]s
  rondo serve %[1]s --addr unix:/tmp/%[1]s.sock
  rondo serve %[1]s --udp
  rondo serve %[1]s --tls`, small.name),
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.udp {
				return p.listenPackets(cmd.Context(), &s, small.packets)
			}
			return p.listen(cmd.Context(), &s, small.accept)
		},
	}
	s.flags(cmd.Flags())
	s.udpFlag(cmd.Flags())
	return cmd
}

const maxPort = 65535

// maxLoops is far beyond any processor count, and far below what would exhaust descriptors.
const maxLoops = 1024

// longestSocketPath leaves room for the zero byte at the end: 107 bytes on Linux, 103 on the BSDs and macOS.
const longestSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// listenOn reads an address to listen on, which the user has given as what. Loopback unless told otherwise: a missing host is 127.0.0.1.
func listenOn(what, s string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" || path == "@" {
			return "", "", wrong("%s: a Unix socket needs a path, or @ and a name: write it like unix:/tmp/echo.sock.", what)
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
	if looksLikeIP(host) {
		return "", "", wrong("%s: %q is no IP address, which has four numbers from 0 to 255: write it like 127.0.0.1:7000.", what, host)
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
