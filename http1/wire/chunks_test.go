package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strings"
	"testing"
)

const twenty = "A: 01234567890123\r\n"

// bodies are chunked bodies and what they are: the data, and the trailers in brackets; or the data before it, and a word of the error.
var bodies = []struct{ in, want, says string }{
	{"0\r\n\r\n", "", ""},
	{"0000000000000000\r\n\r\n", "", ""},
	{"5\r\nhello\r\n0\r\n\r\n", "hello", ""},
	{"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", ""},
	{"a\r\n0123456789\r\nB\r\nabcdefghijk\r\n0\r\n\r\n", "0123456789abcdefghijk", ""},
	{"0000000000000005\r\nhello\r\n0\r\n\r\n", "hello", ""},
	{"2\r\n\r\n\r\n0\r\n\r\n", "\r\n", ""},
	{"5;a\r\nhello\r\n0;b=c;d=\"e f;\xff\"\r\n\r\n", "hello", ""},
	{"5;\t ; \r\nhello\r\n0\r\n\r\n", "hello", ""},
	{"1;" + strings.Repeat("x", 4092) + "\r\na\r\n0\r\n\r\n", "a", ""},
	{"0\r\nA: b\r\nc:\td \r\n\r\n", `["A: b" "c: d"]`, ""},
	{"1\r\nx\r\n0\r\nX-Sum: 1\r\nIf-Match: x\r\nDate: x\r\nAuthorization: x\r\nSET-COOKIE: x\r\nContent-Type: x\r\n\r\n", `x["X-Sum: 1"]`, ""},

	// Sizes: section 7.1.
	{"\r\n", "", "begins with"},
	{"\n", "", "begins with"},
	{"g\r\n", "", "begins with"},
	{"-5\r\n", "", "begins with"},
	{"+5\r\n", "", "begins with"},
	{" 5\r\n", "", "begins with"},
	{";a\r\n", "", "begins with"},
	{"0x5\r\n", "", "followed by 'x'"},
	{"5 \r\nhello\r\n", "", "followed by ' '"},
	{"5\t\r\nhello\r\n", "", `followed by '\t'`},
	{"5 ;a\r\nhello\r\n", "", "followed by ' '"},
	{"5_0\r\n", "", "followed by '_'"},
	{"5,5\r\n", "", "followed by ','"},
	{"5\nhello\r\n0\r\n\r\n", "", `followed by '\n'`},
	{"5\r\rhello", "", "a CR that"},
	{"5\rhello", "", "a CR that"},
	{"5;a\nhello\r\n", "", `the byte '\n'`},
	{"5;a\rb\r\nhello\r\n", "", "a CR that"},
	{"5;a\x00\r\nhello\r\n", "", `the byte '\x00'`},
	{"00000000000000005\r\nhello\r\n", "", "more than 16 digits"},
	{"8000000000000000\r\n", "", "larger than"},
	{"ffffffffffffffff\r\n", "", "larger than"},
	{"10000000000000005\r\n", "", "more than 16 digits"},

	// Data, and what follows it.
	{"5\r\nhelloX\r\n0\r\n\r\n", "hello", "followed by 'X'"},
	{"5\r\nhello\n0\r\n\r\n", "hello", `followed by '\n'`},
	{"5\r\nhello0\r\n\r\n", "hello", "followed by '0'"},
	{"5\r\nhello\r0\r\n\r\n", "hello", "a CR and '0'"},
	{"5\r\nhello\r\r\n0\r\n\r\n", "hello", `a CR and '\r'`},
	{"5\r\nhello\r\n\r\n0\r\n\r\n", "hello", "begins with"},

	// Trailers: section 7.1.2, and RFC 9110, section 6.5.1.
	{"0\r\n\n", "", "LF without a CR"},
	{"0\r\nA: b\n\r\n", "", "LF without a CR"},
	{"0\r\nA: b\r\n\n", "", "LF without a CR"},
	{"0\r\n\rA: b\r\n\r\n", "", "a CR that"},
	{"0\r\nA: b\rc\r\n\r\n", "", "control character"},
	{"0\r\nA: b\r\n c\r\n\r\n", "", "begins with whitespace"},
	{"0\r\nA : b\r\n\r\n", "", "before its colon"},
	{"0\r\nA\r\n\r\n", "", "no colon"},
	{"0\r\n: b\r\n\r\n", "", "no name"},
	{"0\r\nGET / HTTP/1.1\r\n\r\n", "", "before its colon"},
	{"0\r\nContent-Length: 5\r\n\r\n", "", "must not be"},
	{"0\r\nA: b\r\ntransfer-encoding: chunked\r\n\r\n", "", "must not be"},
	{"0\r\nHOST: h\r\n\r\n", "", "must not be"},

	// Limits.
	{"1;" + strings.Repeat("x", 4093) + "\r\na\r\n0\r\n\r\n", "", "longer than 4096 bytes"},
	{"1;" + strings.Repeat("x", 10000), "", "longer than 4096 bytes"},
	{strings.Repeat("1;"+strings.Repeat("x", 4000)+"\r\na\r\n", 5), "aaaa", "beyond what is ordinary"},
	{strings.Repeat("1\r\na\r\n", 20000) + "0\r\n\r\n", strings.Repeat("a", 20000), ""},
	{strings.Repeat("1;"+strings.Repeat("x", 15)+"\r\na\r\n", 5000) + "0\r\n\r\n", strings.Repeat("a", 5000), ""},
	{strings.Repeat("1;"+strings.Repeat("x", 17)+"\r\na\r\n", 6000), strings.Repeat("a", 5461), "beyond what is ordinary"},
	{strings.Repeat("14;"+strings.Repeat("x", 40)+"\r\n"+strings.Repeat("a", 20)+"\r\n", 1000) + "0\r\n\r\n", strings.Repeat("a", 20000), ""},
	{"0\r\n" + strings.Repeat(twenty, DefaultTrailerFields) + "\r\n", "[" + strings.TrimSuffix(strings.Repeat(`"A: 01234567890123" `, DefaultTrailerFields), " ") + "]", ""},
	{"0\r\n" + strings.Repeat(twenty, DefaultTrailerFields+1) + "\r\n", "", "more than 100 fields"},
	{"0\r\nA: " + strings.Repeat("x", DefaultTrailer-4) + "\r\n\r\n", "", "longer than the limit of 16384 bytes"},
	{"0\r\n" + strings.Repeat("x", DefaultTrailer+1), "", "longer than the limit of 16384 bytes"},
}

