package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const ok200 = "HTTP/1.1 200 OK\r\n"

// responses are heads, the method of the request, and what they mean or a word of the error; differs is the name of the reason in responseDifferences.
var responses = []struct{ method, in, want, differs string }{
	// What is ordinary, and how long bodies are: section 6.3.
	{"GET", ok200 + end, `1.1 200 "OK" close body=-1`, ""},
	{"GET", ok200 + "Content-Length: 5\r\n" + end, `1.1 200 "OK" says=5 body=5`, ""},
	{"GET", ok200 + "Content-Length: 0\r\n" + end, `1.1 200 "OK" says=0 body=0`, ""},
	{"GET", ok200 + "Transfer-Encoding: chunked\r\n" + end, `1.1 200 "OK" chunked`, ""},
	{"HEAD", ok200 + end, `1.1 200 "OK" body=0`, ""},
	{"HEAD", ok200 + "Content-Length: 5\r\n" + end, `1.1 200 "OK" says=5 body=0`, ""},
	{"HEAD", ok200 + "Transfer-Encoding: chunked\r\n" + end, `1.1 200 "OK" body=0`, ""},
	{"GET", "HTTP/1.1 100 Continue\r\n" + end, `1.1 100 "Continue" body=0`, ""},
	{"GET", "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n" + end, `1.1 103 "Early Hints" body=0`, ""},
	{"GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" + end, `1.1 101 "Switching Protocols" upgrade body=0`, ""},
	{"GET", "HTTP/1.1 204 No Content\r\n" + end, `1.1 204 "No Content" body=0`, ""},
	{"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n" + end, `1.1 204 "No Content" says=5 body=0`, ""},
	{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n" + end, `1.1 304 "Not Modified" says=5 body=0`, ""},
	{"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n" + end, `1.1 304 "Not Modified" body=0`, ""},
	{"CONNECT", "HTTP/1.1 200 OK\r\n" + end, `1.1 200 "OK" body=0`, "tunnel"},
	{"CONNECT", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + end, `1.1 200 "OK" says=5 body=0`, "tunnel"},
	{"CONNECT", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + end, `1.1 200 "OK" body=0`, "tunnel"},
	{"CONNECT", "HTTP/1.1 407 No\r\nContent-Length: 5\r\n" + end, `1.1 407 "No" says=5 body=5`, ""},
	{"GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n" + end, `1.0 200 "OK" close says=5 body=5`, ""},
	{"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n" + end, `1.0 200 "OK" says=5 body=5`, ""},
	{"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + end, `1.0 200 "OK" close body=-1`, ""},
	{"GET", ok200 + "Connection: close\r\nContent-Length: 5\r\n" + end, `1.1 200 "OK" close says=5 body=5`, ""},
	{"GET", "HTTP/1.1 599 \xe4 b\r\nContent-Length: 0\r\n" + end, "1.1 599 \"\\xe4 b\" says=0 body=0", ""},
	{"GET", "HTTP/1.1 999 x\r\nContent-Length: 0\r\n" + end, `1.1 999 "x" says=0 body=0`, ""},
	{"GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n" + end, `1.1 200 "" says=0 body=0`, ""},
	{"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n" + end, `1.1 200 "" says=0 body=0`, ""},
	{"GET", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", `1.1 200 "OK" says=0 body=0`, ""},
	{"GET", "HTTP/1.1 200  a\tb \r\nContent-Length: 0\r\n" + end, `1.1 200 " a\tb " says=0 body=0`, ""},
	{"GET", "HTTP/1.7 200 OK\r\nContent-Length: 0\r\n" + end, `1.7 200 "OK" says=0 body=0`, ""},

	// The status line: section 4.
	{"GET", "\r\n" + ok200 + end, "not with HTTP/", ""},
	{"GET", "SSH-2.0-OpenSSH_9.9\r\n", "not with HTTP/", ""},
	{"GET", "<html>", "not with HTTP/", ""},
	{"GET", "ICY 200 OK\r\n\r\n", "not with HTTP/", ""},
	{"GET", "http/1.1 200 OK\r\n\r\n", "not with HTTP/", ""},
	{"GET", "HTTP/1.1\r\n\r\n", "status line", ""},
	{"GET", "HTTP/1.1 20\r\n\r\n", "status line", ""},
	{"GET", "HTTP/1.1 2000\r\n\r\n", "status line", ""},
	{"GET", "HTTP/1.1 2x0 OK\r\n\r\n", "status line", ""},
	{"GET", "HTTP/1.1 -20 OK\r\n\r\n", "status line", ""},
	{"GET", "HTTP/1.1 +20 OK\r\n\r\n", "status line", "status"},
	{"GET", "HTTP/1.1 -00 OK\r\n\r\n", "status line", "status"},
	{"GET", "HTTP/1.1 099 OK\r\n\r\n", "status line", "status"},
	{"GET", "HTTP/1.1  200 OK\r\n\r\n", "status line", "status"},
	{"GET", "HTTP/1.1 200-OK\r\n\r\n", "status line", ""},
	{"GET", "HTTP/1.1\t200 OK\r\n\r\n", "status line", ""},
	{"GET", "HTTP/1.10 200 OK\r\n\r\n", "status line", ""},
	{"GET", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1 alone", "version"},
	{"GET", "HTTP/1.1 200 O\x00K\r\n\r\n", "control character", "reason"},
	{"GET", "HTTP/1.1 200 O\rK\r\n\r\n", "control character", "reason"},
	{"GET", "HTTP/1.1 200 OK\rContent-Length: 5\r\n\r\n", "control character", "reason"},

	// Fields and lengths, as of requests.
	{"GET", ok200 + "A: b\r\n c\r\n" + end, "begins with whitespace", "folded"},
	{"GET", ok200 + "A : b\r\n" + end, "before its colon", "space in name"},
	{"GET", ok200 + "Content-Length: 5\r\nContent-Length: 5\r\n" + end, "second Content-Length", "lengths"},
	{"GET", ok200 + "Content-Length: 5\r\nContent-Length: 6\r\n" + end, "second Content-Length", ""},
	{"HEAD", ok200 + "Content-Length: x\r\n" + end, "no number", ""},
	{"GET", ok200 + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" + end, "both Content-Length", "both lengths"},
	{"GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" + end, "HTTP/1.0 has no", "coding in 1.0"},
	{"GET", ok200 + "Transfer-Encoding: gzip\r\n" + end, "not known", ""},
	{"GET", ok200 + "Transfer-Encoding: chunked, chunked\r\n" + end, "not last", ""},
	{"GET", ok200 + "Host: a b\r\nContent-Length: 0\r\n" + end, `1.1 200 "OK" says=0 body=0`, ""},
	{"GET", ok200 + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n" + end, `1.1 200 "OK" chunked`, "Trailer"},
	{"GET", ok200 + strings.Repeat("a:\n", DefaultFields+1) + end, "more than 1000 fields", "many fields"},
}

func describeResponse(r *Response) string {
	s := fmt.Sprintf("1.%d %d %q", r.Minor, r.Status, r.Reason)
	if r.Close {
		s += " close"
	}
	if r.Upgrade {
		s += " upgrade"
	}
	if r.Length >= 0 {
		s += fmt.Sprint(" says=", r.Length)
	}
	if r.Body.Chunked {
		return s + " chunked"
	}
	return s + fmt.Sprint(" body=", r.Body.Length)
}

func responseResult(r *Response, n int, err error) string {
	switch e, _ := errors.AsType[*Error](err); {
	case e != nil && n == 0 && e.Status == 502:
		return e.Error()
	case err != nil:
		return fmt.Sprintf("%d with %#v", n, err)
	case n == 0:
		return "more"
	}
	return describeResponse(r) + fields(r.Fields)
}

func TestResponses(t *testing.T) {
	var used Response
	for _, test := range responses {
		var r Response
		n, err := r.Parse([]byte(test.in+"body"), nil, test.method)
		got := responseResult(&r, n, err)
		if err == nil && describeResponse(&r) != test.want || err != nil && !strings.Contains(got, test.want) || err == nil && n != len(test.in) {
			t.Errorf("%s %q:\n%s, %d bytes\nwant %s, %d bytes", test.method, test.in, got, n, test.want, len(test.in))
		}
		n, err = used.Parse([]byte(test.in+"body"), nil, test.method)
		if again := responseResult(&used, n, err); again != got {
			t.Errorf("%s %q: in a Response that was used: %s; want %s", test.method, test.in, again, got)
		}
		for i := range len(test.in) {
			used.Reset()
			before := []byte(test.in[:i])
			n, err := used.Parse(before, nil, test.method)
			if n != 0 || err != nil && err.Error() != got {
				t.Errorf("%s %q: its first %d bytes: %d, %v", test.method, test.in, i, n, err)
			}
			if err != nil {
				break
			}
			for j := range before {
				before[j] = '\n'
			}
			n, err = used.Parse([]byte(test.in), nil, test.method)
			if again := responseResult(&used, n, err); again != got {
				t.Errorf("%s %q: cut after %d bytes: %s; want %s", test.method, test.in, i, again, got)
			}
		}
	}
}

func TestResponseLimits(t *testing.T) {
	in := ok200 + "A: b\r\nContent-Length: 3\r\n\r\n"
	for _, test := range []struct {
		limits Limits
		want   string
	}{
		{Limits{Head: len(in), Fields: 2}, `1.1 200 "OK" says=3 body=3`},
		{Limits{Head: len(in) - 1}, "the head has no end"},
		{Limits{Head: len(ok200) - 1}, "the status line has no end"},
		{Limits{Fields: 1}, "more than 1 fields"},
	} {
		for cut := range len(in) {
			var r Response
			n, err := r.Parse([]byte(in[:cut]), &test.limits, "GET")
			if n == 0 && err == nil {
				n, err = r.Parse([]byte(in), &test.limits, "GET")
			}
			if got := responseResult(&r, n, err); !strings.Contains(got, test.want) {
				t.Fatalf("%+v, cut after %d: %s; want %s", test.limits, cut, got, test.want)
			}
		}
	}
}

// responseDifferences are why a response is read otherwise by net/http.ReadResponse.
var responseDifferences = append([]difference{
	{"version", refuse, take, regexp.MustCompile(`^HTTP/[02-9]\.\d `), "ReadResponse leaves versions to the caller"},
	{"status", refuse, take, regexp.MustCompile(`^HTTP/1\.\d (\+|-| |0)`), "section 4: three digits behind one space, the first of which is not 0 (RFC 9110, section 15)"},
	{"reason", refuse, take, regexp.MustCompile(`^HTTP/1\.\d \d\d\d [^\n]*([\x00-\x08\x0b-\x1f\x7f][^\n]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]\r?\n|\r\r\n)`), "section 4: text; net/http takes control characters, a bare CR among them"},
	{"tunnel", "differ", "differ", regexp.MustCompile(`^HTTP/1\.\d 2`), "section 6.3: what follows a 2xx to CONNECT is a tunnel, and no body; ReadResponse leaves that to the caller"},
}, pick("folded", "space in name", "lengths", "both lengths", "many fields", "Trailer")...)

func init() {
	responseDifferences = append(responseDifferences, difference{"coding in 1.0", refuse, take, regexp.MustCompile(`(?is)^HTTP/1\.0 .*\ntransfer-encoding:`), "as of requests"})
}

func pick(names ...string) (picked []difference) {
	for _, d := range differences {
		if slices.Contains(names, d.name) {
			picked = append(picked, d)
		}
	}
	return picked
}

// compareResponse parses p in both ways, and returns "" if they agree, else the name of the difference, or a failure.
func compareResponse(p []byte, method string) (name, failure string) {
	var r Response
	n, err := r.Parse(p, nil, method)
	under := bytes.NewReader(p)
	b := bufio.NewReader(under)
	resp, failed := http.ReadResponse(b, &http.Request{Method: method})
	m := len(p) - under.Len() - b.Buffered()
	what := func(ours, theirs, differs string) (string, string) {
		for _, d := range responseDifferences {
			if d.ours == ours && d.theirs == theirs && d.is.Match(headOf(p)) && (d.name != "tunnel" || method == "CONNECT" && differs == "the body") {
				return d.name, ""
			}
		}
		return "", fmt.Sprintf("%s %q %s\nours: %s, %d bytes\nnet/http: %+v, %d bytes, %v", method, p, differs, responseResult(&r, n, err), n, resp, m, failed)
	}
	switch {
	case n == 0 && failed == nil:
		return what(refuse, take, "")
	case n == 0:
		return "", ""
	case failed != nil:
		return what(take, refuse, "")
	}
	if differs := unequalResponse(&r, n, resp, m, method); differs != "" {
		return what("differ", "differ", differs)
	}
	return "", ""
}

func unequalResponse(r *Response, n int, resp *http.Response, m int, method string) string {
	h := http.Header{}
	for _, f := range r.Fields {
		name := CanonicalName(f.Name)
		h[name] = append(h[name], string(f.Value))
	}
	for _, left := range []string{"Trailer", "Transfer-Encoding", "Cache-Control", "Connection", "Content-Length"} { // net/http takes them out, or puts them in
		h.Del(left)
		resp.Header.Del(left)
	}
	length := r.Body.Length
	switch {
	case method == "HEAD":
		length = r.Length
	case r.Body.Chunked:
		length = -1
	}
	chunked := slices.Equal(resp.TransferEncoding, []string{"chunked"})
	if resp.Body == http.NoBody {
		chunked = false
	}
	switch {
	case n != m:
		return "the length"
	case r.Minor != resp.ProtoMinor, resp.ProtoMajor != 1:
		return "the version"
	case r.Status != resp.StatusCode, strings.TrimLeft(fmt.Sprintf("%d %s", r.Status, r.Reason), " ") != resp.Status && fmt.Sprint(r.Status) != resp.Status:
		return "the status"
	case fmt.Sprint(h) != fmt.Sprint(resp.Header):
		return "a field"
	case length != resp.ContentLength, r.Body.Chunked != chunked, r.Close != resp.Close:
		return "the body"
	}
	return ""
}

func TestResponseDifferences(t *testing.T) {
	used := map[string]bool{}
	for _, test := range responses {
		name, failure := compareResponse([]byte(test.in), test.method)
		if failure != "" || name != test.differs {
			t.Errorf("%s %q: %q, want %q\n%s", test.method, test.in, name, test.differs, failure)
		}
		used[name] = true
	}
	for _, d := range responseDifferences {
		if !used[d.name] || d.why == "" {
			t.Errorf("the difference %q is not in the table, or has no reason", d.name)
		}
	}
}

func FuzzResponse(f *testing.F) {
	methods := []string{"GET", "HEAD", "CONNECT", "POST"}
	for _, test := range responses {
		if len(test.in) < 1000 { // making long ones shorter would take the fuzzer's time
			f.Add([]byte(test.in), uint8(slices.Index(methods, test.method)))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte, m uint8) {
		method := methods[int(m)%len(methods)]
		if _, failure := compareResponse(p, method); failure != "" {
			t.Fatal(failure)
		}
		var whole, parts Response
		n, err := whole.Parse(p, nil, method)
		want := responseResult(&whole, n, err)
		for i := range len(p) + 1 {
			m, failed := parts.Parse(p[:i], nil, method)
			if m == 0 && failed == nil && i < len(p) {
				continue
			}
			if got := responseResult(&parts, m, failed); got != want {
				t.Fatalf("%q, a byte at a time: %s; at once: %s", p, got, want)
			}
			break
		}
	})
}
