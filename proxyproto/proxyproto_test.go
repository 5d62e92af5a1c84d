package proxyproto_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/rondo-go/rondo/proxyproto"
)

const sig2 = "\r\n\r\n\x00\r\nQUIT\n"

const crcOfExample = "\xd0\xb4\x20\xd0"

func tcp(s string) *net.TCPAddr {
	a, err := net.ResolveTCPAddr("tcp", s)
	if err != nil {
		panic(err)
	}
	if ip4 := a.IP.To4(); ip4 != nil {
		a.IP = ip4
	}
	return a
}

func udp(s string) *net.UDPAddr { a := tcp(s); return &net.UDPAddr{IP: a.IP, Port: a.Port} }

func unix(name string) *net.UnixAddr { return &net.UnixAddr{Name: name, Net: "unix"} }

// headers are bytes and what they say. Those of version 2 were put together by hand from section 2.2.
var headers = []struct {
	name, bytes string
	want        proxyproto.Header
}{
	{"TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", proxyproto.Header{Version: 1, Source: tcp("192.0.2.1:56324"), Destination: tcp("198.51.100.2:443")}},
	{"TCP6", "PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", proxyproto.Header{Version: 1, Source: tcp("[2001:db8::1]:0"), Destination: tcp("[::1]:65535")}},
	{"UNKNOWN", "PROXY UNKNOWN\r\n", proxyproto.Header{Version: 1}},
	{"v2 TCP4", sig2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb", proxyproto.Header{Version: 2, Source: tcp("192.0.2.1:56324"), Destination: tcp("198.51.100.2:443")}},
	{"v2 UDP4", sig2 + "\x21\x12\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb", proxyproto.Header{
		Version: 2, Datagram: true, Source: udp("192.0.2.1:56324"), Destination: udp("198.51.100.2:443"),
	}},
	{"v2 TCP6", sig2 + "\x21\x21\x00\x24\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + strings.Repeat("\x00", 15) + "\x01\x00\x01\x00\x02", proxyproto.Header{
		Version: 2, Source: tcp("[2001:db8::1]:1"), Destination: tcp("[::1]:2"),
	}},
	{"v2 Unix", sig2 + "\x21\x31\x00\xd8/a" + strings.Repeat("\x00", 106) + "\x00b" + strings.Repeat("\x00", 106), proxyproto.Header{
		Version: 2, Source: unix("/a"), Destination: unix("@b"),
	}},
	{"v2 LOCAL", sig2 + "\x20\x00\x00\x00", proxyproto.Header{Version: 2, Local: true}},
	{"v2 UNSPEC", sig2 + "\x21\x00\x00\x00", proxyproto.Header{Version: 2}},
	{"v2 TLVs", sig2 + "\x21\x00\x00\x0b\x02\x00\x03a.b\xe0\x00\x02hi", proxyproto.Header{
		Version: 2, TLVs: []proxyproto.TLV{{proxyproto.Authority, []byte("a.b")}, {0xe0, []byte("hi")}},
	}},
	// The checksum was computed bit by bit, apart from this code and hash/crc32.
	{"v2 CRC32C", sig2 + "\x21\x11\x00\x13\x7f\x00\x00\x01\x7f\x00\x00\x01\x00\x50\x01\xbb\x03\x00\x04" + crcOfExample, proxyproto.Header{
		Version: 2, Source: tcp("127.0.0.1:80"), Destination: tcp("127.0.0.1:443"), Checksum: true,
	}},
}

// What is read is what was written, whatever follows, and however it is cut.
func TestHeaders(t *testing.T) {
	for _, test := range headers {
		whole := []byte(test.bytes + "\r\nand more")
		h, n, _, err := proxyproto.Parse(whole, 0)
		if err != nil || n != len(test.bytes) || !reflect.DeepEqual(h, test.want) {
			t.Errorf("%s: %+v, %d bytes, %v; want %+v, %d", test.name, h, n, err, test.want, len(test.bytes))
		}
		for i := range len(test.bytes) {
			if h, n, need, err := proxyproto.Parse(whole[:i], 0); n != 0 || err != nil || need <= i || need > len(test.bytes) {
				t.Errorf("%s: of %d bytes: %+v, %d, needs %d, %v", test.name, i, h, n, need, err)
			}
		}
		if got, err := proxyproto.Append([]byte("before"), test.want); err != nil || string(got) != "before"+test.bytes {
			t.Errorf("%s is written as %q, %v; want %q", test.name, got, err, test.bytes)
		}
	}
}

// What is read leniently, and is not written so.
func TestLenient(t *testing.T) {
	for _, test := range []struct {
		bytes string
		want  proxyproto.Header
	}{
		{"PROXY UNKNOWN 1.2.3.4 and whatever\r\n", proxyproto.Header{Version: 1}},
		{sig2 + "\x20\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb", proxyproto.Header{Version: 2, Local: true}},
		{sig2 + "\x20\xff\x00\x02xx", proxyproto.Header{Version: 2, Local: true}},
		{sig2 + "\x21\x00\x00\x05\x04\x00\x02\x00\x00", proxyproto.Header{Version: 2}},
		{"PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", proxyproto.Header{
			Version: 1, Source: &net.TCPAddr{IP: net.ParseIP("::ffff:1.2.3.4"), Port: 1}, Destination: tcp("[::1]:2"),
		}},
	} {
		h, n, _, err := proxyproto.Parse([]byte(test.bytes), 0)
		if err != nil || n != len(test.bytes) || !reflect.DeepEqual(h, test.want) {
			t.Errorf("%q: %+v, %d, %v; want %+v", test.bytes, h, n, err, test.want)
		}
	}
}

