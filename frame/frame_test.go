package frame_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rondo-go/rondo/frame"
)

// What the specifications say, and what is at their edges.
func TestNext(t *testing.T) {
	million := strings.Repeat("x", 1_000_000)
	for _, test := range []struct {
		name  string
		f     frame.Framing
		in    string
		frame string // if n is not 0
		n     int
		err   string
	}{
		{"line", frame.Lines(5), "hello\nrest", "hello", 6, ""},
		{"line with CRLF", frame.Lines(5), "hello\r\nrest", "hello", 7, ""},
		{"empty line", frame.Lines(1), "\n", "", 1, ""},
		{"empty line with CRLF", frame.Lines(1), "\r\n", "", 2, ""},
		{"carriage returns within", frame.Lines(5), "a\rb\r\r\n", "a\rb\r", 6, ""},
		{"line not whole", frame.Lines(5), "hell", "", 5, ""},
		{"line at the limit, not whole", frame.Lines(5), "hello", "", 6, ""},
		{"line at the limit, half an end", frame.Lines(5), "hello\r", "", 7, ""},
		{"line over the limit", frame.Lines(5), "hello!", "", 0, "frame: a line is over the limit of 5 bytes"},
		{"line over the limit with an end", frame.Lines(5), "hello!\n", "", 0, "frame: a line is over the limit of 5 bytes"},
		{"line over the limit by a carriage return", frame.Lines(5), "hello\r\r\n", "", 0, "frame: a line is over the limit of 5 bytes"},
		{"line that never ends", frame.Lines(1000), million, "", 0, "frame: a line is over the limit of 1000 bytes"},
		{"lines without end", frame.Lines(math.MaxInt), million, "", 1_000_001, ""},

		{"delimited", frame.Delimited("END", 5), "helloENDrest", "hello", 8, ""},
		{"delimited by a NUL", frame.Delimited("\x00", 5), "\x00rest", "", 1, ""},
		{"the delimiter not whole", frame.Delimited("END", 5), "helloEN", "", 8, ""},
		{"the delimiter not whole within the limit", frame.Delimited("END", 5), "hellEN", "", 7, ""},
		{"delimited over the limit", frame.Delimited("END", 5), "hello!", "", 0, "frame: a frame is over the limit of 5 bytes"},
		{"delimiter over the limit", frame.Delimited("END", 5), "hello!END", "", 0, "frame: a frame is over the limit of 5 bytes"},

		// https://cr.yp.to/proto/netstrings.txt: "hello world!" and the empty string.
		{"netstring", frame.Netstrings(12), "12:hello world!,rest", "hello world!", 16, ""},
		{"empty netstring", frame.Netstrings(12), "0:,", "", 3, ""},
		{"netstring of any bytes", frame.Netstrings(12), "4:,:\x00\n,", ",:\x00\n", 7, ""},
		{"length not whole", frame.Netstrings(12), "1", "", 2, ""},
		{"length whole", frame.Netstrings(12), "12:", "", 16, ""},
		{"comma to come", frame.Netstrings(12), "3:abc", "", 6, ""},
		{"no comma", frame.Netstrings(12), "3:abcd", "", 0, `frame: byte 5 of a netstring: "d" is where its comma must be`},
		{"leading zero", frame.Netstrings(12), "03:abc,", "", 0, "frame: byte 0 of a netstring: its length begins with a zero that it does not need"},
		{"two zeros", frame.Netstrings(12), "00:,", "", 0, "frame: byte 0 of a netstring: its length begins with a zero that it does not need"},
		{"no length", frame.Netstrings(12), ":,", "", 0, `frame: byte 0 of a netstring: ":" is no digit of its length`},
		{"negative length", frame.Netstrings(12), "-1:,", "", 0, `frame: byte 0 of a netstring: "-" is no digit of its length`},
		{"space", frame.Netstrings(12), "3 :abc,", "", 0, `frame: byte 1 of a netstring: " " is no digit of its length`},
		{"netstring over the limit", frame.Netstrings(12), "13", "", 0, "frame: a netstring is over the limit of 12 bytes"},
		{"netstring of 10^30", frame.Netstrings(12), "1" + strings.Repeat("0", 30) + ":", "", 0, "frame: a netstring is over the limit of 12 bytes"},
		{"netstring of 10^30, any limit", frame.Netstrings(math.MaxInt), "1" + strings.Repeat("0", 30) + ":", "", 0, "frame: a netstring is over the limit of"},
		{"netstring of 2^64", frame.Netstrings(math.MaxInt), "18446744073709551616:", "", 0, "frame: a netstring is over the limit of"},

		{"one byte", frame.Uint8(255), "\x02abc", "ab", 3, ""},
		{"one byte, nothing", frame.Uint8(255), "", "", 1, ""},
		{"one byte, empty", frame.Uint8(1), "\x00", "", 1, ""},
		{"one byte over the limit", frame.Uint8(9), "\x0a", "", 0, "frame: a frame of 10 bytes is over the limit of 9 bytes"},
		{"two bytes", frame.Uint16(300), "\x01\x02", "", 2 + 258, ""},
		{"two bytes, half", frame.Uint16(300), "\x01", "", 2, ""},
		{"two bytes, little end first", frame.Uint16LE(600), "\x01\x02", "", 2 + 513, ""},
		{"four bytes", frame.Uint32(1 << 30), "\x01\x02\x03\x04", "", 4 + 0x01020304, ""},
		{"four bytes, little end first", frame.Uint32LE(1 << 30), "\x01\x02\x03\x04", "", 4 + 0x04030201, ""},
		{"four bytes of text", frame.Uint32(1 << 16), "GET ", "", 0, "frame: a frame of 1195725856 bytes is over the limit of 65536 bytes"},

		// https://protobuf.dev/programming-guides/encoding/#varints: 150 is 96 01.
		{"varint", frame.Varints(200), "\x96\x01", "", 152, ""},
		{"varint of one byte", frame.Varints(200), "\x02abc", "ab", 3, ""},
		{"varint, half", frame.Varints(200), "\x96", "", 2, ""},
		{"varint of zero", frame.Varints(200), "\x00", "", 1, ""},
		{"varint over the limit", frame.Varints(149), "\x96\x01", "", 0, "frame: a frame of 150 bytes is over the limit of 149 bytes"},
		{"varint too long", frame.Varints(200), "\x82\x00ab", "", 0, "frame: byte 1 of a frame with a varint: the length takes more bytes than it needs"},
		{"varint of 2^64-1", frame.Varints(200), strings.Repeat("\xff", 9) + "\x01", "", 0, "frame: a frame of 18446744073709551615 bytes is over the limit of 200 bytes"},
		{"varint of 2^64", frame.Varints(200), strings.Repeat("\x80", 9) + "\x02", "", 0, "frame: byte 9 of a frame with a varint: the length has more than 64 bits"},
		{"varint without end", frame.Varints(200), strings.Repeat("\x80", 9), "", 10, ""},
	} {
		got, n, err := test.f.Next([]byte(test.in), 0)
		if string(got) != test.frame || n != test.n || !says(err, test.err) {
			t.Errorf("%s: %q, %d, %v", test.name, got, n, err)
		}
	}
}

