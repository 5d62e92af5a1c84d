package poetry

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func donneOptions() Options {
	p, _ := Lookup("donne")
	return DefaultOptions(PoemSource(p))
}

func TestValidate(t *testing.T) {
	if err := donneOptions().Validate(); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	long := filepath.Join(folder, "long.txt")
	if err := os.WriteFile(long, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(long, DefaultMaxBytes+1); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Options){
		"num-bytes":          func(o *Options) { o.NumBytes = 0 },
		"delay":              func(o *Options) { o.Delay = -1 },
		"jitter":             func(o *Options) { o.Jitter = -1 },
		"port 65536":         func(o *Options) { o.Port = 65536 },
		"connections":        func(o *Options) { o.Connections = -1 },
		"stall and":          func(o *Options) { o.StallAfter, o.ResetAfter = AfterBytes(1), AfterBytes(1) },
		"no host or address": func(o *Options) { o.Iface = "localhost:99" },
		"iface":              func(o *Options) { o.Iface = "[::1" },
		"no regular file":    func(o *Options) { o.Source = NamedSource(folder) },
		"at most 64 MiB":     func(o *Options) { o.Source = NamedSource(long) },
		"no poem":            func(o *Options) { o.Source = Source{} },
		"no file lost.x":     func(o *Options) { o.Source = NamedSource("lost.x") },
	} {
		o := donneOptions()
		change(&o)
		err := o.Validate()
		if _, ok := errors.AsType[UsageError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a usage error with %q", err, want)
		}
	}
}

func TestIface(t *testing.T) {
	for iface, want := range map[string]string{
		"": "localhost:7", "localhost": "localhost:7", "::1": "[::1]:7", "[::1]": "[::1]:7", "0.0.0.0": "0.0.0.0:7",
	} {
		o := donneOptions()
		o.Iface, o.Port = iface, 7
		if err := o.Validate(); err != nil || o.listenAddress() != want {
			t.Errorf("iface %q is %s, %v, want %s", iface, o.listenAddress(), err, want)
		}
	}
}

func TestFileIsReadAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poem.txt")
	source := NamedSource(path)
	for _, text := range []string{"first", "second"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := source.Read(); err != nil || string(got) != text {
			t.Errorf("read %q, %v, want %q", got, err, text)
		}
	}
}

func TestAfterIsAFlag(t *testing.T) {
	var a After
	if _, ok := a.Bytes(); ok || a.String() != "" {
		t.Error("the zero value happens")
	}
	if err := a.Set("0"); err != nil || a != AfterBytes(0) || a.String() != "0" {
		t.Errorf("set to 0: %v, %v", a, err)
	}
	for _, bad := range []string{"-1", "x", ""} {
		if a.Set(bad) == nil || a != AfterBytes(0) {
			t.Errorf("took %q", bad)
		}
	}
}

func TestPacer(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		change func(*Options)
		pieces []string
		end    End
	}{
		{"plain", func(*Options) {}, []string{"abcd", "efgh", "ij"}, EndClose},
		{"stall at once", func(o *Options) { o.StallAfter = AfterBytes(0) }, nil, EndStall},
		{"stall inside", func(o *Options) { o.StallAfter = AfterBytes(6) }, []string{"abcd", "ef"}, EndStall},
		{"stall at the end", func(o *Options) { o.StallAfter = AfterBytes(10) }, []string{"abcd", "efgh", "ij"}, EndStall},
		{"reset inside", func(o *Options) { o.ResetAfter = AfterBytes(4) }, []string{"abcd"}, EndReset},
		{"reset beyond", func(o *Options) { o.ResetAfter = AfterBytes(11) }, []string{"abcd", "efgh", "ij"}, EndClose},
	} {
		o := Options{NumBytes: 4, Delay: 5 * ms}
		tt.change(&o)
		p := NewPacer([]byte("abcdefghij"), o)
		var pieces []string
		for piece, wait, ok := p.Next(); ok; piece, wait, ok = p.Next() {
			pieces = append(pieces, string(piece))
			if wait != 5*ms {
				t.Errorf("%s: waits %v", tt.name, wait)
			}
		}
		if !slices.Equal(pieces, tt.pieces) || p.End() != tt.end {
			t.Errorf("%s: %q and end %d, want %q and %d", tt.name, pieces, p.End(), tt.pieces, tt.end)
		}
	}
}

func TestJitter(t *testing.T) {
	const ms = time.Millisecond
	chance := []float64{0, 0.5, 0.75, 0, 0.75}
	o := Options{NumBytes: 1, Delay: 10 * ms, Jitter: 4 * ms, Random: func() float64 {
		next := chance[0]
		chance = chance[1:]
		return next
	}}
	p := NewPacer([]byte("abcde"), o)
	for i, want := range []time.Duration{6 * ms, 10 * ms, 12 * ms} {
		if _, wait, _ := p.Next(); wait != want {
			t.Errorf("wait %d is %v, want %v", i, wait, want)
		}
	}
	p.options.Jitter = 20 * ms
	if _, wait, _ := p.Next(); wait != 0 {
		t.Errorf("a wait below zero is %v", wait)
	}
	p.options.Delay, p.options.Jitter = math.MaxInt64-1, math.MaxInt64-1
	if _, wait, _ := p.Next(); wait != math.MaxInt64 {
		t.Errorf("a wait beyond all limits is %v", wait)
	}
}

func TestHTTPDelivery(t *testing.T) {
	for _, tt := range []struct{ request, want string }{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" +
			"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n2\r\nef\r\n0\r\n\r\n"},
		{"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nabcdef"},
		{"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" +
			"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"what\r\n\r\n", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{strings.Repeat("x", maxRequestBytes), "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
	} {
		d := newDelivery([]byte("abcdef"), &Options{NumBytes: 4, HTTP: true})
		if d.request([]byte(tt.request[:3])) {
			t.Errorf("ready after %q", tt.request[:3])
		}
		if !d.request([]byte(tt.request)) {
			t.Errorf("not ready after %.20q", tt.request)
		}
		got := string(d.begin())
		for wire, _, _, ok := d.next(); ok; wire, _, _, ok = d.next() {
			got += string(wire)
		}
		last, end := d.finish()
		if got += string(last); got != tt.want || end != EndClose {
			t.Errorf("%.20q gives %q, want %q", tt.request, got, tt.want)
		}
	}
}
