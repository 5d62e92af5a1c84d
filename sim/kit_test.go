package sim_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// lines is a protocol that answers each line with its length. What it does wrong, if anything, is what its parse does.
type lines struct {
	parse  func(l *lines, c *rondo.Conn, p []byte) int
	greets bool
	kept   []byte
	count  int
	heard  []string
	timer  rondo.Timer
	idle   time.Duration
}

func (l *lines) ConnectionMade(c *rondo.Conn) {
	if l.greets {
		_, _ = c.Write([]byte("hello\n"))
	}
	if l.idle > 0 {
		l.timer = c.Loop().After(l.idle, func() { c.Close() })
	}
}

func (l *lines) DataReceived(c *rondo.Conn, p []byte) int {
	if l.idle > 0 {
		l.timer.Stop()
		l.timer = c.Loop().After(l.idle, func() { c.Close() })
	}
	return l.parse(l, c, p)
}
func (l *lines) ConnectionLost(*rondo.Conn, error) {}

func (l *lines) line(c *rondo.Conn, line []byte) {
	l.heard = append(l.heard, string(line))
	fmt.Fprintf(c, "%d\n", len(line))
}

// The ways to parse.

func right(l *lines, c *rondo.Conn, p []byte) (n int) {
	for {
		line, rest, found := bytes.Cut(p[n:], []byte("\n"))
		if !found {
			return n
		}
		l.line(c, line)
		n = len(p) - len(rest)
	}
}

// wholeLines takes what comes for whole lines.
func wholeLines(l *lines, c *rondo.Conn, p []byte) int {
	for line := range bytes.Lines(p) {
		l.line(c, bytes.TrimRight(line, "\n"))
	}
	return len(p)
}

// dropsRest forgets what follows the last whole line.
func dropsRest(l *lines, c *rondo.Conn, p []byte) int {
	right(l, c, p)
	return len(p)
}

// oncePerCall answers one line each time.
func oncePerCall(l *lines, c *rondo.Conn, p []byte) int {
	line, _, found := bytes.Cut(p, []byte("\n"))
	if !found {
		return 0
	}
	l.line(c, line)
	return len(line) + 1
}

// panicsAt cannot stand that a line ends with what has come and another begins.
func panicsAt(l *lines, c *rondo.Conn, p []byte) int {
	if len(p) == 7 {
		panic("seven bytes")
	}
	return right(l, c, p)
}

// overtakes says that it has taken the end of the last line, too.
func overtakes(l *lines, c *rondo.Conn, p []byte) int {
	n := right(l, c, p)
	if n < len(p) {
		return len(p) + 1
	}
	return n
}

// countsAgain counts bytes when they come, also those that it leaves and that come again.
func countsAgain(l *lines, c *rondo.Conn, p []byte) int {
	l.count += len(p)
	n := right(l, c, p)
	if n > 0 {
		fmt.Fprintf(c, "%d in all\n", l.count)
		l.count = 0
	}
	return n
}

// keepsAndLeaves keeps a copy of what it leaves unconsumed as well.
func keepsAndLeaves(l *lines, c *rondo.Conn, p []byte) int {
	all := append(l.kept, p...)
	n := right(l, c, all)
	l.kept = bytes.Clone(all[n:])
	return min(n, len(p))
}

const dialogue = "one\nthree\n\nfour and five\nsix\n"

// failures is what a check says of a protocol.
func failures(check func(t testing.TB)) string {
	r := &recorded{}
	check(r)
	return strings.Join(r.failures, "\n")
}

func (r *recorded) Failed() bool        { return len(r.failures) > 0 }
func (r *recorded) Logf(string, ...any) {}
func (r *recorded) Error(args ...any)   { r.failures = append(r.failures, fmt.Sprint(args...)) }

