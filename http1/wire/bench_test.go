package wire

import "testing"

var (
	wrk     = []byte("GET / HTTP/1.1\r\nHost: 127.0.0.1:9400\r\n\r\n")
	browser = []byte("GET /wiki/Some_page?action=view&x=1 HTTP/1.1\r\nHost: en.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\nReferer: https://en.example.org/wiki/Main_Page\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0, i\r\n\r\n")
)

func BenchmarkRequest(b *testing.B) {
	for name, p := range map[string][]byte{"wrk": wrk, "browser": browser} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			var r Request
			for b.Loop() {
				if n, err := r.Parse(p, nil); n != len(p) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkCanonicalName(b *testing.B) {
	for _, s := range []string{"User-Agent", "accept-encoding", "X-Something-Else"} {
		p := []byte(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				CanonicalName(p)
			}
		})
	}
}