// decode decodes p, of which some at a time has arrived, as far as cuts say: each is how many bytes come next.
func decode(d *Chunks, p []byte, cuts func() int) (data []byte, used int, err error) {
	have := 0
	for {
		part, n, err := d.Next(p[used:have])
		switch {
		case err != nil:
			return data, used, err
		case n > have-used, len(part) > n, n == 0 && used < have && !d.Done():
			return data, used, fmt.Errorf("of %d bytes %d are used up, and %d data", have-used, n, len(part))
		}
		data = append(data, part...)
		used += n
		if n == 0 {
			if d.Done() || have == len(p) {
				return data, used, nil
			}
			have = min(len(p), have+max(1, cuts()))
		}
	}
}

func trailersOf(d *Chunks) string {
	var s []string
	for _, f := range d.Trailers() {
		s = append(s, fmt.Sprintf("%s: %s", f.Name, f.Value))
	}
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%q", s)
}

func TestChunks(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var used Chunks
	for _, test := range bodies {
		for way, cuts := range map[string]func() int{"at once": func() int { return 1 << 20 }, "a byte at a time": func() int { return 1 }, "in pieces": func() int { return random.IntN(7) }} {
			in := []byte(test.in)
			if test.says == "" {
				in = append(in, "GET / HTTP/1.1\r\n"...)
			}
			data, n, err := decode(&used, in, cuts)
			got := string(data) + trailersOf(&used)
			if got != test.want || used.Done() != (test.says == "") || test.says == "" && n != len(test.in) {
				t.Errorf("%.60q, %s: %.80q of %d bytes, done %v, %v; want %.80q of %d", test.in, way, got, n, used.Done(), err, test.want, len(test.in))
			}
			if e, ok := errors.AsType[*Error](err); ok != (test.says != "") || ok && (!strings.Contains(e.Reason, test.says) || e.Status != 400 && e.Status != 431) {
				t.Errorf("%.60q, %s: %v, want %q", test.in, way, err, test.says)
			}
			if _, _, again := used.Next(in); again != nil && !errors.Is(again, err) {
				t.Errorf("%.60q, %s: first %v, then %v", test.in, way, err, again)
			}
			used.Reset()
		}
	}
}

// Of every prefix of a body it is said that more is needed, and what its data are so far.
func TestChunksPrefixes(t *testing.T) {
	for _, test := range bodies {
		if test.says != "" || len(test.in) > 1000 {
			continue
		}
		for i := range len(test.in) {
			var d Chunks
			data, n, err := decode(&d, []byte(test.in[:i]), func() int { return 1 << 20 })
			if err != nil || d.Done() || n != i || !strings.HasPrefix(test.want, string(data)) || d.Trailers() != nil {
				t.Errorf("%q: %q of %d bytes, done %v, %v", test.in[:i], data, n, d.Done(), err)
			}
		}
	}
}

// An ordinary body costs no allocation, nor does one with trailers when a decoder is used again.
func TestChunksAllocateNothing(t *testing.T) {
	in := []byte("5\r\nhello\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n")
	var d Chunks
	if n := testing.AllocsPerRun(100, func() {
		d.Reset()
		for rest := in; len(rest) > 0; {
			_, n, err := d.Next(rest)
			if n == 0 || err != nil {
				t.Fatal(n, err)
			}
			rest = rest[n:]
		}
	}); n != 0 || !d.Done() {
		t.Errorf("%v allocations, done %v", n, d.Done())
	}
}

