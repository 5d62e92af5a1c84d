package frame_test

import (
	"bufio"
	"bytes"
	"io"
	"testing"

	"github.com/rondo-go/rondo/frame"
)

// endless reads the same bytes over and over.
type endless struct {
	data []byte
	at   int
}

func (r *endless) Read(p []byte) (int, error) {
	n := copy(p, r.data[r.at:])
	r.at = (r.at + n) % len(r.data)
	return n, nil
}

const small = "GET /index.html 200 1234" // 24 bytes

// BenchmarkNext is to find one small frame among many that have come; beside it, what package bufio takes for a line.
func BenchmarkNext(b *testing.B) {
	const many = 1000
	for _, test := range []struct {
		name string
		f    frame.Framing
	}{
		{"lines", frame.LinesCRLF(100)},
		{"delimited", frame.Delimited("\r\n", 100)},
		{"netstrings", frame.Netstrings(100)},
		{"uint32", frame.Uint32(100)},
		{"varints", frame.Varints(100)},
	} {
		b.Run(test.name, func(b *testing.B) {
			var data []byte
			for range many {
				data, _ = test.f.Append(data, []byte(small))
			}
			b.ReportAllocs()
			rest := data
			for b.Loop() {
				if len(rest) == 0 {
					rest = data
				}
				_, n, err := test.f.Next(rest, 0)
				if err != nil {
					b.Fatal(err)
				}
				rest = rest[n:]
			}
		})
	}
	text := bytes.Repeat([]byte(small+"\r\n"), many)
	scan := func(b *testing.B, split bufio.SplitFunc) {
		b.ReportAllocs()
		s := bufio.NewScanner(&endless{data: text})
		s.Split(split)
		for b.Loop() {
			if !s.Scan() {
				b.Fatal(s.Err())
			}
		}
	}
	b.Run("bufio.Scanner", func(b *testing.B) { scan(b, bufio.ScanLines) })
	b.Run("bufio.Scanner with SplitFunc", func(b *testing.B) { scan(b, frame.SplitFunc(frame.Lines(100))) })
	b.Run("bufio.Reader.ReadSlice", func(b *testing.B) {
		b.ReportAllocs()
		r := bufio.NewReader(&endless{data: text})
		for b.Loop() {
			if _, err := r.ReadSlice('\n'); err != nil && err != io.EOF { //nolint:errorlint // not wrapped
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAppend is to write one small frame.
func BenchmarkAppend(b *testing.B) {
	for _, test := range []struct {
		name string
		f    frame.Framing
	}{
		{"lines", frame.LinesCRLF(100)},
		{"delimited", frame.Delimited("\r\n", 100)},
		{"netstrings", frame.Netstrings(100)},
		{"uint32", frame.Uint32(100)},
		{"varints", frame.Varints(100)},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			var buf []byte
			p := []byte(small)
			for b.Loop() {
				buf, _ = test.f.Append(buf[:0], p)
			}
		})
	}
}

// A frame costs no allocation, however it comes.
func TestNextDoesNotAllocate(t *testing.T) {
	for name, f := range map[string]frame.Framing{
		"Lines":      frame.Lines(100),
		"Delimited":  frame.Delimited("--", 100),
		"Netstrings": frame.Netstrings(100),
		"Uint16":     frame.Uint16(100),
		"Varints":    frame.Varints(100),
	} {
		p := []byte(small)
		data, err := f.Append(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 0, 100)
		if n := testing.AllocsPerRun(100, func() {
			for end := range len(data) + 1 {
				_, _, _ = f.Next(data[:end], max(0, end-1))
			}
			_, _ = f.Append(buf, p)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