// lies are headers that are refused, and a word of what is said.
var lies = []struct{ bytes, says string }{
	{"GET / HTTP/1.1\r\n", "neither version"},
	{"PROXYTCP4 ", "neither version"},
	{"proxy ", "neither version"},
	{"\r\n\r\n\x00\r\nQUIX\n", "neither version"},
	{"\x16\x03\x01", "neither version"},
	{"PROXY \r\n", "1 fields"},
	{"PROXY TCP4\r\n", "1 fields"},
	{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "6 fields"},
	{"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "6 fields"},
	{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "6 fields"},
	{"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "neither TCP4"},
	{"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "neither TCP4"},
	{"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "no address of TCP6"},
	{"PROXY TCP4 ::1 1.2.3.4 1 2\r\n", "no address of TCP4"},
	{"PROXY TCP4 1.2.3.4 ::ffff:1.2.3.4 1 2\r\n", "no address of TCP4"},
	{"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n", "no address of TCP4"},
	{"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "no address of TCP6"},
	{"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", "no port"},
	{"PROXY TCP4 1.2.3.4 1.2.3.4 1 -2\r\n", "no port"},
	{"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "no port"},
	{"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n\r\n", "no port"},
	{"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n", "no port"},
	{"PROXY UNKNOWN" + strings.Repeat(" ", 92) + " \r\n", "no CRLF in its first 107"},
	{sig2 + "\x31\x11\x00\x0c", "version is 3"},
	{sig2 + "\x11\x11\x00\x0c", "version is 1"},
	{sig2 + "\x22\x11\x00\x0c", "no command 2"},
	{sig2 + "\x21\x41\x00\x0c", "0x41 is no family"},
	{sig2 + "\x21\x13\x00\x0c", "0x13 is no family"},
	{sig2 + "\x21\x01\x00\x0c", "0x01 is no family"},
	{sig2 + "\x21\x10\x00\x0c", "0x10 is no family"},
	{sig2 + "\x21\x11\x00\x0b", "too short"},
	{sig2 + "\x21\x21\x00\x23", "too short"},
	{sig2 + "\x21\x31\x00\xd7", "too short"},
	{sig2 + "\x21\x11\x10\x00", "longer than the limit of 4096"},
	{sig2 + "\x20\x00\xff\xff", "longer than the limit of 4096"},
	{sig2 + "\x21\x00\x00\x02\x02\x00", "2 bytes are left"},
	{sig2 + "\x21\x00\x00\x05\x02\x00\x03ab", "has 3 bytes, and 2 are left"},
	{sig2 + "\x21\x00\x00\x06\x03\x00\x03abc", "its checksum has 3 bytes"},
	{sig2 + "\x21\x00\x00\x07\x03\x00\x04abcd", "its checksum is wrong"},
	{sig2 + "\x21\x00\x00\x84\x05\x00\x81" + strings.Repeat("x", 129), "unique ID has 129"},
}

func TestLies(t *testing.T) {
	for _, test := range lies {
		for _, more := range []string{"", "and more"} {
			h, n, _, err := proxyproto.Parse([]byte(test.bytes+more), 0)
			_, syntax := errors.AsType[*proxyproto.SyntaxError](err)
			_, limit := errors.AsType[*proxyproto.LimitError](err)
			if !syntax && !limit || n != 0 || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q: %+v, %d, %v; want %q", test.bytes, h, n, err, test.says)
			}
		}
	}
}

// Limits are to the byte.
func TestLimits(t *testing.T) {
	line := "PROXY UNKNOWN" + strings.Repeat("x", proxyproto.MaxV1-15) + "\r\n"
	if _, n, _, err := proxyproto.Parse([]byte(line[:13]+line[14:]), 0); n != proxyproto.MaxV1-1 && err == nil {
		t.Errorf("a line of 106 bytes: %d, %v", n, err)
	}
	spaced := strings.Replace(line, "UNKNOWNx", "UNKNOWN ", 1)
	if _, n, _, err := proxyproto.Parse([]byte(spaced), 0); n != proxyproto.MaxV1 || err != nil {
		t.Errorf("a line of 107 bytes: %d, %v", n, err)
	}
	for _, limit := range []int{100, 4096, proxyproto.MaxV2} {
		h := proxyproto.Header{Version: 2, TLVs: []proxyproto.TLV{{0xe0, make([]byte, limit-19)}}}
		p, err := proxyproto.Append(nil, h)
		if err != nil || len(p) != limit {
			t.Fatalf("%d bytes, %v; want %d", len(p), err, limit)
		}
		if _, n, _, err := proxyproto.Parse(p, limit); n != limit || err != nil {
			t.Errorf("%d bytes within a limit of as many: %d, %v", limit, n, err)
		}
		if _, n, _, err := proxyproto.Parse(p, limit-1); n != 0 || err == nil {
			t.Errorf("%d bytes within one less: %d, %v", limit, n, err)
		}
	}
}

// What cannot be written is refused, and nothing is.
func TestAppendRefuses(t *testing.T) {
	a, b := tcp("1.2.3.4:1"), tcp("1.2.3.4:2")
	for _, h := range []proxyproto.Header{
		{},
		{Version: 3},
		{Version: 1, Local: true},
		{Version: 1, TLVs: []proxyproto.TLV{{1, nil}}},
		{Version: 1, Checksum: true},
		{Version: 1, Source: &net.TCPAddr{}, Destination: b},
		{Version: 2, Source: a},
		{Version: 2, Source: a, Destination: unix("/x")},
		{Version: 2, Source: unix("/x"), Destination: b},
		{Version: 2, Source: a, Destination: b, Datagram: true},
		{Version: 2, Source: unix(strings.Repeat("x", 109)), Destination: unix("")},
		{Version: 2, Source: a, Destination: b, Local: true},
		{Version: 2, TLVs: []proxyproto.TLV{{proxyproto.CRC32C, make([]byte, 4)}}},
		{Version: 2, TLVs: []proxyproto.TLV{{proxyproto.UniqueID, make([]byte, 129)}}},
		{Version: 2, TLVs: []proxyproto.TLV{{0xe0, make([]byte, 1<<16)}}},
		{Version: 2, TLVs: []proxyproto.TLV{{0xe0, make([]byte, 40000)}, {0xe0, make([]byte, 40000)}}},
	} {
		if got, err := proxyproto.Append([]byte("before"), h); err == nil || string(got) != "before" {
			t.Errorf("%+v: %q, %v", h, got, err)
		}
	}
}

// One family is made of two.
func TestMixedFamilies(t *testing.T) {
	for version, want := range map[int]string{1: "PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n", 2: ""} {
		p, err := proxyproto.Append(nil, proxyproto.Header{Version: version, Source: tcp("1.2.3.4:1"), Destination: tcp("[::1]:2")})
		if err != nil || want != "" && string(p) != want {
			t.Errorf("version %d: %q, %v", version, p, err)
		}
		if h, _, _, err := proxyproto.Parse(p, 0); err != nil || !h.Source.(*net.TCPAddr).IP.Equal(net.IPv4(1, 2, 3, 4)) {
			t.Errorf("version %d: %+v, %v", version, h, err)
		}
	}
}

// A byte that is changed anywhere is found by the checksum, if by nothing else.
func TestChecksum(t *testing.T) {
	h := proxyproto.Header{Version: 2, Source: tcp("1.2.3.4:1"), Destination: tcp("1.2.3.4:2"), Checksum: true, TLVs: []proxyproto.TLV{{0xe0, []byte("value")}}}
	p, err := proxyproto.Append(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	for i := 16; i < len(p); i++ {
		q := bytes.Clone(p)
		q[i] ^= 0x10
		if got, n, _, err := proxyproto.Parse(q, 0); err == nil && got.Checksum {
			t.Errorf("byte %d: %+v, %d", i, got, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, x := range headers {
		f.Add([]byte(x.bytes+"more"), 4096)
	}
	for _, x := range lies {
		f.Add([]byte(x.bytes), 4096)
	}
	f.Fuzz(func(t *testing.T, p []byte, limit int) {
		limit = min(max(limit, 16), proxyproto.MaxV2)
		h, n, need, err := proxyproto.Parse(p, limit)
		switch {
		case err != nil && n != 0, n > len(p), n > max(limit, proxyproto.MaxV1), err == nil && n == 0 && need <= len(p):
			t.Fatalf("%d bytes of %d, needs %d, %v", n, len(p), need, err)
		}
		for i := range p {
			h1, n1, _, err1 := proxyproto.Parse(p[:i], limit)
			if (n1 > 0 || err1 != nil) && (n1 != n || !reflect.DeepEqual(h1, h) || fmt.Sprint(err1) != fmt.Sprint(err)) {
				t.Fatalf("%d bytes say %+v, %d, %v; all say %+v, %d, %v", i, h1, n1, err1, h, n, err)
			}
		}
		if n == 0 {
			return
		}
		q, err := proxyproto.Append(nil, h)
		if err != nil {
			t.Fatalf("%+v: %v", h, err)
		}
		again, m, _, err := proxyproto.Parse(q, proxyproto.MaxV2)
		if err != nil || m != len(q) || fmt.Sprint(again.Source, again.Destination) != fmt.Sprint(h.Source, h.Destination) ||
			again.Local != h.Local || again.Datagram != h.Datagram || again.Checksum != h.Checksum || !reflect.DeepEqual(again.TLVs, h.TLVs) {
			t.Fatalf("%+v is written as %q, which says %+v, %d, %v", h, q, again, m, err)
		}
	})
}
