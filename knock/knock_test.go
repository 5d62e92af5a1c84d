package knock_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/knock"
	"github.com/rondo-go/rondo/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(h *sim.Host) error {
	_, err := h.Engine().Listen("tcp", ":8000", knock.Server(nil, nil))
	return err
}

// The joke, whole.
func TestJoke(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(start)
		var lines []string
		ended := errors.New("not yet")
		e := w.Host("client").Engine()
		e.Dial(t.Context(), "tcp", "server:8000", knock.Client("Disappearing client", func(l knock.Line) {
			who := "server"
			if l.Client {
				who = "client"
			}
			lines = append(lines, who+": "+l.Text)
		}, func(err error) { ended = err }))
		w.Sleep(time.Second)
		want := "client: Knock knock, server: Who's there?, client: Disappearing client, server: Disappearing client who?"
		if got := strings.Join(lines, ", "); got != want || ended != nil {
			w.Errorf("%s; it ended with %v", got, ended)
		}
		if n := w.Host("server").Engine().Conns(); n != 0 {
			w.Errorf("the server has %d connections left", n)
		}
	})
}

// A client that types, in pieces and several lines at once; the end of a line may be LF alone.
func TestServer(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(start)
		c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:8000")
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		for _, piece := range []string{"Kno", "ck kn", "ock", "\r", "\nBoo\n\r\nKnock knock\r\nLong ", "name\r\n"} {
			_, _ = c.Write([]byte(piece))
			w.Sleep(time.Second)
		}
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		got, err := io.ReadAll(c)
		if want := "Who's there?\r\nBoo who?\r\nWho's there?\r\nLong name who?\r\n"; string(got) != want || err != nil {
			w.Errorf("%q, %v", got, err)
		}
	})
}

// A line that does not end is not waited for without end, and the longest is answered.
func TestLineTooLong(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var lost error
		if _, err := w.Host("server").Engine().Listen("tcp", ":8000", knock.Server(nil, func(_ net.Addr, err error) { lost = err })); err != nil {
			w.Fatalf("listening: %v", err)
		}
		c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:8000")
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		long := strings.Repeat("x", knock.MaxLine)
		fmt.Fprintf(c, "%s\r\n", long)
		if got, err := bufio.NewReader(c).ReadString('\n'); got != long+" who?\r\n" {
			w.Errorf("%d bytes, %v", len(got), err)
		}
		_, _ = c.Write([]byte(long + long))
		_, _ = io.Copy(io.Discard, c)
		w.Sleep(time.Second)
		if _, ok := errors.AsType[*frame.LimitError](lost); !ok {
			w.Errorf("the connection was lost with %v", lost)
		}
	})
}

// What servers do to a client.
func TestClientIsLetDown(t *testing.T) {
	for name, c := range map[string]struct {
		answers string
		want    func(error) bool
	}{
		"another answer":  {"Go away\r\n", func(err error) bool { _, ok := errors.AsType[*knock.AnswerError](err); return ok }},
		"another name":    {"Who's there?\r\nBoo who?\r\n", func(err error) bool { _, ok := errors.AsType[*knock.AnswerError](err); return ok }},
		"nothing":         {"", func(err error) bool { return errors.Is(err, knock.ErrNoAnswer) }},
		"half an answer":  {"Who's the", func(err error) bool { return errors.Is(err, knock.ErrNoAnswer) }},
		"only the first":  {"Who's there?\r\n", func(err error) bool { return errors.Is(err, knock.ErrNoAnswer) }},
		"a line too long": {strings.Repeat("x", 5000), func(err error) bool { _, ok := errors.AsType[*frame.LimitError](err); return ok }},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				if _, err := w.Host("server").Engine().Listen("tcp", ":8000", func() rondo.Protocol { return saying(c.answers) }); err != nil {
					w.Fatalf("listening: %v", err)
				}
				ended := errors.New("not yet")
				w.Host("client").Engine().Dial(t.Context(), "tcp", "server:8000", knock.Client("Boom", nil, func(err error) { ended = err }))
				w.Sleep(10 * time.Second)
				if !c.want(ended) {
					w.Errorf("it ended with %v", ended)
				}
			})
		})
	}
}

// saying says what it has to say, whatever it hears, and leaves.
type saying string

func (s saying) ConnectionMade(c *rondo.Conn) {
	_, _ = c.Write([]byte(s))
	_ = c.CloseLingering(0, 0)
}
func (saying) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (saying) ConnectionLost(*rondo.Conn, error)        {}

// Under faults a client hears the joke, or hears that it did not.
func TestChaos(t *testing.T) {
	heard := 0
	faults := sim.Chaos()
	faults.Spare = []string{"client"} // whose word counts
	sim.Search(t, 100, sim.Config{Faults: faults}, func(w *sim.World) {
		w.Host("server").Start(start)
		client := w.Host("client")
		for range 5 {
			ended := false
			f := client.Engine().Dial(t.Context(), "tcp", "server:8000", knock.Client("Boom", nil, func(err error) {
				ended = true
				if err == nil {
					heard++
				}
			}))
			f.Loop().Post(func() {
				f.OnDone(func(c *rondo.Conn, err error) {
					if err != nil {
						ended = true
					} else {
						c.SetIdleTimeout(10 * time.Second)
					}
				})
			})
			w.Sleep(5 * time.Minute)
			if !ended {
				w.Errorf("a client waits")
			}
		}
	})
	if heard < 100 {
		t.Errorf("only %d jokes were heard", heard)
	}
}
