package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
)

var background = context.Background()

// Subject is a protocol under test.
type Subject struct {
	Protocol rondo.Protocol

	// Result says what the protocol has made of its input, in a way that fmt prints the same each time: frames, requests, errors. It is called once, off the
	// loop, when the connection has ended or the input has come and nothing more happens. Nil is nothing: then only what is sent is compared, and how the connection ends.
	Result func() any
}

// CheckProtocol holds a protocol to what every protocol over a stream must keep: however its input is split into pieces, it sends the
// same bytes, ends the connection or does not, reports the same errors to the engine's log, and comes to the same result; it does not panic, nor take more than it
// was given; and what one connection has done does not show on the next. The test fails with the first split, made as small as it goes,
// for which that is not so, and with what the protocol does in both cases.
//
// The input is split at every byte (at a thousand of them, if it is longer), into single bytes, and by chance, the same way each time. There is a
// millisecond of virtual time between pieces. After the last the peer ends its direction, and waits for the end of the other for a minute at the most.
//
// Make is called for a new protocol for each of these connections; protocols that share something on purpose, as a store or a number that
// counts up, must be given a new one by make, too.
func CheckProtocol(t testing.TB, input []byte, make func() Subject) {
	t.Helper()
	if err := checkAll(input, make); err != nil {
		t.Error(err)
	}
}

// CheckStream is CheckProtocol for a handler over streams, which make returns with its [Subject]'s Result: that may be nil.
func CheckStream(t testing.TB, input []byte, make func() (h stream.Handler, result func() any)) {
	t.Helper()
	err := checkAll(input, func() Subject {
		h, result := make()
		return Subject{stream.Handle(h)(), result}
	})
	if err != nil {
		t.Error(err)
	}
}

const (
	checkCuts   = 1000 // places to split at
	checkChance = 50   // splits by chance
	checkMerges = 200  // connections to find a smaller split
	checkWait   = time.Minute
)

// behaviour is all that can be seen of a protocol from without.
type behaviour struct {
	sent     string
	ended    bool
	err      string
	reported string // to the engine's log
	result   string
}

func (b *behaviour) String() string {
	s := fmt.Sprintf("sends %s", quote(b.sent))
	if b.ended {
		s += ", ends the connection"
	}
	if b.err != "" {
		s += ", with " + b.err
	}
	if b.result != "" {
		s += ", comes to " + b.result
	}
	if b.reported != "" {
		s += ", and reports " + b.reported
	}
	return s
}

// checker is the world in which one protocol after the other is tried.
type checker struct {
	w       *World
	make    func() Subject
	subject *rondo.Engine
	host    *Host
	peers   *rondo.Engine
	panics  []string
	reports []string
	doing   string // for when the world breaks
}

// checkAll tries all splits; the error is the report.
func checkAll(input []byte, make func() Subject) error {
	var found error
	c := &checker{make: make, doing: "sim: before the first connection"}
	_, err := Simulate(Config{}, func(w *World) {
		c.w = w
		subject, err := w.Host("subject").New(rondo.Config{
			Logger:     slog.New(&checkLog{c}),
			ReadBuffer: max(16<<10, 2*len(input)), // one piece is to be seen as one
		})
		if err != nil {
			panic(err)
		}
		c.subject = subject
		c.host = w.Host("peer")
		c.peers = c.host.Engine()
		w.SetLink(w.Host("subject"), c.host, Link{})
		found = c.all(input)
	})
	if err != nil && found == nil {
		return fmt.Errorf("%s:\n%w", c.doing, err)
	}
	return found
}

// all looks for a connection that is not like the first.
func (c *checker) all(input []byte) error {
	one := [][]byte{input}
	if len(input) == 0 {
		one = nil
	}
	want := c.behave("with the input in one piece", one)
	if len(c.panics) > 0 {
		return fmt.Errorf("sim: the protocol panics, with %s\n  %v", showSplit(one), &want)
	}
	same := func(what string, got behaviour) error {
		if got == want {
			return nil
		}
		return fmt.Errorf("sim: the protocol does not do the same with the same input\n  with %s\n    it %v\n  with %s\n    it %v", showSplit(one), &want, what, &got)
	}
	// Before splits, so that what one connection leaves to the next is not taken for their doing.
	if err := same("the same piece on a second connection (is state shared between connections?)", c.behave("with a second connection", one)); err != nil {
		return err
	}
	if n := len(input) / 2; n > 0 {
		c.begin([][]byte{input[:n]}).Reset()
		what := fmt.Sprintf("the same piece after another connection that was reset at byte %d (is state shared between connections?)", n)
		if err := same(what, c.behave("after a connection that was reset", one)); err != nil {
			return err
		}
		if err := same("the same, half and half, while another connection has its first half (is state shared between connections?)", c.besides(input[:n], input[n:])); err != nil {
			// It may be the split alone: which is then the better report.
			if alone := c.behave("in halves", [][]byte{input[:n], input[n:]}); alone == want {
				return err
			}
		}
	}
	for _, split := range splits(input) {
		what := "with " + showSplit(split)
		if got := c.behave(what, split); got != want {
			split = c.smaller(split, want)
			return same(showSplit(split), c.behave(what, split))
		}
	}
	return nil
}