func TestCheckProtocol(t *testing.T) {
	for _, test := range []struct {
		name  string
		parse func(l *lines, c *rondo.Conn, p []byte) int
		input string
		want  []string // in the report; none: it passes
	}{
		{"right", right, dialogue, nil},
		{"right with a rest", right, dialogue + "rest", nil},
		{"no input", right, "", nil},
		{"one byte", right, "\n", nil},
		{"takes pieces for lines", wholeLines, dialogue, []string{
			`one piece of 29 bytes: "one\nthree\n\nfour and five\nsix\n"`, `2 pieces, of 1 28 bytes: "o" | "ne\n`,
			`sends "3\n5\n0\n13\n3\n"`, `sends "1\n2\n5\n`, "comes to [one three", "comes to [o ne three",
		}},
		{"drops the remainder", dropsRest, dialogue, []string{`2 pieces, of 1 28 bytes`, `sends "3\n5\n`, `sends "2\n5\n`}},
		{"answers once per call", oncePerCall, dialogue, []string{`sends "3\n"`, `sends "3\n5\n"`, `"one\n" | "three`}},
		{"panics at a split", panicsAt, dialogue, []string{`2 pieces, of 7 22 bytes: "one\nthr" | "ee\n`, `ends the connection`, "seven bytes"}},
		{"panics always", panicsAt, "seven b", []string{"panics", `one piece of 7 bytes: "seven b"`, "seven bytes"}},
		{"consumes more than it was given", overtakes, dialogue, []string{`2 pieces, of 1 28 bytes`, "returned 2 for 1 bytes"}},
		{"counts what comes again", countsAgain, dialogue, []string{`2 pieces, of 1 28 bytes`, "29 in all", "30 in all"}},
		{"keeps what it leaves", keepsAndLeaves, "one\ntwo\n", []string{`2 pieces, of 1 7 bytes`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := failures(func(t testing.TB) {
				sim.CheckProtocol(t, []byte(test.input), func() sim.Subject {
					l := &lines{parse: test.parse}
					return sim.Subject{Protocol: l, Result: func() any { return l.heard }}
				})
			})
			if (got == "") != (len(test.want) == 0) {
				t.Errorf("the report is %q", got)
			}
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("the report does not say %q:\n%s", want, got)
				}
			}
		})
	}
}

// sharer keeps the beginning of a line where the next connection finds it.
func sharer(shared *[]byte) func() sim.Subject {
	return func() sim.Subject {
		return sim.Subject{Protocol: &lines{parse: func(l *lines, c *rondo.Conn, p []byte) int {
			all := append(*shared, p...)
			*shared = bytes.Clone(all[right(l, c, all):])
			return len(p)
		}}}
	}
}

func TestCheckFindsSharedState(t *testing.T) {
	for _, test := range []struct{ input, want string }{
		{"one\nrest", "a second connection"},
		{"one\nthree\n", "was reset at byte 5"},
	} {
		var shared []byte
		got := failures(func(t testing.TB) { sim.CheckProtocol(t, []byte(test.input), sharer(&shared)) })
		if !strings.Contains(got, test.want) || !strings.Contains(got, "is state shared") {
			t.Errorf("%q: the report does not say %q:\n%s", test.input, test.want, got)
		}
	}
	// Shared, but put right when a connection ends.
	got := failures(func(t testing.TB) {
		open := 0
		sim.CheckProtocol(t, []byte("one\ntwo\n"), func() sim.Subject {
			return sim.Subject{Protocol: &counted{open: &open}}
		})
	})
	if want := "while another connection has its first half"; !strings.Contains(got, want) {
		t.Errorf("the report does not say %q:\n%s", want, got)
	}
}

// counted says how many connections have heard something and not ended.
type counted struct {
	open  *int
	heard bool
}

func (p *counted) ConnectionMade(*rondo.Conn) {}
func (p *counted) DataReceived(c *rondo.Conn, b []byte) int {
	if !p.heard {
		p.heard = true
		*p.open++
	}
	for range bytes.Count(b, []byte("\n")) {
		fmt.Fprintln(c, *p.open)
	}
	return len(b)
}

func (p *counted) ConnectionLost(*rondo.Conn, error) {
	if p.heard {
		*p.open--
	}
}