// The limits of trailers are to the byte.
func TestTrailerLimits(t *testing.T) {
	in := []byte("0\r\nA: b\r\nC: d\r\n\r\n")
	for _, test := range []struct {
		limits Limits
		status int
	}{
		{Limits{Head: 12, Fields: 2}, 0},
		{Limits{Head: 11}, 431},
		{Limits{Head: 1}, 431},
		{Limits{Fields: 1}, 431},
	} {
		for size := range 12 {
			d := Chunks{Trailer: test.limits}
			_, _, err := decode(&d, in, func() int { return size })
			e, _ := errors.AsType[*Error](err)
			if d.Done() != (test.status == 0) || e != nil && e.Status != test.status {
				t.Errorf("%+v: done %v, %v", test.limits, d.Done(), err)
			}
			d.Reset()
			if d.Trailer != test.limits {
				t.Error("Reset has forgotten the limits")
			}
		}
	}
}

// What net/http makes of a whole chunked message, with its trailers, is what we make of it.
func TestChunksAsNetHTTP(t *testing.T) {
	for _, test := range bodies {
		if strings.Contains(test.in, "If-Match") {
			continue // net/http keeps all trailers
		}
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head1("Transfer-Encoding: chunked") + test.in)))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(req.Body)
		got := string(data)
		if len(req.Trailer) > 0 {
			got += fmt.Sprint(req.Trailer)
		}
		var d Chunks
		ours, _, _ := decode(&d, []byte(test.in), func() int { return 1 << 20 })
		want := string(ours)
		if trailers := d.Trailers(); len(trailers) > 0 {
			h := http.Header{}
			for _, f := range trailers {
				h.Add(string(f.Name), string(f.Value))
			}
			want += fmt.Sprint(h)
		}
		switch {
		case d.Done() && (err != nil || got != want):
			t.Errorf("%.60q: %.80q, %v; net/http: %.80q, %v", test.in, want, d.err, got, err)
		case !d.Done() && err == nil && !lenient(test.in) && !strings.HasPrefix(test.in, "0\r\n"): // of trailers net/http takes what it takes in heads
			t.Errorf("%.60q: %v; net/http: %.80q", test.in, d.err, got)
		}
	}
}

// lenient reports whether net/http's reader takes what is in p although we do not: whitespace behind a size, control characters in an extension, and sizes above 2⁶³-1.
func lenient(p string) bool {
	for line := range strings.SplitSeq(p, "\n") {
		size, extension, _ := strings.Cut(strings.TrimSuffix(line, "\r"), ";")
		digits := strings.TrimRight(size, " \t")
		if digits != size || !ValidValue(extension) || len(digits) == 16 && digits[0] >= '8' {
			return true
		}
	}
	return false
}

// huge is a size from 2⁶² on.
var huge = regexp.MustCompile(`(?i)[4-9a-f][0-9a-f]{15}`)

func FuzzChunks(f *testing.F) {
	for _, test := range bodies {
		if len(test.in) < 1000 { // making long ones shorter would take the fuzzer's time
			f.Add([]byte(test.in), uint64(3))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte, seed uint64) {
		theirs, failed := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(p)))
		var d, whole Chunks
		random := rand.New(rand.NewPCG(seed, 0))
		ours, used, err := decode(&d, p, func() int { return random.IntN(9) })
		atOnce, usedAtOnce, errAtOnce := decode(&whole, p, func() int { return len(p) })
		if !bytes.Equal(ours, atOnce) || fmt.Sprint(err) != fmt.Sprint(errAtOnce) || d.Done() != whole.Done() || trailersOf(&d) != trailersOf(&whole) || err == nil && used != usedAtOnce {
			t.Fatalf("%q: in pieces %q, %v, done %v, %s; at once %q, %v, done %v, %s", p, ours, err, d.Done(), trailersOf(&d), atOnce, errAtOnce, whole.Done(), trailersOf(&whole))
		}
		// The reader of net/http ends with the last chunk's size.
		ended := false
		d.Reset()
		for i := 0; i < len(p) && !ended; i++ {
			if _, _, err := d.Next(p[i : i+1]); err != nil {
				break
			}
			ended = d.state == inTrailerStart
		}
		switch {
		case failed == nil && ended && bytes.Equal(ours, theirs):
		case failed != nil && !ended && bytes.Equal(ours, theirs):
		case failed != nil && huge.Match(p): // net/http doubles a size to count what is ordinary, and that overflows
		case lenient(string(p)) && err != nil && bytes.HasPrefix(theirs, ours):
		default:
			t.Fatalf("%q: %q, state %d, %v; net/http: %q, %v", p, ours, d.state, err, theirs, failed)
		}
	})
}
