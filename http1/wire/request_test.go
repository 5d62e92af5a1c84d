package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const (
	get  = "GET / HTTP/1.1\r\n"
	host = "Host: h\r\n"
	end  = "\r\n"
)

// head1 is a request with these lines beside Host.
func head1(lines ...string) string {
	return "POST / HTTP/1.1\r\n" + host + strings.Join(lines, end) + end + end
}

// requests are heads and what they mean: see describe; or the status of the error, and a word of what it says. Where net/http.ReadRequest takes them otherwise, differs is the name of the reason in differences.
var requests = []struct{ in, want, says, differs string }{
	// What is ordinary.
	{get + host + end, `GET origin / 1.1 "h"`, "", ""},
	{"GET / HTTP/1.0\r\n\r\n", `GET origin / 1.0 "" close`, "", ""},
	{"GET / HTTP/1.0\r\nHost: h\r\n\r\n", `GET origin / 1.0 "h" close`, "", ""},
	{"GET /a/b?c=d&e=%20 HTTP/1.1\r\nhost:h:80\r\n\r\n", `GET origin /a/b?c=d&e=%20 1.1 "h:80"`, "", ""},
	{get + "hOsT: \t h\t \r\n" + end, `GET origin / 1.1 "h"`, "", ""},
	{get + "Host:\r\n" + end, `GET origin / 1.1 ""`, "", ""},
	{get + "Host: \t\r\n" + end, `GET origin / 1.1 ""`, "", ""},
	{"M-SEARCH * HTTP/1.1\r\n" + host + end, "400", "only OPTIONS", "asterisk"},
	{"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" + host + end, "!#$%&'*+-.^_`|~09azAZ origin / 1.1 \"h\"", "", ""},
	{"get / HTTP/1.1\r\n" + host + end, `get origin / 1.1 "h"`, "", ""},
	{get + host + "A:\r\nB: \r\nC:c\r\nC: , \r\nD: \x80\xff\tx\r\n" + end, `GET origin / 1.1 "h"`, "", ""},
	{head1("Content-Length: 0"), `POST origin / 1.1 "h"`, "", ""},
	{head1("Content-Length: 5"), `POST origin / 1.1 "h" length=5`, "", ""},
	{head1("content-length:0005"), `POST origin / 1.1 "h" length=5`, "", ""},
	{head1("Content-Length: \t5\t "), `POST origin / 1.1 "h" length=5`, "", ""},
	{head1("Content-Length: 9223372036854775807"), `POST origin / 1.1 "h" length=9223372036854775807`, "", ""},
	{head1("Transfer-Encoding: chunked"), `POST origin / 1.1 "h" chunked`, "", ""},
	{head1("TRANSFER-ENCODING: ChunKed \t"), `POST origin / 1.1 "h" chunked`, "", ""},

	// Lines: section 2.2.
	{"\r\n" + get + host + end, `GET origin / 1.1 "h"`, "", "empty lines"},
	{"\n\r\n\n\r\n" + get + host + end, `GET origin / 1.1 "h"`, "", "empty lines"},
	{"\r\n\r\n\r\n\r\n\r\n" + get + host + end, "400", "empty lines", ""},
	{"GET / HTTP/1.1\nHost: h\n\n", `GET origin / 1.1 "h"`, "", ""},
	{"GET / HTTP/1.1\r\nHost: h\n\r\n", `GET origin / 1.1 "h"`, "", ""},
	{"GET / HTTP/1.1\rHost: h\r\n\r\n", "400", "no version", ""},
	{"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", "400", "no version", ""},
	{"\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", "400", `begins with '\r'`, ""},
	{"\r\r\n" + get + host + end, "400", `begins with '\r'`, ""},
	{get + host + "A: b\rc\r\n" + end, "400", "control character", ""},
	{get + host + "A: b\r\r\n" + end, "400", "control character", ""},
	{get + host + "A: \rb\r\n" + end, "400", "control character", ""},
	{get + host + "A\r: b\r\n" + end, "400", "in its name", ""},
	{get + host + "\rA: b\r\n" + end, "400", "in its name", ""},
	{get + host + "\r\r\n", "400", "in its name", ""},
	{get + host + "A: b\rX-Smuggled: 1\r\n" + end, "400", "control character", ""},

	// The request line: section 3.
	{" GET / HTTP/1.1\r\n" + host + end, "400", `begins with ' '`, ""},
	{"GET  / HTTP/1.1\r\n" + host + end, "400", "space in it", ""},
	{"GET /  HTTP/1.1\r\n" + host + end, "400", "space in it", ""},
	{"GET / HTTP/1.1 \r\n" + host + end, "400", "no version", ""},
	{"GET\t/ HTTP/1.1\r\n" + host + end, "400", "in its method", ""},
	{"GET /\tHTTP/1.1\r\n" + host + end, "400", "", ""},
	{"GET / a HTTP/1.1\r\n" + host + end, "400", "space in it", ""},
	{"GET\r\n" + host + end, "400", "three parts", ""},
	{"GET /\r\n" + host + end, "400", "three parts", ""},
	{"GET HTTP/1.1\r\n" + host + end, "400", "three parts", ""},
	{"GET  HTTP/1.1\r\n" + host + end, "400", "no target", ""},
	{"/ HTTP/1.1\r\n" + host + end, "400", `begins with '/'`, ""},
	{"GE(T / HTTP/1.1\r\n" + host + end, "400", "in its method", ""},
	{"GET: / HTTP/1.1\r\n" + host + end, "400", "in its method", ""},
	{"G\x80T / HTTP/1.1\r\n" + host + end, "400", "in its method", ""},
	{"\x16\x03\x01\x02\x00\x01\x00", "400", "TLS", ""},
	{"\x00", "400", "begins with", ""},
	{"\r\nHost", "more", "", ""},

	// Versions: section 2.3.
	{"GET / HTTP/1.2\r\n" + host + end, `GET origin / 1.2 "h"`, "", ""},
	{"GET / HTTP/1.9\r\n" + host + end, `GET origin / 1.9 "h"`, "", ""},
	{"GET / HTTP/1.9\r\n" + end, "400", "no Host", "no Host"},
	{"GET / HTTP/0.9\r\n" + host + end, "505", "HTTP/0.9", "version"},
	{"GET / HTTP/2.0\r\n" + host + end, "505", "HTTP/2.0", "version"},
	{"GET / HTTP/3.0\r\n" + host + end, "505", "HTTP/3.0", "version"},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505", "beginning of HTTP/2", "version"},
	{"GET / HTTP/1.10\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTP/1\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTP/1.\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTP/11\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTP/01.1\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTP/1,1\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTP/1.x\r\n" + host + end, "400", "no version", ""},
	{"GET / http/1.1\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTPS/1.1\r\n" + host + end, "400", "no version", ""},
	{"GET / HTTP/-1.1\r\n" + host + end, "400", "no version", ""},

	// Targets: section 3.2.
	{"GET http://h/a?b HTTP/1.1\r\nHost: other\r\n\r\n", `GET absolute http://h/a?b 1.1 "h"`, "", ""},
	{"GET HTTP://h:81 HTTP/1.1\r\nHost: h:81\r\n\r\n", `GET absolute HTTP://h:81 1.1 "h:81"`, "", ""},
	{"GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n", `GET absolute http://h?q 1.1 "h"`, "", ""},
	{"GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", `GET absolute http://[::1]:80/ 1.1 "[::1]:80"`, "", ""},
	{"GET http://h/ HTTP/1.0\r\n\r\n", `GET absolute http://h/ 1.0 "h" close`, "", ""},
	{"GET a+b-c.d9://h/ HTTP/1.1\r\n" + host + end, `GET absolute a+b-c.d9://h/ 1.1 "h"`, "", ""},
	{"GET http://h/ HTTP/1.1\r\n\r\n", "400", "no Host", "no Host"},
	{"GET http://h/ HTTP/1.1\r\nHost:\r\n\r\n", "400", "Host field is empty", "empty Host"},
	{"GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n", "400", "no host", "bad Host"},
	{"GET http:///a HTTP/1.1\r\n" + host + end, "400", "where a host", "no authority"},
	{"GET http:/a HTTP/1.1\r\n" + host + end, "400", "neither a path", "no authority"},
	{"GET mailto:a HTTP/1.1\r\n" + host + end, "400", "neither a path", "no authority"},
	{"GET 1http://h/ HTTP/1.1\r\n" + host + end, "400", "neither a path", ""},
	{"GET ://h/ HTTP/1.1\r\n" + host + end, "400", "neither a path", ""},
	{"GET http://me:secret@h/ HTTP/1.1\r\n" + host + end, "400", "where a host", "bad authority"},
	{"GET http://: HTTP/1.1\r\n" + host + end, "400", "where a host", "bad authority"},
	{"GET http://h:x/ HTTP/1.1\r\n" + host + end, "400", "where a host", ""},
	{"GET http://a<b/ HTTP/1.1\r\n" + host + end, "400", "where a host", "bad authority"},
	{"GET http://a\\b/ HTTP/1.1\r\n" + host + end, "400", "where a host", ""},
	{"GET http://a%41/ HTTP/1.1\r\n" + host + end, `GET absolute http://a%41/ 1.1 "a%41"`, "", "URI"},
	{"GET http://a%2Bb%5B:8/ HTTP/1.1\r\n" + host + end, `GET absolute http://a%2Bb%5B:8/ 1.1 "a%2Bb%5B:8"`, "", "URI"},
	{"GET http://%C3%A9/ HTTP/1.1\r\n" + host + end, `GET absolute http://%C3%A9/ 1.1 "%C3%A9"`, "", "escaped host"},
	{"GET a HTTP/1.1\r\n" + host + end, "400", "neither a path", ""},
	{"GET h:80 HTTP/1.1\r\n" + host + end, "400", "neither a path", "no authority"},
	{"GET ?a HTTP/1.1\r\n" + host + end, "400", "neither a path", ""},
	{"GET * HTTP/1.1\r\n" + host + end, "400", "only OPTIONS", "asterisk"},
	{"OPTIONS * HTTP/1.1\r\n" + host + end, `OPTIONS asterisk * 1.1 "h"`, "", ""},
	{"OPTIONS * HTTP/1.1\r\nHost:\r\n" + end, `OPTIONS asterisk * 1.1 ""`, "", ""},
	{"OPTIONS / HTTP/1.1\r\n" + host + end, `OPTIONS origin / 1.1 "h"`, "", ""},
	{"OPTIONS ** HTTP/1.1\r\n" + host + end, "400", "neither a path", ""},
	{"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", `CONNECT authority h:443 1.1 "h:443"`, "", ""},
	{"CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n", `CONNECT authority [::1]:443 1.1 "[::1]:443"`, "", ""},
	{"CONNECT h HTTP/1.1\r\n" + host + end, "400", "no host with a port", "CONNECT"},
	{"CONNECT h: HTTP/1.1\r\n" + host + end, "400", "no host with a port", "CONNECT"},
	{"CONNECT [::1] HTTP/1.1\r\n" + host + end, "400", "no host with a port", "CONNECT"},
	{"CONNECT http://h:1/ HTTP/1.1\r\n" + host + end, "400", "no host with a port", "CONNECT"},
	{"CONNECT h:443 HTTP/1.1\r\n\r\n", "400", "no Host", "no Host"},
	{"CONNECT * HTTP/1.1\r\n" + host + end, "400", "no host with a port", "CONNECT"},
	{"CONNECT /_goRPC_ HTTP/1.0\n\n", `CONNECT origin /_goRPC_ 1.0 "" close`, "", ""},
	{"GET /#a HTTP/1.1\r\n" + host + end, "400", "fragment", "fragment"},
	{"GET /a\x7f HTTP/1.1\r\n" + host + end, "400", "has the byte", ""},
	{"GET /a\x00 HTTP/1.1\r\n" + host + end, "400", "has the byte", ""},
	{"GET /\xc3\xa9 HTTP/1.1\r\n" + host + end, "GET origin /\xc3\xa9 1.1 \"h\"", "", ""},
	{"GET /%zz HTTP/1.1\r\n" + host + end, `GET origin /%zz 1.1 "h"`, "", "URI"},
	{"GET //h/a HTTP/1.1\r\n" + host + end, `GET origin //h/a 1.1 "h"`, "", ""},

	// Host: section 3.2, and RFC 3986, section 3.2.
	{get + end, "400", "no Host", "no Host"},
	{get + "A: b\r\n" + end, "400", "no Host", "no Host"},
	{get + host + host + end, "400", "second Host", ""},
	{get + host + "HOST: x\r\n" + end, "400", "second Host", ""},
	{"GET / HTTP/1.0\r\n" + host + host + end, "400", "second Host", ""},
	{get + "Host: a b\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: a,b\r\n" + end, `GET origin / 1.1 "a,b"`, "", ""},
	{get + "Host: a/b\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: a@b\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: a?b\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: a\x80\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: a\x00b\r\n" + end, "400", "control character", ""},
	{get + "Host: a:b\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: a:80:80\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: a:\r\n" + end, `GET origin / 1.1 "a:"`, "", ""},
	{get + "Host: :80\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: ::1\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: [::1\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: []\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: [::1]x\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: x[::1]\r\n" + end, "400", "no host", "bad Host"},
	{get + "Host: [fe80::1%25eth0]:8\r\n" + end, `GET origin / 1.1 "[fe80::1%25eth0]:8"`, "", ""},

	// Fields: section 5.
	{get + " A: b\r\n" + host + end, "400", "begins with whitespace", ""},
	{get + "\tA: b\r\n" + host + end, "400", "begins with whitespace", ""},
	{get + host + "A: b\r\n c\r\n" + end, "400", "begins with whitespace", "folded"},
	{get + host + "A: b\r\n\tc\r\n" + end, "400", "begins with whitespace", "folded"},
	{get + host + "A: b\r\n \r\n" + end, "400", "begins with whitespace", "folded"},
	{get + "Host: h\r\n x\r\n" + end, "400", "begins with whitespace", "folded"},
	{get + host + "A : b\r\n" + end, "400", "before its colon", "space in name"},
	{get + host + "A\t: b\r\n" + end, "400", "before its colon", ""},
	{get + host + "A B: b\r\n" + end, "400", "before its colon", "space in name"},
	{head1("Content-Length : 5"), "400", "before its colon", "space in name"},
	{head1("Transfer-Encoding : chunked"), "400", "before its colon", "space in name"},
	{get + host + ": b\r\n" + end, "400", "no name", ""},
	{get + host + ":\r\n" + end, "400", "no name", ""},
	{get + host + "A\r\n" + end, "400", "no colon", ""},
	{get + host + "A b\r\n" + end, "400", "before its colon", ""},
	{get + host + "A\x00: b\r\n" + end, "400", "in its name", ""},
	{get + host + "A(: b\r\n" + end, "400", "in its name", ""},
	{get + host + "\x80: b\r\n" + end, "400", "in its name", ""},
	{get + host + "A: \x00\r\n" + end, "400", "control character", ""},
	{get + host + "A: 1234567\x01\r\n" + end, "400", "control character", ""},
	{get + host + "A: 12345678\x7f12345678\r\n" + end, "400", "control character", ""},
	{get + host + "A: 12345678\x0b\r\n" + end, "400", "control character", ""},
	{get + host + "A: \x1b[31m\r\n" + end, "400", "control character", ""},
	{get + host + "A:\x0cb\r\n" + end, "400", "control character", ""},
	{get + host + "A: b:c: d\r\n" + end, `GET origin / 1.1 "h"`, "", ""},

	{get + host + strings.Repeat("a:\n", DefaultFields) + end, "431", "more than 1000 fields", "many fields"},

	// Content-Length: section 6.3 and RFC 9110, section 8.6.
	{head1("Content-Length: 5", "Content-Length: 5"), "400", "second Content-Length", "lengths"},
	{head1("Content-Length: 5", "Content-Length: 6"), "400", "second Content-Length", ""},
	{head1("Content-Length: 5", "content-LENGTH: 05"), "400", "second Content-Length", ""},
	{head1("Content-Length: 5, 5"), "400", "no number", ""},
	{head1("Content-Length: 5,6"), "400", "no number", ""},
	{head1("Content-Length: +5"), "400", "no number", ""},
	{head1("Content-Length: -5"), "400", "no number", ""},
	{head1("Content-Length: 5 5"), "400", "no number", ""},
	{head1("Content-Length: 5_0"), "400", "no number", ""},
	{head1("Content-Length: 0x5"), "400", "no number", ""},
	{head1("Content-Length: 5.0"), "400", "no number", ""},
	{head1("Content-Length: 1e3"), "400", "no number", ""},
	{head1("Content-Length: \"5\""), "400", "no number", ""},
	{head1("Content-Length: \xd9\xa5"), "400", "no number", ""},
	{head1("Content-Length:"), "400", "empty", ""},
	{head1("Content-Length: 9223372036854775808"), "400", "larger than any", ""},
	{head1("Content-Length: 18446744073709551621"), "400", "larger than any", ""},
	{head1("Content-Length: 99999999999999999999999999"), "400", "larger than any", ""},

	// Transfer-Encoding: sections 6.1, 6.3 and 7.
	{head1("Content-Length: 5", "Transfer-Encoding: chunked"), "400", "both Content-Length", "both lengths"},
	{head1("Transfer-Encoding: chunked", "Content-Length: 5"), "400", "both Content-Length", "both lengths"},
	{head1("Transfer-Encoding: chunked", "A: b", "Content-Length: 0"), "400", "both Content-Length", "both lengths"},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400", "HTTP/1.0 has no", "coding in 1.0"},
	{"POST / HTTP/1.0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400", "both Content-Length", "both lengths"},
	{head1("Transfer-Encoding: gzip"), "501", "not known", ""},
	{head1("Transfer-Encoding: identity"), "501", "not known", ""},
	{head1("Transfer-Encoding: xchunked"), "501", "not known", ""},
	{head1("Transfer-Encoding: chunkedx"), "501", "not known", ""},
	{head1("Transfer-Encoding: gzip, chunked"), "501", "not known", ""},
	{head1("Transfer-Encoding: gzip;q=1, chunked"), "501", "not known", ""},
	{head1("Transfer-Encoding: chunked, chunked"), "400", "not last", ""},
	{head1("Transfer-Encoding: chunked, gzip"), "400", "not last", ""},
	{head1("Transfer-Encoding: chunked, identity"), "400", "not last", ""},
	{head1("Transfer-Encoding: chunked;q=1"), "400", "a parameter", ""},
	{head1("Transfer-Encoding: chunked;"), "400", "a parameter", ""},
	{head1("Transfer-Encoding:"), "400", "no list", ""},
	{head1("Transfer-Encoding: ,chunked"), "400", "no list", ""},
	{head1("Transfer-Encoding: chunked,"), "400", "no list", ""},
	{head1("Transfer-Encoding: \"chunked\""), "400", "no list", ""},
	{head1("Transfer-Encoding: chu nked"), "400", "no list", ""},
	{head1("Transfer-Encoding: \x0bchunked"), "400", "control character", ""},
	{head1("Transfer-Encoding: chun\xe9ked"), "400", "no list", ""},
	{head1("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "400", "second Transfer-Encoding", ""},
	{head1("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), "501", "not known", ""},
	{head1("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), "400", "second Transfer-Encoding", ""},
	{head1("Transfer_Encoding: chunked"), `POST origin / 1.1 "h"`, "", ""},
	{head1("Transfer-Encodin\x67: chunked"), `POST origin / 1.1 "h" chunked`, "", ""},
	{head1("Transfer-Encoding: chunked", "Trailer: Content-Length"), `POST origin / 1.1 "h" chunked`, "", "Trailer"},

	// Connection: section 9, RFC 9110, sections 7.6.1 and 7.8; Expect: RFC 9110, section 10.1.1.
	{head1("Connection: close"), `POST origin / 1.1 "h" close`, "", ""},
	{head1("Connection: CLOSE"), `POST origin / 1.1 "h" close`, "", ""},
	{head1("Connection: a ,\tclose , b"), `POST origin / 1.1 "h" close`, "", ""},
	{head1("Connection: a", "Connection: close"), `POST origin / 1.1 "h" close`, "", ""},
	{head1("Connection: closed"), `POST origin / 1.1 "h"`, "", ""},
	{head1("Connection: keep-alive"), `POST origin / 1.1 "h"`, "", ""},
	{head1("Connection: keep-alive, close"), `POST origin / 1.1 "h" close`, "", ""},
	{head1("Connection: ,"), `POST origin / 1.1 "h"`, "", ""},
	{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", `GET origin / 1.0 ""`, "", ""},
	{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", `GET origin / 1.0 "" close`, "", ""},
	{head1("Connection: Upgrade", "Upgrade: websocket"), `POST origin / 1.1 "h" upgrade`, "", ""},
	{head1("Upgrade: websocket", "Connection: keep-alive, upgrade"), `POST origin / 1.1 "h" upgrade`, "", ""},
	{head1("Upgrade: websocket"), `POST origin / 1.1 "h"`, "", ""},
	{head1("Connection: upgrade"), `POST origin / 1.1 "h"`, "", ""},
	{head1("Connection: upgrade", "Upgrade:"), `POST origin / 1.1 "h"`, "", ""},
	{"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", `GET origin / 1.0 "" close`, "", ""},
	{head1("Expect: 100-continue"), `POST origin / 1.1 "h" expect`, "", ""},
	{head1("Expect: 100-Continue"), `POST origin / 1.1 "h" expect`, "", ""},
	{head1("Expect: 100-continue", "Expect: x"), `POST origin / 1.1 "h" expect other`, "", ""},
	{head1("Expect: 100"), `POST origin / 1.1 "h" other`, "", ""},
	{"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", `GET origin / 1.0 "" close`, "", ""},
}

// describe says what a request means.
func describe(r *Request) string {
	s := fmt.Sprintf("%s %s %s 1.%d %q", r.Method, [...]string{"origin", "absolute", "authority", "asterisk"}[r.Form], r.Target, r.Minor, r.Host)
	if r.Body.Length != 0 {
		s += fmt.Sprintf(" length=%d", r.Body.Length)
	}
	for _, flag := range []struct {
		is   bool
		name string
	}{{r.Body.Chunked, "chunked"}, {r.Close, "close"}, {r.Expect, "expect"}, {r.ExpectOther, "other"}, {r.Upgrade, "upgrade"}} {
		if flag.is {
			s += " " + flag.name
		}
	}
	return s
}

// result says what came of parsing, with an error's status alone.
func result(r *Request, n int, err error) string {
	switch e, _ := errors.AsType[*Error](err); {
	case e != nil && n == 0:
		return fmt.Sprint(e.Status)
	case err != nil:
		return fmt.Sprintf("%d with %v", n, err)
	case n == 0:
		return "more"
	}
	return describe(r)
}

func TestRequests(t *testing.T) {
	for _, test := range requests {
		for _, body := range []string{"", "GET /next HTTP/1.1\r\n", "\r\n"} {
			if test.want == "more" && body != "" {
				continue
			}
			var r Request
			n, err := r.Parse([]byte(test.in+body), nil)
			if got := result(&r, n, err); got != test.want || n != 0 && n != len(test.in) {
				t.Errorf("%q:\n%s, %d bytes, %v\nwant %s, %d bytes", test.in, got, n, err, test.want, len(test.in))
			}
			if err != nil && (test.says == "" && test.want != "400" || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("%q: %v, which does not say %q", test.in, err, test.says)
			}
		}
	}
}

// Of a prefix it is said that more is needed, or the error of the whole; and however a head is cut, and wherever its bytes have moved, what comes of it is the same.
func TestRequestsInPieces(t *testing.T) {
	for _, test := range requests {
		whole := []byte(test.in)
		var r Request
		n, err := r.Parse(whole, nil)
		want, failure := result(&r, n, err)+fields(r.Fields), fmt.Sprint(err)
		for i := range whole {
			var r Request
			n, err := r.Parse(whole[:i], nil)
			if n != 0 || err != nil && fmt.Sprint(err) != failure {
				t.Errorf("%q: its first %d bytes: %d, %v; the whole %v", test.in, i, n, err, failure)
			}
			if err != nil {
				break
			}
			// The bytes have moved to where they are now, and where they were is something else.
			before := []byte(test.in[:i])
			r.Reset()
			_, _ = r.Parse(before, nil)
			for j := range before {
				before[j] = '\n'
			}
			n, err = r.Parse(whole, nil)
			if got := result(&r, n, err) + fields(r.Fields); got != want || fmt.Sprint(err) != failure {
				t.Errorf("%q, cut after %d bytes: %s, %v; want %s, %v", test.in, i, got, err, want, failure)
			}
		}
		r.Reset()
		for i := 0; ; i++ {
			n, err := r.Parse([]byte(test.in[:i]), nil)
			if n == 0 && err == nil && i < len(whole) {
				continue
			}
			if got := result(&r, n, err) + fields(r.Fields); got != want || fmt.Sprint(err) != failure {
				t.Errorf("%q, a byte at a time, the last %d: %s, %v; want %s, %v", test.in, i, got, err, want, failure)
			}
			break
		}
	}
}

func fields(fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "\n%q: %q", f.Name, f.Value)
	}
	return b.String()
}

// All bytes, at every place where a byte may be wrong: what may be there is there, and nothing else.
func TestBytes(t *testing.T) {
	const tchar = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" // RFC 9110, section 5.6.2
	for c := range 256 {
		b := string([]byte{byte(c)})
		token := strings.Contains(tchar, b)
		visible := c > ' ' && c != 0x7f
		for _, test := range []struct {
			where, in string
			ok        bool
		}{
			{"method", "G" + b + "T / HTTP/1.1\r\n" + host + end, token},
			{"target", "GET /a" + b + "c HTTP/1.1\r\n" + host + end, visible && b != "#"},
			{"version", "GET / HTTP/1." + b + "\r\n" + host + end, '0' <= c && c <= '9'},
			{"major", "GET / HTTP/" + b + ".1\r\n" + host + end, b == "1"},
			{"name", get + host + "A" + b + "C: d\r\n" + end, token || b == ":"},
			{"value", get + host + "A: b" + b + "d\r\n" + end, visible || b == " " || b == "\t"},
			{"long value", get + host + "A: 0123" + b + "567890\r\n" + end, visible || b == " " || b == "\t"},
			{"host", get + "Host: a" + b + "\r\n" + end, strings.Contains(tchar+"();=,: \t", b) && !strings.Contains("#^`|", b)},
			{"digits", head1("Content-Length: 1" + b + "1"), '0' <= c && c <= '9'},
			{"chunked", head1("Transfer-Encoding: chunke" + b), b == "d" || b == "D"},
			{"chunked-", head1("Transfer-Encoding: " + b + "hunked"), b == "c" || b == "C"},
		} {
			if b == "\n" && (test.where == "value" || test.where == "long value" || test.where == "name") {
				continue // there is a line without a colon
			}
			if b == "\n" && test.where == "host" {
				test.ok = true // and here the head's end is an empty line earlier
			}
			var r Request
			if n, err := r.Parse([]byte(test.in), nil); (n > 0) != test.ok || (err == nil) != test.ok {
				t.Errorf("%q in the %s: %d, %v; want it taken: %v", b, test.where, n, err, test.ok)
			}
		}
	}
}

// A field's name is told by its letters alone: what differs from them in the bit that tells cases apart is another name.
func TestNamesAreTold(t *testing.T) {
	for _, name := range []string{"Host", "Expect", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding"} {
		for i := range name {
			for _, bit := range []byte{0x20, 0x40, 0x80, 0x10, 1} {
				other := []byte(name)
				other[i] ^= bit
				if !ValidName(other) || strings.EqualFold(string(other), name) {
					continue
				}
				in := get + host + string(other) + ": close, upgrade, chunked, 100-continue, 5\r\n" + end
				var r Request
				n, err := r.Parse([]byte(in), nil)
				if got := result(&r, n, err); got != `GET origin / 1.1 "h"` {
					t.Errorf("%q: %s, %v", other, got, err)
				}
			}
		}
	}
}

// One Request parses one head after the other, and nothing of one is left in the next.
func TestRequestIsUsedAgain(t *testing.T) {
	var used Request
	for range 2 {
		for _, test := range requests {
			var fresh Request
			n1, err1 := fresh.Parse([]byte(test.in), nil)
			n2, err2 := used.Parse([]byte(test.in), nil)
			got, want := result(&used, n2, err2), result(&fresh, n1, err1)
			if got != want || n1 > 0 && fields(used.Fields) != fields(fresh.Fields) {
				t.Fatalf("%q: %s%s, want %s%s", test.in, got, fields(used.Fields), want, fields(fresh.Fields))
			}
			if n2 == 0 && err2 == nil {
				used.Reset()
			}
		}
	}
}

func TestRequestAllocatesNothing(t *testing.T) {
	in := browser
	var r Request
	if n := testing.AllocsPerRun(100, func() {
		if n, err := r.Parse(in, nil); n != len(in) || err != nil {
			t.Fatal(n, err)
		}
		// And in two pieces.
		if n, err := r.Parse(in[:100], nil); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := r.Parse(in, nil); n != len(in) || err != nil {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestGet(t *testing.T) {
	var r Request
	if _, err := r.Parse([]byte(head1("A-b: 1", "a-B: 2", "A_b: 3", "Empty:")), nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a-b": "1 true", "A_B": "3 true", "empty": " true", "a\rb": " false", "ab": " false"} {
		if v, ok := r.Get(name); fmt.Sprintf("%s %v", v, ok) != want {
			t.Errorf("%s: %q, %v; want %s", name, v, ok, want)
		}
	}
}

// The preface of HTTP/2 is told, and what resembles it is not.
func TestHTTP2(t *testing.T) {
	for in, want := range map[string]bool{"PRI * HTTP/2.0\r\n": true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": true, "PRI / HTTP/2.0\r\n": false, "GET * HTTP/2.0\r\n": false, "PRI * HTTP/2.1\r\n": false} {
		var r Request
		if _, err := r.Parse([]byte(in), nil); errors.Is(err, ErrHTTP2) != want || err == nil {
			t.Errorf("%q: %v, want ErrHTTP2: %v", in, err, want)
		}
	}
}
