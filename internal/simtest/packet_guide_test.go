package simtest

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// What follows is shown in docs/guide/datagrams.md, as it is.

type echoPackets struct{}

func (echoPackets) Opened(*rondo.PacketConn)        {}
func (echoPackets) Closed(*rondo.PacketConn, error) {}
func (echoPackets) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	_ = c.WriteTo(p.Data, p.From)
}

type question struct {
	asked  []byte
	answer *rondo.Promise[string]
	timer  rondo.Timer
	tries  int
}

func (q *question) Opened(c *rondo.PacketConn) { q.ask(c) }

func (q *question) ask(c *rondo.PacketConn) {
	if q.tries++; q.tries > 5 {
		_ = c.Close()
		return
	}
	_ = c.Write(q.asked) // an error is as good as a loss
	q.timer = c.Loop().After(200*time.Millisecond<<q.tries, func() { q.ask(c) })
}

func (q *question) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	q.answer.Resolve(string(p.Data))
	_ = c.Close()
}

func (q *question) Closed(_ *rondo.PacketConn, err error) {
	q.timer.Stop()
	if err == nil {
		err = os.ErrDeadlineExceeded
	}
	q.answer.Reject(err) // unless there was an answer
}

func TestQuestion(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		if _, err := w.Host("server").Engine().ListenPacket("udp", ":7", echoPackets{}); err != nil {
			w.Fatalf("%v", err)
		}
		w.OnDatagram(func(d *sim.Datagram) {
			if d.Name() == "client>server:7#1" { // the first one
				d.Lose()
			}
		})
		e := w.Host("client").Engine()
		q := &question{asked: []byte("is anybody there?"), answer: rondo.NewPromise[string](e.Loop())}
		e.DialPacket(t.Context(), "udp", "server:7", q)
		if s, err := q.answer.Future().Wait(t.Context()); err != nil || s != "is anybody there?" {
			w.Errorf("%q, %v", s, err)
		}
		if q.tries != 2 {
			w.Errorf("it was asked %d times", q.tries)
		}
	})
}

func echoDatagrams(t *task.Task, p *stream.Packets) error {
	for {
		in, err := p.Next(t)
		if err != nil {
			return err
		}
		if err := p.WriteTo(t, in.Data, in.From); err != nil { // waits for room
			return err
		}
	}
}

// The end of what is shown.

func TestQuestionInVain(t *testing.T) {
	sim.Run(t, sim.Config{Faults: sim.Faults{LosePackets: 1}}, func(w *sim.World) {
		w.Host("server")
		e := w.Host("client").Engine()
		q := &question{answer: rondo.NewPromise[string](e.Loop())}
		e.DialPacket(t.Context(), "udp", "server:7", q)
		if _, err := q.answer.Future().Wait(t.Context()); err != os.ErrDeadlineExceeded || q.tries != 6 { //nolint:errorlint // the very one
			w.Errorf("%v after %d", err, q.tries)
		}
	})
}

func TestEchoDatagrams(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		l := w.Host("server").Engine().Loop()
		l.Post(task.Go(l, func(t *task.Task) (struct{}, error) {
			p, err := stream.ListenPackets(t, "udp", ":7")
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, echoDatagrams(t, p)
		}).Ignore)
		e := w.Host("client").Engine()
		q := &question{asked: []byte("hello"), answer: rondo.NewPromise[string](e.Loop())}
		e.DialPacket(t.Context(), "udp", "server:7", q)
		if s, err := q.answer.Future().Wait(t.Context()); err != nil || s != "hello" {
			w.Errorf("%q, %v", s, err)
		}
	})
}

// What the guide shows is this file's.
func TestDatagramsGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guide/datagrams.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("packet_guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	unix, err := os.ReadFile("packet_guide_unix_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code = append(code, unix...)
	shown := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindAllStringSubmatch(string(guide), -1)
	if len(shown) != 5 {
		t.Errorf("%d pieces of code are shown", len(shown))
	}
	for _, m := range shown {
		if !strings.Contains(string(code), "\n"+m[1]+"\n") {
			t.Errorf("the guide shows what is not tested:\n%s", m[1])
		}
	}
}
