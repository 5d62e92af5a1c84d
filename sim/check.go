package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
)

var background = context.Background()

// Subject is a protocol under test: what CheckProtocol compares, beside what it has sent.
type Subject struct {
	Protocol rondo.Protocol

	// Result says what the protocol has made of its input, in a way that can be printed: frames, requests, errors. It is called once, when the
	// connection has ended or the input has come and nothing more happens. Nil is nothing.
	Result func() any
}

// CheckProtocol holds a protocol to what every protocol over a stream must keep: however its input is split into pieces, it sends the
// same bytes, ends the connection or does not, and comes to the same result. Make is called for a new protocol again and again. The input is split at every byte
// (at a thousand of them, if it is longer), into single bytes, and by chance; at its end the peer ends its direction.
func CheckProtocol(t testing.TB, input []byte, make func() Subject) {
	t.Helper()
	check(t, input, make)
}

// CheckStream is CheckProtocol for a handler over streams. Result may be nil: see [Subject].
func CheckStream(t testing.TB, input []byte, make func() (h stream.Handler, result func() any)) {
	t.Helper()
	check(t, input, func() Subject {
		h, result := make()
		return Subject{stream.Handle(h)(), result}
	})
}

const (
	checkCuts   = 1000
	checkChance = 50
)

// behaviour is all that can be seen of a protocol from without.
type behaviour struct {
	sent   string
	ended  bool
	err    string
	result string
}

func check(t testing.TB, input []byte, make func() Subject) {
	t.Helper()
	whole, err := behave([][]byte{input}, make)
	if err != nil {
		t.Errorf("sim: with the input in one piece: %v", err)
		return
	}
	for _, split := range splits(input) {
		got, err := behave(split, make)
		if err != nil {
			t.Errorf("sim: with the input in pieces of %v: %v", lengths(split), err)
			return
		}
		if got != whole {
			t.Errorf("sim: with the input in one piece\n  %v\nand in pieces of %v\n  %v", whole, lengths(split), got)
			return
		}
	}
}

func (b behaviour) String() string {
	s := fmt.Sprintf("sends %.200q", b.sent)
	if b.ended {
		s += ", ends"
	}
	if b.err != "" {
		s += ", with " + b.err
	}
	if b.result != "" {
		s += ", and comes to " + b.result
	}
	return s
}

// behave lets a new protocol hear the pieces, and looks at what it does.
func behave(pieces [][]byte, make func() Subject) (b behaviour, err error) {
	_, err = Simulate(Config{}, func(w *World) {
		s := make()
		p := w.Attach(w.Host("subject").Engine(), s.Protocol)
		for _, piece := range pieces {
			if len(piece) > 0 && !p.lost {
				p.Send(piece)
			}
		}
		if !p.lost {
			p.CloseWrite()
		}
		b.sent, b.ended = string(p.Received()), p.Ended()
		if err := p.Err(); err != nil {
			b.err = err.Error()
		}
		if s.Result != nil {
			b.result = fmt.Sprintf("%+v", s.Result())
		}
	})
	return b, err
}

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
	if n <= checkCuts {
		all = append(all, slices.Collect(slices.Chunk(input, 1)))
	}
	for range checkChance {
		var split [][]byte
		for rest := input; len(rest) > 0; {
			k := 1 + r.IntN(min(len(rest), 1+r.IntN(n)))
			split = append(split, rest[:k])
			rest = rest[k:]
		}
		all = append(all, split)
	}
	return all
}

func lengths(split [][]byte) []int {
	ns := make([]int, len(split))
	for i, p := range split {
		ns[i] = len(p)
	}
	return ns
}
