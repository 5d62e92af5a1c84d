package wire

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	for _, test := range []struct {
		got  []byte
		want string
	}{
		{AppendRequestLine(nil, "GET", "/a?b"), "GET /a?b HTTP/1.1\r\n"},
		{AppendRequestLine(nil, "GET", ""), "GET / HTTP/1.1\r\n"},
		{AppendRequestLine(nil, "OPTIONS", "*"), "OPTIONS * HTTP/1.1\r\n"},
		{AppendRequestLine(nil, "GET", "/a b\r\nX: y#z\x7f\x00"), "GET /a%20b%0D%0AX:%20y%23z%7F%00 HTTP/1.1\r\n"},
		{AppendStatusLine(nil, 1, 200), "HTTP/1.1 200 OK\r\n"},
		{AppendStatusLine(nil, 0, 200), "HTTP/1.0 200 OK\r\n"},
		{AppendStatusLine(nil, 1, 404), "HTTP/1.1 404 Not Found\r\n"},
		{AppendStatusLine(nil, 1, 100), "HTTP/1.1 100 Continue\r\n"},
		{AppendStatusLine(nil, 1, 999), "HTTP/1.1 999 \r\n"},
		{AppendField(nil, "A", "b"), "A: b\r\n"},
		{AppendField(nil, "A", []byte("b")), "A: b\r\n"},
		{AppendField(nil, "A", ""), "A: \r\n"},
		{AppendField(nil, "A", " \tb c\t "), "A: b c\r\n"},
		{AppendField(nil, "A", "b\r\nC: d\x00e"), "A: b  C: d e\r\n"},
		{AppendField(nil, "A", "\r\n\r\n<html>"), "A: <html>\r\n"},
		{AppendField(nil, "A", "b\n"), "A: b\r\n"},
		{AppendField(nil, "A", "b\x01"), "A: b\x01\r\n"},
		{AppendField(nil, "A", strings.Repeat("0123456", 10)+"\r\n"+"x"), "A: " + strings.Repeat("0123456", 10) + "  x\r\n"},
		{AppendField(nil, "", "b"), ""},
		{AppendField(nil, "A B", "b"), ""},
		{AppendField(nil, "A:", "b"), ""},
		{AppendField(nil, "A\r\nB", "b"), ""},
		{AppendChunk(nil, "hello"), "5\r\nhello\r\n"},
		{AppendChunk(nil, []byte("hello")), "5\r\nhello\r\n"},
		{AppendChunk(nil, ""), ""},
		{AppendChunk(nil, strings.Repeat("x", 0x1af)), "1af\r\n" + strings.Repeat("x", 0x1af) + "\r\n"},
		{AppendChunkHeader(nil, 15), "f\r\n"},
		{AppendChunkHeader(nil, 16), "10\r\n"},
		{AppendChunkHeader(nil, 1<<63-1), "7fffffffffffffff\r\n"},
		{AppendChunkHeader(nil, 0), ""},
		{AppendChunkHeader(nil, -1), ""},
		{AppendLastChunk(nil), "0\r\n\r\n"},
		{AppendLastChunk(nil, Field{[]byte("A"), []byte("b")}, Field{[]byte("Content-Length"), []byte("5")}, Field{[]byte("B\n"), []byte("5")}, Field{[]byte("C"), []byte("d\r\n\r\n")}), "0\r\nA: b\r\nC: d\r\n\r\n"},
	} {
		if string(test.got) != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
	if got := string(AppendField(AppendStatusLine([]byte("before "), 1, 204), "A", "\n")); got != "before HTTP/1.1 204 No Content\r\nA: \r\n" {
		t.Errorf("%q", got)
	}
}

