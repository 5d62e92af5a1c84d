package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Limits are to the byte and to the field, however the head is cut.
func TestLimits(t *testing.T) {
	in := head1("A: b", "C: "+strings.Repeat("d", 100))
	line := strings.Index(in, "\n") + 1
	for _, test := range []struct {
		limits Limits
		want   string
	}{
		{Limits{}, `POST origin / 1.1 "h"`},
		{Limits{Head: len(in)}, `POST origin / 1.1 "h"`},
		{Limits{Head: len(in) - 1}, "431"},
		{Limits{Head: len(in) - 2}, "431"},
		{Limits{Head: line}, "431"},
		{Limits{Head: line - 1}, "414"},
		{Limits{Head: 1}, "414"},
		{Limits{Fields: 3}, `POST origin / 1.1 "h"`},
		{Limits{Fields: 2}, "431"},
		{Limits{Fields: 1}, "431"},
	} {
		for _, more := range []string{"", "body"} {
			for cut := range len(in) {
				var r Request
				n, err := r.Parse([]byte(in[:cut]), &test.limits)
				if n == 0 && err == nil {
					n, err = r.Parse([]byte(in+more), &test.limits)
				}
				if got := result(&r, n, err); got != test.want {
					t.Fatalf("%+v, cut after %d: %s, %v; want %s", test.limits, cut, got, err, test.want)
				}
			}
		}
	}
}

func TestDefaultLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct{ name, in, want string }{
		{"1,000 fields", get + host + strings.Repeat("a:\n", DefaultFields-1) + end, `GET origin / 1.1 "h"`},
		{"1,001 fields", get + host + strings.Repeat("a:\n", DefaultFields) + end, "431"},
		{"100,000 fields", get + host + strings.Repeat("a:\n", 100_000), "431"},
		{"a target of 1 MiB", "GET /" + long(DefaultHead), "414"},
		{"a field of 1 MiB", get + host + "A: " + long(DefaultHead), "431"},
		{"a name of 1 MiB", get + host + long(DefaultHead), "431"},
		{"a method of 1 MiB", long(DefaultHead), "414"},
		{"1 MiB of empty lines", strings.Repeat("\r\n", DefaultHead/2), "400"},
	} {
		var r Request
		n, err := r.Parse([]byte(test.in), nil)
		if got := result(&r, n, err); got != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
	in := get + host + "A: "
	in += long(DefaultHead-len(in)-4) + end + end
	var r Request
	if n, err := r.Parse([]byte(in), nil); n != DefaultHead || err != nil {
		t.Errorf("a head of 1 MiB: %d, %v", n, err)
	}
}

// A head that comes a byte at a time costs no more than one that comes at once: no call looks at a byte that an earlier call has seen, but that the line it is in is taken apart when it ends, and all of the head when that ends.
//
// It is seen without a stopwatch. What must not be looked at again is poisoned: it is all LFs, of which any would be a line's end.
func TestLinear(t *testing.T) {
	var b strings.Builder
	b.WriteString("GET /" + strings.Repeat("x", 100<<10) + " HTTP/1.1\r\nHost: h\r\n")
	for i := 0; b.Len() < DefaultHead-2000; i++ {
		fmt.Fprintf(&b, "Field-%d: %s\r\n", i, strings.Repeat("v", 1000))
	}
	b.WriteString(end)
	head := b.String()
	var fresh Request
	n0, err := fresh.Parse([]byte(head), nil)
	if n0 != len(head) || err != nil {
		t.Fatal(n0, err)
	}

	p := bytes.Repeat([]byte("\n"), len(head))
	var r Request
	line := 0
	for i := range len(head) {
		p[i] = head[i]
		if head[i] == '\n' {
			copy(p[line:], head[line:i])
		}
		if i == len(head)-1 {
			copy(p, head)
		}
		n, err := r.Parse(p[:i+1], nil)
		switch {
		case err != nil, n != 0 && i+1 != len(head):
			t.Fatalf("byte %d: %d, %v", i, n, err)
		case n != 0 && (describe(&r) != describe(&fresh) || fields(r.Fields) != fields(fresh.Fields)):
			t.Fatal("what came a byte at a time is something else")
		case head[i] == '\n':
			for j := line; j < i; j++ {
				p[j] = '\n'
			}
			line = i + 1
		}
		if i > line || head[i] == '\n' { // a line's first byte is looked at until the line is there, and that is one
			p[i] = '\n'
		}
	}
	if got := result(&r, len(head), nil); got != describe(&fresh) {
		t.Errorf("the last byte was not the end: %.80s", got)
	}
}

// A Request that has had a large head does not keep the room for it when it is reset, nor what the fields point into.
func TestResetLetsGo(t *testing.T) {
	var r Request
	for _, test := range []struct{ lines, room int }{{10, maxRoom}, {900, 0}} {
		in := get + host + strings.Repeat("a:\n", test.lines) + end
		if n, err := r.Parse([]byte(in), nil); n != len(in) || err != nil {
			t.Fatal(n, err)
		}
		r.Reset()
		kept := r.head.fields[:cap(r.head.fields)]
		if len(kept) > test.room || r.Fields != nil || r.Method != nil {
			t.Errorf("after %d lines there is room for %d", test.lines, len(kept))
		}
		for _, f := range kept {
			if f.Name != nil || f.Value != nil {
				t.Fatalf("after %d lines a field points to %q", test.lines, f.Name)
			}
		}
	}
}
