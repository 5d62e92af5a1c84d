package activation

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// What the environment says, and what becomes of it for process 7.
func TestParse(t *testing.T) {
	for _, test := range []struct {
		in   environment
		want []string
		says string // of an error
	}{
		{environment{"7", "1", ""}, []string{"unknown"}, ""},
		{environment{"7", "2", "a:b"}, []string{"a", "b"}, ""},
		{environment{"7", "2", "a:"}, []string{"a", ""}, ""},
		{environment{"7", "2", "a"}, nil, "is 1 names, and LISTEN_FDS says"},
		{environment{"7", "1", "a:b"}, nil, "as many"},
		{environment{"7", "0", ""}, nil, "no sockets were passed"},
		{environment{"", "", ""}, nil, "no sockets were passed"},
		{environment{"8", "1", ""}, nil, "another process"},
		{environment{"8", "nonsense", ""}, nil, "another process"},
		{environment{"x", "1", ""}, nil, "LISTEN_PID"},
		{environment{"-7", "1", ""}, nil, "LISTEN_PID"},
		{environment{"", "1", ""}, nil, "LISTEN_PID"},
		{environment{"7", "-1", ""}, nil, "LISTEN_FDS"},
		{environment{"7", "1025", ""}, nil, "from 0 to 1024"},
		{environment{"7", "", ""}, nil, "LISTEN_FDS"},
	} {
		got, err := test.in.parse(7)
		if !slices.Equal(got, test.want) || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %q, %v; want %q, %q", test.in, got, err, test.want, test.says)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("7", "2", "a:b")
	f.Add("7", "1", "")
	f.Fuzz(func(t *testing.T, pid, fds, names string) {
		got, err := environment{pid, fds, names}.parse(7)
		if (err == nil) != (len(got) > 0) || len(got) > MaxSockets {
			t.Errorf("%d names, %v", len(got), err)
		}
	})
}

// Without a service manager there are none; twice.
func TestSockets(t *testing.T) {
	for range 2 {
		if s, err := Sockets(); !errors.Is(err, ErrNone) || s != nil {
			t.Errorf("%v, %v", s, err)
		}
	}
}
