package frame_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rondo-go/rondo/frame"
)

// A stream's fate is what a receiver has made of it.
type fate struct {
	frames []string
	err    string // or none
	short  bool   // bytes are left that are no whole frame
}

func (x *fate) String() string {
	return fmt.Sprintf("%q, error %q, short %v", x.frames, x.err, x.short)
}

// receive gives data to f in pieces of these sizes, over and over, as an adapter does: it asks when there are as many bytes as f
// needs, and tells f what it has seen.
func receive(t *testing.T, f frame.Framing, data []byte, sizes []int) (x fate) {
	t.Helper()
	var held []byte
	seen, need := 0, 1
	for i := 0; len(data) > 0; i++ {
		k := min(sizes[i%len(sizes)], len(data))
		held = append(bytes.Clone(held), data[:k]...) // always elsewhere, as buffers are that grow
		data = data[k:]
		for len(held) >= need {
			p, n, err := f.Next(held, seen)
			if err != nil {
				x.err = err.Error()
				return x
			}
			if seen, need = len(held), n; n > len(held) {
				break
			}
			x.frames = append(x.frames, string(p))
			held = held[n:]
			seen, need = 0, 1
		}
	}
	x.short = len(held) > 0
	return x
}

// contract asks at each byte, whatever f needs, and holds the answers to what Framing promises.
func contract(t *testing.T, f frame.Framing, data []byte, most, around int) (x fate) {
	t.Helper()
	before := bytes.Clone(data)
	defer func() {
		if !bytes.Equal(before, data) {
			t.Error("Next has changed the bytes")
		}
	}()
	for start := 0; start < len(data); {
		need := 1
		found := false
		for end := start; end <= len(data) && !found; end++ {
			p := data[start:end]
			got, n, err := f.Next(p, 0)
			again, n2, err2 := f.Next(p, max(0, len(p)-1)) // what was there at the byte before
			if !bytes.Equal(got, again) || n != n2 || fmt.Sprint(err) != fmt.Sprint(err2) {
				t.Fatalf("%q: %q, %d, %v; but with the bytes seen before %q, %d, %v", p, got, n, err, again, n2, err2)
			}
			if len(p) < need && n <= len(p) {
				t.Fatalf("%q: needed %d bytes, and with fewer it says %q, %d, %v", data[start:], need, got, n, err)
			}
			switch {
			case err != nil:
				if n != 0 || got != nil {
					t.Fatalf("%q: %q, %d beside %v", p, got, n, err)
				}
				if what(err) == "" {
					t.Fatalf("%q: the error is %v", p, err)
				}
				x.err = err.Error()
				return x
			case n < 1 || n > most+around:
				t.Fatalf("%q: needs %d bytes; the limit is %d and %d around it", p, n, most, around)
			case n > len(p):
				if got != nil || n < need {
					t.Fatalf("%q: %q, needs %d after it needed %d", p, got, n, need)
				}
				need = n
			case got == nil || len(got) > most || cap(got) != len(got):
				t.Fatalf("%q: the frame is %q, of %d bytes and room for %d", p, got, len(got), cap(got))
			default:
				if len(got) > 0 && !within(p, got) {
					t.Fatalf("%q: the frame is a copy", p)
				}
				x.frames = append(x.frames, string(got))
				start += n
				found = true
			}
		}
		if !found {
			x.short = true
			return x
		}
	}
	return x
}

// within reports whether part lies in the memory of p.
func within(p, part []byte) bool {
	for i := range p {
		if &p[i] == &part[0] {
			return true
		}
	}
	return false
}

// what says of which type an error is.
func what(err error) outcome {
	var over *frame.LimitError
	var wrong *frame.SyntaxError
	switch {
	case errors.As(err, &over):
		return limit
	case errors.As(err, &wrong):
		return syntax
	}
	return ""
}

// roundTrip writes a frame, which is refused or read again as it was.
func roundTrip(t *testing.T, f frame.Framing, p []byte, most int) (written []byte) {
	t.Helper()
	head := []byte("head")
	written, err := f.Append(bytes.Clone(head), p)
	if !bytes.HasPrefix(written, head) {
		t.Fatalf("Append has changed what was there into %q", written)
	}
	written = written[len(head):]
	if err != nil {
		if got := what(err); len(written) != 0 || (got == limit) != (len(p) > most) || got == "" {
			t.Fatalf("Append of %q: %q, %v", p, written, err)
		}
		return nil
	}
	got, n, err := f.Next(written, 0)
	if err != nil || n != len(written) || !bytes.Equal(got, p) {
		t.Fatalf("%q is written as %q, and read as %q, %d, %v", p, written, got, n, err)
	}
	return written
}

// subject is a framing under test. Its reference is asked with the same limit.
type subject struct {
	framing   frame.Framing
	reference reference
	limit     int
	around    int  // bytes, at the most
	canonical bool // a frame can be written in one way only
}