// frames reads frames of a length of two bytes and as much, and answers each with the sum of its bytes; wrongly, if once, with one Next in place of ReadFull.
func frames(once bool) (stream.Handler, func() any) {
	var heard []int
	return func(t *task.Task, s *stream.Stream) error {
		var head [2]byte
		for {
			if _, err := s.ReadFull(t, head[:]); err != nil {
				return err
			}
			body := make([]byte, binary.BigEndian.Uint16(head[:]))
			if once && len(body) > 0 {
				if _, err := s.Read(t, body); err != nil {
					return err
				}
			} else if _, err := s.ReadFull(t, body); err != nil {
				return err
			}
			sum := byte(0)
			for _, b := range body {
				sum += b
			}
			heard = append(heard, len(body))
			if _, err := s.Write(t, []byte{sum}); err != nil {
				return err
			}
		}
	}, func() any { return heard }
}

func framed(bodies ...string) (input []byte) {
	for _, body := range bodies {
		input = binary.BigEndian.AppendUint16(input, uint16(len(body)))
		input = append(input, body...)
	}
	return input
}

func TestCheckStream(t *testing.T) {
	input := framed("one", "", "three and a half", "x")
	sim.CheckStream(t, input, func() (stream.Handler, func() any) { return frames(false) })
	sim.CheckStream(t, input[:len(input)-1], func() (stream.Handler, func() any) { return frames(false) })
	got := failures(func(t testing.TB) {
		sim.CheckStream(t, input, func() (stream.Handler, func() any) { return frames(true) })
	})
	if !strings.Contains(got, `2 pieces, of 3`) || !strings.Contains(got, `"\x00\x03o" | "ne`) {
		t.Errorf("the report is %s", got)
	}
	got = failures(func(t testing.TB) {
		sim.CheckStream(t, input, func() (stream.Handler, func() any) {
			return func(t *task.Task, s *stream.Stream) error {
				if p, err := s.Next(t, 100); err != nil || len(p) < 5 {
					panic("too little")
				}
				return nil
			}, nil
		})
	})
	if !strings.Contains(got, "too little") {
		t.Errorf("the report is %s", got)
	}
}

// The budget is two seconds of an input of a thousand bytes; virtual time would be no use if it took longer than what it stands for.
func TestCheckIsQuick(t *testing.T) {
	input := bytes.Repeat([]byte("a line of fifty bytes, with the end that it has..\n"), 20)
	begun := time.Now()
	sim.CheckProtocol(t, input, func() sim.Subject { return sim.Subject{Protocol: &lines{parse: right}} })
	t.Logf("%d bytes took %v", len(input), time.Since(begun))
	if d := time.Since(begun); d > 20*time.Second { // not two: other work may go on, and the race detector
		t.Errorf("%d bytes took %v", len(input), d)
	}
}

// attachments are the two sides that a protocol can be on.
var attachments = map[string]func(*sim.World, *rondo.Engine, rondo.Protocol) *sim.Peer{
	"dials":       (*sim.World).Attach,
	"is accepted": (*sim.World).AttachAccepted,
}

func TestPeer(t *testing.T) {
	for name, attach := range attachments {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				p := attach(w, w.Host("a").Engine(), &lines{parse: right, greets: true, idle: time.Minute})
				p.Expect("hello\n")
				p.Send("one\nthr", "ee\n")
				if got := p.Received(); got != "3\n5\n" {
					t.Errorf("after Send, %q has come", got)
				}
				p.Expect("3\n5\n")
				begun := w.Elapsed()
				p.SendEvery(20*time.Second, "a", "b", "\n")
				if d := w.Elapsed() - begun; d < time.Minute || d > time.Minute+time.Second {
					t.Errorf("three pieces every 20 seconds took %v", d)
				}
				p.Expect("2\n")
				p.ExpectNothing(30 * time.Second)
				if d := p.ExpectEnd(); d < 9*time.Second || d > 10*time.Second {
					t.Errorf("the timeout of a minute came %v after 50 seconds", d)
				}
				if !p.Ended() || p.Err() != nil {
					t.Errorf("ended: %v, %v", p.Ended(), p.Err())
				}
			})
		})
	}
}