// What no message can be made of is a mistake of the program, and says so.
func TestAppendPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"no token":               func() { AppendRequestLine(nil, "GET /", "/") },
		`the method "" is`:       func() { AppendRequestLine(nil, "", "/") },
		`"A\r\nB: c"`:            func() { AppendRequestLine(nil, "A\r\nB: c", "/") },
		"status 99 of HTTP/1.1":  func() { AppendStatusLine(nil, 1, 99) },
		"status 1000 of":         func() { AppendStatusLine(nil, 1, 1000) },
		"status 200 of HTTP/1.1": func() { AppendStatusLine(nil, 10, 200) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, name) {
					t.Errorf("%s, want %s", got, name)
				}
			}()
			f()
		}()
	}
}

func TestStatusText(t *testing.T) {
	for status := -1; status < 1100; status++ {
		want := http.StatusText(status)
		if got := StatusText(status); got != want {
			t.Errorf("%d is %q, want %q", status, got, want)
		}
	}
}

// What is written is what net/http reads.
func TestAppendIsRead(t *testing.T) {
	p := AppendRequestLine(nil, "PUT", "/a?b=c")
	p = AppendField(p, "Host", "h:80")
	p = AppendField(p, "Transfer-Encoding", "chunked")
	p = AppendField(p, "Trailer", "Sum")
	p = AppendField(p, "X-Long", strings.Repeat("x", 100)+"\r\nInjected: 1")
	p = append(p, "\r\n"...)
	var want []byte
	for _, size := range []int{1, 15, 16, 255, 256, 4095, 4096, 70000} {
		data := strings.Repeat(string(rune('a'+size%26)), size)
		p = AppendChunk(p, data)
		want = append(want, data...)
	}
	p = AppendLastChunk(p, Field{[]byte("Sum"), []byte("1")})
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(p))))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(req.Body)
	if err != nil || string(data) != string(want) || req.Method != "PUT" || req.RequestURI != "/a?b=c" || req.Host != "h:80" || len(req.Header) != 1 || req.Trailer.Get("Sum") != "1" {
		t.Errorf("%+v: %d bytes, %v", req, len(data), err)
	}

	for status := 200; status < 600; status++ {
		p := AppendStatusLine(nil, 1, status)
		p = AppendField(p, "Content-Length", "5")
		p = append(p, "\r\nhello"...)
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(p))), nil)
		if err != nil || resp.StatusCode != status || resp.ProtoMinor != 1 || resp.Status != fmt.Sprintf("%d %s", status, http.StatusText(status)) {
			t.Errorf("%q: %+v, %v", p, resp, err)
		}
	}
}

// Whatever a field is given, there is one line, and both net/http and we read what was given but for what cannot be.
func FuzzAppend(f *testing.F) {
	f.Add("GET", "/", "A", "b")
	f.Add("M", "/a b\r\n", "X-Y", " \r\nHost: evil\r\n\r\n")
	f.Add("G T", "", "A:", "\x00\x80\x7f")
	f.Fuzz(func(t *testing.T, method, target, name, value string) {
		if !ValidToken(method) || method == "CONNECT" {
			method = "GET"
		}
		p := AppendRequestLine(nil, method, "/"+target)
		p = AppendField(p, "Host", "h")
		p = AppendField(p, name, value)
		p = append(p, "\r\n"...)
		if lines := strings.Count(string(p), "\n"); lines != strings.Count(string(p), "\r\n") || lines > 4 || lines < 3 {
			t.Fatalf("%q has %d lines", p, lines)
		}
		cleaned := trim(strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(value))
		if !ValidName(name) || !ValidValue(cleaned) || fold(name, "host") || fold(name, "content-length") || fold(name, "transfer-encoding") {
			return // left out, or refused by whoever reads it, and there is a table of that
		}
		var r Request
		if n, err := r.Parse(p, nil); n != len(p) || err != nil || string(r.Method) != method {
			t.Fatalf("%q: %d, %v", p, n, err)
		}
		if got, ok := r.Get(name); !ok || string(got) != cleaned {
			t.Fatalf("%q: %q, want %q", p, got, cleaned)
		}
	})
}