// check holds a framing to everything at once.
func (s *subject) check(t *testing.T, data, pieces []byte) {
	t.Helper()
	data = data[:min(len(data), 600)] // asking at each byte takes their square
	want := contract(t, s.framing, data, s.limit, s.around)
	sizes := []int{1 + len(data)/100}
	for _, p := range pieces {
		sizes = append(sizes, 1+int(p))
	}
	for _, sizes := range [][]int{{1}, {2}, {3, 1}, sizes, {len(data) + 1}} {
		if got := receive(t, s.framing, data, sizes); got.String() != want.String() {
			t.Fatalf("%q in pieces of %v:\n%v, byte by byte\n%v", data, sizes, &got, &want)
		}
	}
	frames, rest := s.reference(data)
	var texts []string
	for _, p := range frames {
		texts = append(texts, string(p))
	}
	var got outcome
	switch {
	case want.err == "":
		got = more
	case strings.Contains(want.err, "over the limit"):
		got = limit
	default:
		got = syntax
	}
	if !slices.Equal(texts, want.frames) || got != rest {
		t.Fatalf("%q:\n%v, which %s\nthe reference %q, which %s", data, &want, got, texts, rest)
	}
	var all []byte
	for _, p := range frames {
		all = append(all, roundTrip(t, s.framing, p, s.limit)...)
	}
	if s.canonical && !bytes.HasPrefix(data, all) {
		t.Fatalf("%q is written again as %q", data, all)
	}
	roundTrip(t, s.framing, data, s.limit)
}

// fuzz fuzzes framings that need nothing but a limit.
func fuzz(f *testing.F, make func(most int) []subject, seeds ...string) {
	for _, seed := range seeds {
		for _, most := range []uint16{0, 4, 299} {
			f.Add([]byte(seed), most, []byte{0, 2, 5})
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, most uint16, pieces []byte) {
		for _, s := range make(1 + int(most)) {
			s.check(t, data, pieces)
		}
	})
}

func FuzzLines(f *testing.F) {
	fuzz(f, func(most int) []subject {
		return []subject{
			{frame.Lines(most), referenceLines(most), most, 2, false},
			{frame.LinesCRLF(most), referenceLines(most), most, 2, false},
		}
	}, "", "\n", "\r\n", "one\ntwo\r\nthree", "a\rb\r\r\n", "12345\r\n", "12345\rx", "123456", strings.Repeat("x", 400))
}

func FuzzDelimited(f *testing.F) {
	for _, seed := range []string{"", "--", "a--b-c---d", "---", "12345-", "12345-x", "aabaaab", strings.Repeat("-a", 200)} {
		f.Add([]byte(seed), uint16(4), []byte{1}, "--")
		f.Add([]byte(seed), uint16(0), []byte{}, "aab")
		f.Add([]byte(seed), uint16(299), []byte{0, 7}, "aa")
	}
	f.Fuzz(func(t *testing.T, data []byte, most uint16, pieces []byte, delimiter string) {
		if delimiter == "" {
			delimiter = "\x00"
		}
		n := 1 + int(most)
		s := subject{frame.Delimited(delimiter, n), referenceDelimited(delimiter, n), n, len(delimiter), true}
		s.check(t, data, pieces)
	})
}

func FuzzNetstrings(f *testing.F) {
	fuzz(f, func(most int) []subject {
		return []subject{{frame.Netstrings(most), referenceNetstrings(most), most, 21, true}}
	}, "", "0:,", "5:hello,3:any,", "5:hello;", "00:,", "01:a,", ":,", "1a:", "5", "1"+strings.Repeat("0", 30)+":", "-1:,", "299:")
}

func FuzzUint8(f *testing.F) {
	fuzz(f, func(most int) []subject {
		least := min(most, 255)
		return []subject{{frame.Uint8(most), referenceFixed(1, nil, least), least, 1, true}}
	}, "", "\x00", "\x05hello\x00\x01", "\xff")
}

func FuzzUint16(f *testing.F) {
	fuzz(f, func(most int) []subject {
		least := min(most, 65535)
		return []subject{
			{frame.Uint16(most), referenceFixed(2, binary.BigEndian, least), least, 2, true},
			{frame.Uint16LE(most), referenceFixed(2, binary.LittleEndian, least), least, 2, true},
		}
	}, "", "\x00", "\x00\x00", "\x00\x05hello\x00", "\x05\x00hello\x00", "\xff\xff")
}

func FuzzUint32(f *testing.F) {
	fuzz(f, func(most int) []subject {
		return []subject{
			{frame.Uint32(most), referenceFixed(4, binary.BigEndian, most), most, 4, true},
			{frame.Uint32LE(most), referenceFixed(4, binary.LittleEndian, most), most, 4, true},
		}
	}, "", "\x00\x00\x00", "\x00\x00\x00\x05hello\x00", "\x05\x00\x00\x00hello\x00", "\xff\xff\xff\xff", "GET / HTTP/1.1\r\n")
}

func FuzzVarints(f *testing.F) {
	fuzz(f, func(most int) []subject {
		return []subject{{frame.Varints(most), referenceVarints(most), most, 10, true}}
	}, "", "\x00", "\x05hello\x00\x80", "\x80\x00", "\x81\x00", "\xac\x02"+strings.Repeat("x", 300), strings.Repeat("\xff", 9)+"\x01",
		strings.Repeat("\xff", 9)+"\x02", strings.Repeat("\x80", 11))
}

// FuzzSplitFunc holds the function for bufio.Scanner to what receive makes of the same bytes.
func FuzzSplitFunc(f *testing.F) {
	f.Add([]byte("one\ntwo\r\n\nthree"), []byte{0, 3})
	f.Fuzz(func(t *testing.T, data, pieces []byte) {
		sizes := []int{1 + len(data)/100}
		for _, p := range pieces {
			sizes = append(sizes, 1+int(p))
		}
		for _, f := range []frame.Framing{frame.Lines(50), frame.Netstrings(50), frame.Uint8(50)} {
			want := receive(t, f, data, sizes)
			if want.err == "" && want.short {
				want.err = "unexpected EOF"
			}
			want.short = false
			if got := scan(f, data, sizes); got.String() != want.String() {
				t.Fatalf("%q in pieces of %v:\n%v, the scanner\n%v", data, sizes, &want, &got)
			}
		}
	})
}