func says(err error, want string) bool {
	if err == nil || want == "" {
		return err == nil && want == ""
	}
	return strings.HasPrefix(err.Error(), want)
}

// What would not be read again is not written.
func TestAppend(t *testing.T) {
	for _, test := range []struct {
		name string
		f    frame.Framing
		in   string
		out  string
		err  string
	}{
		{"line", frame.Lines(5), "hello", "hello\n", ""},
		{"line with CRLF", frame.LinesCRLF(5), "hello", "hello\r\n", ""},
		{"line too long", frame.Lines(5), "hello!", "", "frame: a line of 6 bytes is over the limit of 5 bytes"},
		{"two lines", frame.LinesCRLF(5), "a\nb", "", "frame: byte 1 of a line: a line feed would end it there"},
		{"carriage return at the end", frame.Lines(5), "ab\r", "", "frame: byte 2 of a line: a carriage return at its end would be taken for a part of that"},
		{"carriage return before CRLF", frame.LinesCRLF(5), "ab\r", "ab\r\r\n", ""},
		{"carriage return within", frame.Lines(5), "a\rb", "a\rb\n", ""},
		{"delimited", frame.Delimited("--", 5), "a-b", "a-b--", ""},
		{"delimiter within", frame.Delimited("--", 5), "a--b", "", `frame: byte 1 of a frame: the delimiter "--" would be found there`},
		{"delimiter across the end", frame.Delimited("--", 5), "ab-", "", `frame: byte 2 of a frame: the delimiter "--" would be found there`},
		{"delimiter all but across the end", frame.Delimited("aab", 5), "xa", "xaaab", ""},
		{"netstring", frame.Netstrings(12), "hello world!", "12:hello world!,", ""},
		{"empty netstring", frame.Netstrings(12), "", "0:,", ""},
		{"netstring too long", frame.Netstrings(1), "ab", "", "frame: a netstring of 2 bytes is over the limit of 1 bytes"},
		{"one byte", frame.Uint8(5), "ab", "\x02ab", ""},
		{"one byte cannot say it", frame.Uint8(1000), strings.Repeat("x", 256), "", "frame: a frame of 256 bytes is over the limit of 255 bytes"},
		{"two bytes", frame.Uint16(5), "ab", "\x00\x02ab", ""},
		{"two bytes, little end first", frame.Uint16LE(5), "ab", "\x02\x00ab", ""},
		{"two bytes cannot say it", frame.Uint16(100_000), strings.Repeat("x", 65_536), "", "frame: a frame of 65536 bytes is over the limit of 65535 bytes"},
		{"four bytes", frame.Uint32(5), "ab", "\x00\x00\x00\x02ab", ""},
		{"four bytes, little end first", frame.Uint32LE(5), "ab", "\x02\x00\x00\x00ab", ""},
		{"varint", frame.Varints(200), strings.Repeat("x", 150), "\x96\x01" + strings.Repeat("x", 150), ""},
		{"varint too long", frame.Varints(1), "ab", "", "frame: a frame of 2 bytes is over the limit of 1 bytes"},
	} {
		got, err := test.f.Append([]byte("> "), []byte(test.in))
		if string(got) != "> "+test.out || !says(err, test.err) {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
}

func TestFramingsNeedALimit(t *testing.T) {
	for name, make := range map[string]func(){
		"Lines":     func() { frame.Lines(0) },
		"LinesCRLF": func() { frame.LinesCRLF(0) },
		"Delimited": func() { frame.Delimited("x", 0) },
		"delimiter": func() { frame.Delimited("", 1) },
		"Netstring": func() { frame.Netstrings(-1) },
		"Uint8":     func() { frame.Uint8(0) },
		"Uint16":    func() { frame.Uint16(0) },
		"Uint16LE":  func() { frame.Uint16LE(0) },
		"Uint32":    func() { frame.Uint32(0) },
		"Uint32LE":  func() { frame.Uint32LE(0) },
		"Varints":   func() { frame.Varints(0) },
	} {
		func() {
			defer func() {
				if said, _ := recover().(string); !strings.HasPrefix(said, "frame: ") {
					t.Errorf("%s says %q", name, said)
				}
			}()
			make()
		}()
	}
}

// What has been seen is not searched again, so a line that comes byte by byte costs no more than another: a delimiter is put where
// Next has no reason to look, and is not found.
func TestNothingIsSearchedTwice(t *testing.T) {
	for name, f := range map[string]frame.Framing{"Lines": frame.Lines(100), "Delimited": frame.Delimited("--\n", 100)} {
		if p, n, err := f.Next([]byte("--\nabcdef"), 6); p != nil || n != 10 || err != nil {
			t.Errorf("%s: %q, %d, %v", name, p, n, err)
		}
	}
}

// scan is receive with a bufio.Scanner.
func scan(f frame.Framing, data []byte, sizes []int) (x fate) {
	s := bufio.NewScanner(&inPieces{data, sizes})
	s.Split(frame.SplitFunc(f))
	for s.Scan() {
		x.frames = append(x.frames, s.Text())
	}
	if err := s.Err(); err != nil {
		x.err = err.Error()
	}
	return x
}

// inPieces reads data in pieces of these sizes.
type inPieces struct {
	data  []byte
	sizes []int
}

func (r *inPieces) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(len(r.data), r.sizes[0])])
	r.data = r.data[n:]
	r.sizes = append(r.sizes[1:len(r.sizes):len(r.sizes)], r.sizes[0])
	return n, nil
}

func TestSplitFunc(t *testing.T) {
	for _, test := range []struct {
		in   string
		want string
		err  error
	}{
		{"", "", nil},
		{"one\n\ntwo\r\n", "<one><><two>", nil},
		{"one\ntw", "<one>", io.ErrUnexpectedEOF},
	} {
		s := bufio.NewScanner(iotest.OneByteReader(strings.NewReader(test.in)))
		s.Split(frame.SplitFunc(frame.Lines(100)))
		got := ""
		for s.Scan() {
			got += "<" + s.Text() + ">"
		}
		if got != test.want || !errors.Is(s.Err(), test.err) {
			t.Errorf("%q: %s, %v", test.in, got, s.Err())
		}
	}
	over := scan(frame.Lines(100), bytes.Repeat([]byte("x"), 200), []int{7})
	if want := "frame: a line is over the limit of 100 bytes"; over.err != want {
		t.Errorf("a line that never ends: %v", &over)
	}
}