// shouter sends as much as it may at once, and notes when it is asked to stop.
type shouter struct {
	size           int
	paused, resume bool
	err            error
}

func (s *shouter) ConnectionMade(c *rondo.Conn)                 { _, _ = c.Write(make([]byte, s.size)) }
func (s *shouter) PauseWriting(*rondo.Conn)                     { s.paused = true }
func (s *shouter) ResumeWriting(*rondo.Conn)                    { s.resume = true }
func (s *shouter) ConnectionLost(_ *rondo.Conn, err error)      { s.err = err }
func (s *shouter) DataReceived(c *rondo.Conn, p []byte) (n int) { c.Abort(); return len(p) }

func TestPeerThatReadsNothing(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		s := &shouter{size: 1 << 20}
		p := w.Attach(w.Host("a").Engine(), s)
		p.PauseReading()
		p.Settle()
		w.Sleep(time.Minute)
		if !s.paused || s.resume {
			t.Errorf("paused %v, resumed %v", s.paused, s.resume)
		}
		p.ResumeReading()
		p.Expect(strings.Repeat("\x00", s.size))
		if !s.resume {
			t.Error("never resumed")
		}
		p.Send("x")
		p.ExpectReset()
	})
}

func TestPeerEnds(t *testing.T) {
	for name, end := range map[string]func(*sim.Peer){"EOF": (*sim.Peer).CloseWrite, "EOF ": (*sim.Peer).Close, "connection reset": (*sim.Peer).Reset} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			s := &shouter{}
			p := w.Attach(w.Host("a").Engine(), s)
			end(p)
			if s.err == nil || !strings.Contains(s.err.Error(), strings.TrimSpace(name)) {
				t.Errorf("%s: the protocol hears %v", name, s.err)
			}
		})
	}
}

// What a script expects in vain is reported with its line, and what has come in its place.
func TestPeerReports(t *testing.T) {
	for _, test := range []struct {
		script func(*sim.Peer)
		want   string
	}{
		{func(p *sim.Peer) { p.Send("one\n"); p.Expect("4\n") }, `the peer got "3\n", want "4\n"`},
		{func(p *sim.Peer) { p.Expect("x") }, `the peer got "", want "x"`},
		{func(p *sim.Peer) { p.CloseWrite(); p.Expect("x") }, `the peer got "" and the end, want "x"`},
		{func(p *sim.Peer) { p.Send("\n"); p.ExpectNothing(time.Second) }, `the peer got "0\n" after 0s, want nothing for 1s`},
		{func(p *sim.Peer) { p.ExpectEnd() }, `the peer got "", want the end`},
		{func(p *sim.Peer) { p.Send("\n"); p.CloseWrite(); p.ExpectEnd() }, `the peer got "0\n" and the end, want the end`},
		{func(p *sim.Peer) { p.CloseWrite(); p.ExpectReset() }, `the peer got "" and the end, want a reset`},
	} {
		_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
			test.script(w.Attach(w.Host("a").Engine(), &lines{parse: right}))
		})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "kit_test.go:") {
			t.Errorf("the report is %v, want %s", err, test.want)
		}
	}
}

// Two ends on one host that answer each other for ever do not keep time from passing.
func TestPingPongWithinHost(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		sim.Run(t, sim.Config{}, func(w *sim.World) {
			address := map[string]string{"tcp": "localhost:7", "unix": "/run/pong"}[network]
			e := w.Host("a").Engine()
			ponged := 0
			pong := func() rondo.Protocol {
				return &lines{greets: true, parse: func(_ *lines, c *rondo.Conn, p []byte) int {
					ponged++
					_, _ = c.Write([]byte("x"))
					return len(p)
				}}
			}
			if _, err := e.Listen(network, address, pong); err != nil {
				t.Fatal(err)
			}
			e.Dial(t.Context(), network, address, pong())
			w.Sleep(100 * time.Millisecond)
			if ponged < 1000 || ponged > 100_000 {
				t.Errorf("%s: there and back %d times in 100 ms", network, ponged/2)
			}
		})
	}
}
