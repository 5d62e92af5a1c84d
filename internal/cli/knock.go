package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/knock"
)

func (p *program) knockServer() *cobra.Command {
	s := server{drain: time.Second}
	cmd := &cobra.Command{
		Use:   "knock-server [options]",
		Short: "Play along with knock-knock jokes",
		Long: `Play along with knock-knock jokes, with any number of clients at once: "Knock
knock" is answered by "Who's there?", and whatever else a client says by the same
and " who?". Lines end in CRLF (what nc sends will do), and have at most 1024
bytes; a longer one ends the connection. Ctrl-C ends the server.`,
		Example: `  rondo knock-server
  rondo knock-server --port 8001 --tls
  nc localhost 8000`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := p.out
			if s.onStdio() { // which is the client's
				out = p.errs
			}
			said := newJournal(out) // loops do not wait for who reads it
			defer said.flush(lastWords)
			return p.listen(cmd.Context(), &s, knock.Server(teller(said), func(peer net.Addr, err error) {
				if err != nil && !errors.Is(err, io.EOF) {
					fmt.Fprintf(p.errs, "%v: %s\n", peer, oneLine(err.Error()))
				}
			}))
		},
	}
	s.portFlag(cmd.Flags(), 8000)
	s.flags(cmd.Flags())
	return cmd
}

// teller prints what is said.
func teller(out io.Writer) func(knock.Line) {
	return func(l knock.Line) {
		who := "Server"
		if l.Client {
			who = "Client"
		}
		fmt.Fprintf(out, "%s: %s\n", who, printable(l.Text))
	}
}

// printable is text of a peer's that a terminal takes for nothing else.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		text = strconv.Quote(text)
		return text[1 : len(text)-1]
	}
	return text
}

// knocking is what the command line of knock-client says.
type knocking struct {
	server   reach
	name     string
	timeout  time.Duration
	security clientTLS
}

func (p *program) knockClient() *cobra.Command {
	k := knocking{name: "Disappearing client", timeout: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "knock-client [options] [[HOST:]PORT | unix:PATH]",
		Short: "Tell a knock-knock joke to a server",
		Long: `Tell a knock-knock joke to a server, at 127.0.0.1:8000 unless told otherwise, and
leave when it has asked who that is. The exit status is 1 if it does not play along.`,
		Example: `  rondo knock-client
  rondo knock-client 8001 --tls --insecure
  rondo knock-client --name Boo
  rondo knock-client unix:/tmp/joke.sock`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) (err error) {
			if len(args) > 1 {
				return wrong("The argument %q is one too many: give one server, or none.", args[1])
			}
			address := "8000"
			if len(args) == 1 {
				address = args[0]
			}
			k.server, err = parseReach(address)
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return p.knock(cmd.Context(), k) },
	}
	cmd.Flags().Var(filled{&k.name, "name"}, "name", "who is there, at most 1000 bytes")
	cmd.Flags().Var(seconds{&k.timeout}, "timeout", "give up after so long, 0 or more; 0 means never")
	k.security.flags(cmd.Flags())
	return cmd
}

// errSlowJoke is how a joke ends for which there is no time.
var errSlowJoke = errors.New("the server did not answer in time")

func (p *program) knock(ctx context.Context, k knocking) error {
	if len(k.name) > 1000 || strings.ContainsAny(k.name, "\r\n") {
		return wrong("--name: give one line of at most 1000 bytes.")
	}
	dial, err := k.security.dialer()
	if err != nil {
		return err
	}
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		return err
	}
	defer e.Close()
	if k.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, k.timeout, errSlowJoke)
		defer cancel()
	}
	said := newJournal(p.out)
	err = tellJoke(ctx, e, k, dial, said)
	said.flush(lastWords)
	return cmp.Or(err, said.failure()) // a joke that nobody hears is no success
}

// tellJoke waits until the joke has been told.
func tellJoke(ctx context.Context, e *rondo.Engine, k knocking, dial dialFunc, said io.Writer) error {
	ended := make(chan error, 2)
	dialed := dial(ctx, e, rondo.Dialer{}, k.server.network, k.server.address, knock.Client(k.name, teller(said), func(err error) { ended <- err }))
	if _, err := dialed.Wait(ctx); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
