package poetry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct{ in, want, err string }{
		{"10000", "127.0.0.1:10000", ""},
		{":10000", "127.0.0.1:10000", ""},
		{"localhost:10000", "localhost:10000", ""},
		{"poetry.example.org:1", "poetry.example.org:1", ""},
		{"[::1]:10000", "[::1]:10000", ""},
		{"[fe80::1%eth0]:80", "[fe80::1%eth0]:80", ""},
		{"10000x", "", "Ports must be integers."},
		{"localhost:http", "", "Ports must be integers."},
		{"localhost:", "", "Ports must be integers."},
		{"", "", "Ports must be integers."},
		{"10.5", "", "Ports must be integers."},
		{"010000", "127.0.0.1:10000", ""},
		{"+10000", "", "Ports must be integers."},
		{"0", "", "out of range"},
		{"65536", "", "out of range"},
		{"-1", "", "out of range"},
		{"99999999999999999999999", "", "out of range"},
		{"::1:10000", "", "in brackets"},
		{"[::1:10000", "", "no IPv6 address"},
		{"[127.0.0.1]:80", "", "no IPv6 address"},
		{"http://localhost:80", "", "too many colons"},
		{"a/b:80", "", "[HOST:]PORT"},
		{"a b:80", "", "[HOST:]PORT"},
	} {
		got, err := ParseAddress(tt.in)
		if tt.err == "" {
			if err != nil || got.String() != tt.want {
				t.Errorf("ParseAddress(%q) = %v, %v, want %s", tt.in, got, err, tt.want)
			}
			continue
		}
		if _, ok := errors.AsType[UsageError](err); !ok || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("ParseAddress(%q) gives %v, want a usage error with %q", tt.in, err, tt.err)
		}
	}
	if _, err := ParseAddress("x"); !errors.Is(err, ErrPortNotInteger) || err.Error() != "Ports must be integers." {
		t.Errorf("got %v", err)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"10000", "localhost:1", "[::1]:2", "::1:3", "[]:4", ":", "a:b:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if a.Host == "" || a.Port < 1 || a.Port > 65535 {
			t.Fatalf("ParseAddress(%q) = %+v", s, a)
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Fatalf("%q gives %+v, which gives %+v, %v", s, a, again, err)
		}
	})
}

func TestParseDelay(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0.1": 100 * time.Millisecond, "5": 5 * time.Second, "100ms": 100 * time.Millisecond, "1m30s": 90 * time.Second,
		"0": 0, "-0": 0, "1e-3": time.Millisecond, ".5": 500 * time.Millisecond,
	} {
		if got, err := ParseDelay(in); err != nil || got != want {
			t.Errorf("ParseDelay(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "-100ms", "soon", "NaN", "Inf", "0x1p4", "1_0", "1e300", "9223372036.9"} {
		if got, err := ParseDelay(in); err == nil {
			t.Errorf("ParseDelay(%q) = %v, want an error", in, got)
		} else if _, ok := errors.AsType[UsageError](err); !ok {
			t.Errorf("ParseDelay(%q) gives %v, which is no usage error", in, err)
		}
	}
}

func FuzzParseDelay(f *testing.F) {
	for _, s := range []string{"0.1", "5", "100ms", "1e9", "-0.5", "1h", "+3", "e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDelay(s)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("ParseDelay(%q) = %v", s, d)
		}
		if again, err := ParseDelay(d.String()); err != nil || again != d {
			t.Fatalf("%q gives %v, which gives %v, %v", s, d, again, err)
		}
	})
}

func TestFormatElapsed(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0:                              "0:00:00",
		time.Microsecond:               "0:00:00.000001",
		10*time.Second + 126361000:     "0:00:10.126361",
		time.Hour + time.Minute:        "1:01:00",
		23*time.Hour + 59*time.Minute:  "23:59:00",
		day + time.Second:              "1 day, 0:00:01",
		50*time.Hour + time.Nanosecond: "2 days, 2:00:00",
		-time.Second:                   "-1 day, 23:59:59",
		-day - time.Second:             "-2 days, 23:59:59",
		999999600 * time.Nanosecond:    "0:00:01",
	} {
		if got := FormatElapsed(d); got != want {
			t.Errorf("FormatElapsed(%d) = %s, want %s", d, got, want)
		}
	}
}
