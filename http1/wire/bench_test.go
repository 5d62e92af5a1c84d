package wire

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

var (
	wrk = []byte("GET / HTTP/1.1\r\nHost: 127.0.0.1:9400\r\n\r\n")

	// browser is what Firefox sends, 565 bytes.
	browser = []byte("GET /wiki/Some_page?action=view&x=1 HTTP/1.1\r\nHost: en.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n" +
		"Referer: https://en.example.org/wiki/Main_Page\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n" +
		"Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0, i\r\n\r\n")
)

func BenchmarkRequest(b *testing.B) {
	for _, bench := range []struct {
		name string
		p    []byte
	}{{"wrk", wrk}, {"browser", browser}} {
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(bench.p)))
			b.ReportAllocs()
			var r Request
			for b.Loop() {
				if n, err := r.Parse(bench.p, nil); n != len(bench.p) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
		b.Run(bench.name+"/net-http", func(b *testing.B) {
			b.SetBytes(int64(len(bench.p)))
			b.ReportAllocs()
			under := bytes.NewReader(nil)
			buffered := bufio.NewReader(under)
			for b.Loop() {
				under.Reset(bench.p)
				buffered.Reset(under)
				if _, err := http.ReadRequest(buffered); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A head that comes a byte at a time.
func BenchmarkRequestBytes(b *testing.B) {
	b.SetBytes(int64(len(browser)))
	b.ReportAllocs()
	var r Request
	for b.Loop() {
		for i := range browser {
			if _, err := r.Parse(browser[:i+1], nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkResponse(b *testing.B) {
	p := []byte("HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Fri, 27 Nov 2026 10:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\n")
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	var r Response
	for b.Loop() {
		if n, err := r.Parse(p, nil, "GET"); n != len(p) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkChunks(b *testing.B) {
	for _, bench := range []struct {
		name string
		size int
	}{{"16", 16}, {"4096", 4096}} {
		var p []byte
		for range 100 {
			p = AppendChunk(p, strings.Repeat("x", bench.size))
		}
		p = AppendLastChunk(p)
		b.Run(bench.name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			var d Chunks
			for b.Loop() {
				d.Reset()
				for rest := p; !d.Done(); {
					_, n, err := d.Next(rest)
					if n == 0 || err != nil {
						b.Fatal(n, err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}

// What a server writes before a small body.
func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	var p []byte
	for b.Loop() {
		p = AppendStatusLine(p[:0], 1, 200)
		p = AppendField(p, "Content-Type", "text/plain; charset=utf-8")
		p = AppendField(p, "Date", "Fri, 27 Nov 2026 10:00:00 GMT")
		p = AppendField(p, "Content-Length", "13")
		p = append(p, crlf...)
	}
}

func BenchmarkCanonicalName(b *testing.B) {
	for _, name := range []string{"User-Agent", "user-agent", "X-Something-Else"} {
		p := []byte(name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CanonicalName(p)
			}
		})
	}
}