// smaller joins pieces of a split as long as the protocol still does something else than want.
func (c *checker) smaller(split [][]byte, want behaviour) [][]byte {
	left := checkMerges
	for i := 0; i+1 < len(split) && len(split) > 2 && left > 0; left-- {
		fewer := slices.Concat(split[:i], [][]byte{slices.Concat(split[i], split[i+1])}, split[i+2:])
		if c.behave("with "+showSplit(fewer), fewer) != want {
			split = fewer
		} else {
			i++
		}
	}
	return split
}

// begin lets a new protocol hear some pieces.
func (c *checker) begin(pieces [][]byte) *Peer {
	peer, _ := c.beginSubject(pieces)
	return peer
}

func (c *checker) beginSubject(pieces [][]byte) (*Peer, Subject) {
	c.panics, c.reports = nil, nil
	s := c.make()
	p := &Peer{w: c.w, host: c.host, home: c.host.up, loop: c.peers.Loop()}
	c.w.attach(p, c.subject, ":0", s.Protocol)
	c.send(p, pieces)
	return p, s
}

func (c *checker) send(p *Peer, pieces [][]byte) {
	for _, piece := range pieces {
		if p.lost {
			return
		}
		p.Send(string(piece))
	}
}

// behave lets a new protocol hear the pieces, and looks at what it does.
func (c *checker) behave(doing string, pieces [][]byte) behaviour {
	c.doing = "sim: " + doing
	p, s := c.beginSubject(pieces)
	return c.end(p, s)
}

// besides is behave for one of two connections, which both hear the same, the first half before the second.
func (c *checker) besides(half, rest []byte) behaviour {
	c.doing = "sim: with two connections at once"
	p, s := c.beginSubject([][]byte{half})
	other := c.begin([][]byte{half})
	c.send(p, [][]byte{rest})
	b := c.end(p, s)
	if !other.lost {
		other.Reset()
	}
	return b
}

// end lets the connection end.
func (c *checker) end(p *Peer, s Subject) (b behaviour) {
	if !p.lost {
		p.CloseWrite()
	}
	late := false
	stop := c.w.After(checkWait, func() { late = true })
	c.w.Wait(func() bool { return late || p.Ended() })
	stop()
	p.Settle() // the protocol hears of it, too
	b.sent, b.ended = p.Received(), p.Ended()
	if err := p.Err(); err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // without addresses, which are others each time
		}
		b.err = err.Error()
	}
	if s.Result != nil {
		b.result = fmt.Sprintf("%+v", s.Result())
	}
	b.reported = strings.Join(append(c.panics, c.reports...), "; ")
	if !p.lost {
		p.Reset()
	}
	return b
}

// checkLog takes what the subject's engine reports.
type checkLog struct{ c *checker }

// Enabled implements slog.Handler, as those below do.
func (*checkLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle implements slog.Handler.
func (h *checkLog) Handle(_ context.Context, r slog.Record) error {
	said := r.Message
	panicked := false
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		if !ok {
			return true
		}
		said += ": " + firstLine(err.Error())
		if _, ok := errors.AsType[*rondo.PanicError](err); ok {
			panicked = true
		}
		return true
	})
	if panicked {
		h.c.panics = append(h.c.panics, said)
	} else {
		h.c.reports = append(h.c.reports, said)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (h *checkLog) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h *checkLog) WithGroup(string) slog.Handler { return h }

// splits are ways to split the input.
func splits(input []byte) (all [][][]byte) {
	n := len(input)
	var cuts []int
	for i := 1; i < n; i++ {
		cuts = append(cuts, i)
	}
	r := rand.New(rand.NewPCG(1, 1)) //nolint:gosec // the same each time
	if len(cuts) > checkCuts {
		r.Shuffle(len(cuts), func(i, j int) { cuts[i], cuts[j] = cuts[j], cuts[i] })
		cuts = cuts[:checkCuts]
		slices.Sort(cuts)
	}
	for _, i := range cuts {
		all = append(all, [][]byte{input[:i], input[i:]})
	}
	if n < 3 {
		return all // that is every way
	}
	if n <= checkCuts {
		all = append(all, slices.Collect(slices.Chunk(input, 1)))
	}
	for range checkChance {
		var split [][]byte
		most := 1 + r.IntN(n)
		for rest := input; len(rest) > 0; {
			k := 1 + r.IntN(min(len(rest), most))
			split = append(split, rest[:k])
			rest = rest[k:]
		}
		all = append(all, split)
	}
	return all
}

// showSplit says how the input is split, so that a person sees where.
func showSplit(split [][]byte) string {
	const many = 8
	var b strings.Builder
	switch n := len(split); n {
	case 0:
		return "no input"
	case 1:
		fmt.Fprintf(&b, "one piece of %d bytes: ", len(split[0]))
	default:
		fmt.Fprintf(&b, "%d pieces, of", n)
		for i, p := range split {
			if i == 4*many {
				b.WriteString(" ...")
				break
			}
			fmt.Fprintf(&b, " %d", len(p))
		}
		b.WriteString(" bytes: ")
	}
	for i, p := range split {
		if i == many {
			b.WriteString(" ...")
			break
		}
		if i > 0 {
			b.WriteString(" | ")
		}
		b.WriteString(quote(string(p)))
	}
	return b.String()
}

// quote quotes s; of a long one, its two ends, at which splits are.
func quote(s string) string {
	const end = 40
	if len(s) <= 2*end {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q...%q", s[:end], s[len(s)-end:])
}
