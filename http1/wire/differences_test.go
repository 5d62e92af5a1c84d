package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A difference is a reason for which a request is read in one way here and in another by net/http.ReadRequest. A request that has none of these must be read alike.
type difference struct {
	name string
	// ours and theirs are what comes of it: an error, a request, or (both) two of which the members that may differ are left out of the comparison.
	ours, theirs string
	is           *regexp.Regexp // of the head
	why          string
}

const (
	refuse = "refuses"
	take   = "takes"
)

var differences = []difference{
	{"empty lines", take, refuse, regexp.MustCompile(`^(\r?\n){1,4}[^\r\n]`), "section 2.2 wants an empty line before a request line ignored; net/http's server does so after a POST only"},
	{"version", refuse, take, regexp.MustCompile(`^[^ \n]+ [^ \n]+ HTTP/[02-9]\.\d\r?\n`), "ReadRequest leaves versions to the server, which refuses these too"},
	{"no Host", refuse, take, regexp.MustCompile(`^[^ \n]+ [^ \n]+ HTTP/1\.[1-9]\r?\n`), "ReadRequest leaves Host to the server, which refuses these too, but of CONNECT; section 3.2 has no exception"},
	{"empty Host", refuse, take, regexp.MustCompile(`(?i)\nhost:[ \t]*\r?\n`), "section 3.2: a target with an authority has a Host with the same"},
	{"bad Host", refuse, take, regexp.MustCompile(`(?i)\nhost:[ \t]*[^ \t\r\n]`), "ReadRequest leaves Host to the server, which looks at single bytes; we also want a port to be digits, and brackets around an address"},
	{"asterisk", refuse, take, regexp.MustCompile(`^[^ \n]+ \* HTTP`), "section 3.2.4: of OPTIONS alone"},
	{"no authority", refuse, take, regexp.MustCompile(`^[^ \n]+ [a-zA-Z][a-zA-Z0-9+.-]*:`), "section 3.2.2: a target is a path or has an authority; net/url takes any URI"},
	{"bad authority", refuse, take, regexp.MustCompile(`^[^ \n]+ [a-zA-Z][a-zA-Z0-9+.-]*://`), "user information is an error (RFC 9110, section 4.2.4), and net/url takes bytes that RFC 3986 has in no host"},
	{"CONNECT", refuse, take, regexp.MustCompile(`^CONNECT [^/]`), "section 3.2.3: a host and a port; net/http takes whatever may be behind http://"},
	{"fragment", refuse, take, regexp.MustCompile(`^[^ \n]+ [^ \n]*#`), "section 3.2: no form of a target has one; net/url has # be part of the path"},
	{"URI", take, refuse, regexp.MustCompile(`^[^ \n]+ [^ \n]+ HTTP`), "what is escaped, addresses in brackets and such are for the parser of URIs that the server has over this"},
	{"escaped host", "differ", "differ", regexp.MustCompile(`^[^ \n]+ [^ \n]*%`), "net/url unescapes hosts"},
	{"folded", refuse, take, regexp.MustCompile(`\n[ \t]`), "section 5.2: obs-fold is refused or replaced; net/http replaces it, and who reads the second line otherwise sees another field"},
	{"space in name", refuse, take, regexp.MustCompile(`\n[^:\n]* [^:\n]*:`), "section 5.1: MUST be refused; ReadRequest takes it under a name that nobody asks for, its server refuses"},
	{"lengths", refuse, take, regexp.MustCompile(`(?is)\ncontent-length:.*\ncontent-length:`), "section 6.3 allows to refuse equal ones, and what stands behind us may take another"},
	{"both lengths", refuse, take, regexp.MustCompile(`(?is)\n(content-length:.*\ntransfer-encoding:|transfer-encoding:.*\ncontent-length:)`), "section 6.3: ought to be handled as an error; net/http has chunked win"},
	{"coding in 1.0", refuse, take, regexp.MustCompile(`(?is)^[^ \n]+ [^ \n]+ HTTP/1\.0\r?\n.*transfer-encoding:`), "section 6.1: MUST be treated as faulty framing; net/http ignores it, and the body is the next request"},
	{"Trailer", take, refuse, regexp.MustCompile(`(?i)\ntrailer:`), "net/http refuses to be told of a trailer Content-Length; we refuse that trailer when it comes"},
	{"many fields", refuse, take, regexp.MustCompile(`(\n[^\n]*){1000}`), "Limits.Fields"},
}

// theirs is what net/http.ReadRequest makes of p: a request as describe has it, its fields, and how many bytes the head had.
func theirs(p []byte) (req *http.Request, n int, err error) {
	under := bytes.NewReader(p)
	b := bufio.NewReader(under)
	req, err = http.ReadRequest(b)
	return req, len(p) - under.Len() - b.Buffered(), err
}

// compare parses p in both ways, and returns "" if they agree, else the name of the difference, or a failure.
func compare(p []byte) (name, failure string) {
	var r Request
	n, err := r.Parse(p, nil)
	req, m, failed := theirs(p)
	what := func(ours, theirs string) (string, string) {
		h := headOf(p)
		for _, d := range differences {
			if d.ours == ours && d.theirs == theirs && d.is.Match(h) && d.holds(&r, h) {
				return d.name, ""
			}
		}
		return "", fmt.Sprintf("%q\nours: %s%s, %d bytes, %v\nnet/http: %v, %d bytes, %v", p, result(&r, n, err), fields(r.Fields), n, err, req, m, failed)
	}
	switch {
	case n == 0 && failed == nil:
		return what(refuse, take)
	case n == 0:
		return "", ""
	case failed != nil:
		return what(take, refuse)
	}
	if differs := unequal(&r, n, req, m); differs != "" {
		if differs == "host" {
			return what("differ", "differ")
		}
		return "", fmt.Sprintf("%q: %s differs\nours: %s%s, %d bytes\nnet/http: %+v, %d bytes", p, differs, describe(&r), fields(r.Fields), n, req, m)
	}
	return "", ""
}

// headOf is p without what is behind the head, as far as that can be told.
func headOf(p []byte) []byte {
	lines := 0
	for i := 0; i < len(p); {
		j := bytes.IndexByte(p[i:], '\n')
		if j < 0 {
			return p
		}
		if line := strings.TrimSuffix(string(p[i:i+j]), "\r"); line == "" && lines > 0 {
			return p[:i+j+1]
		} else if line != "" {
			lines++
		}
		i += j + 1
	}
	return p
}

var (
	hostField = regexp.MustCompile(`(?i)\nhost:[ \t]*([^\r\n]*?)[ \t]*\r?\n`)
	oneHost   = regexp.MustCompile(`^([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[A-Za-z0-9._~!$&'()*+,;=%:-]+\])(:[0-9]*)?$`)
	target    = regexp.MustCompile(`^[^ \n]+ ([^ \n]*) HTTP`)
	authority = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*://([^/?]+)`)
)

// holds is what an expression cannot say.
func (d difference) holds(r *Request, head []byte) bool {
	h := hostField.FindSubmatch(head)
	t := ""
	if m := target.FindSubmatch(head); m != nil {
		t = string(m[1])
	}
	connect := bytes.HasPrefix(head, []byte("CONNECT "))
	switch d.name {
	case "no Host":
		return h == nil
	case "bad Host":
		return h != nil && len(h[1]) > 0 && !oneHost.Match(h[1])
	case "empty Host":
		return h != nil && len(h[1]) == 0 && !strings.HasPrefix(t, "/") && t != "*"
	case "asterisk":
		return !bytes.HasPrefix(head, []byte("OPTIONS ")) && !connect
	case "no authority":
		return !connect && !authority.MatchString(t)
	case "bad authority":
		m := authority.FindStringSubmatch(t)
		return !connect && m != nil && !oneHost.MatchString(m[1])
	case "CONNECT":
		_, port, found := strings.Cut(t[strings.LastIndex(t, "]")+1:], ":")
		return !found || port == "" || !oneHost.MatchString(t)
	case "URI":
		_, err := parseURI(r, t)
		return err != nil
	case "escaped host":
		u, err := parseURI(r, t)
		plain, failed := url.PathUnescape(string(r.Host))
		return err == nil && failed == nil && u.Host == plain
	}
	return true
}

// parseURI is what net/http does with a target.
func parseURI(r *Request, target string) (*url.URL, error) {
	if r.Form == Authority {
		target = "http://" + target
	}
	return url.ParseRequestURI(target)
}

// unequal is what of a request is not the same.
func unequal(r *Request, n int, req *http.Request, m int) string {
	length := r.Body.Length
	if r.Body.Chunked {
		length = -1
	}
	h := http.Header{}
	for _, f := range r.Fields {
		name := CanonicalName(f.Name)
		h[name] = append(h[name], string(f.Value))
	}
	for _, left := range []string{"Host", "Trailer", "Transfer-Encoding", "Cache-Control"} { // net/http takes them out, or puts them in
		h.Del(left)
		req.Header.Del(left)
	}
	switch {
	case n != m:
		return "the length"
	case string(r.Method) != req.Method, string(r.Target) != req.RequestURI:
		return "the request line"
	case r.Minor != req.ProtoMinor, req.ProtoMajor != 1:
		return "the version"
	case length != req.ContentLength, r.Body.Chunked != slices.Equal(req.TransferEncoding, []string{"chunked"}):
		return "the body"
	case r.Close != req.Close:
		return "close"
	case fmt.Sprint(h) != fmt.Sprint(req.Header):
		return "a field"
	case string(r.Host) != req.Host:
		return "host"
	}
	return ""
}

// What is in the table is read by net/http alike, or otherwise for the reason that the table has, and each reason is there for something.
func TestDifferences(t *testing.T) {
	used := map[string]bool{}
	for _, test := range requests {
		name, failure := compare([]byte(test.in))
		if failure != "" || name != test.differs {
			t.Errorf("%q: %q, want %q\n%s", test.in, name, test.differs, failure)
		}
		used[name] = true
	}
	for _, d := range differences {
		if !used[d.name] || d.why == "" {
			t.Errorf("the difference %q is not in the table, or has no reason", d.name)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, test := range requests {
		if len(test.in) < 1000 { // making long ones shorter would take the fuzzer's time
			f.Add([]byte(test.in))
		}
	}
	f.Add(browser)
	f.Fuzz(func(t *testing.T, p []byte) {
		if _, failure := compare(p); failure != "" {
			t.Fatal(failure)
		}
		// However it is cut.
		var whole, parts Request
		n, err := whole.Parse(p, nil)
		for i := range len(p) + 1 {
			m, failed := parts.Parse(p[:i], nil)
			if m == 0 && failed == nil && i < len(p) {
				continue
			}
			if m != n || fmt.Sprint(failed) != fmt.Sprint(err) || result(&parts, m, failed) != result(&whole, n, err) || m > 0 && fields(parts.Fields) != fields(whole.Fields) {
				t.Fatalf("%q, a byte at a time: %s, %v; at once: %s, %v", p, result(&parts, m, failed), failed, result(&whole, n, err), err)
			}
			break
		}
	})
}

func FuzzCanonicalName(f *testing.F) {
	for _, name := range common {
		f.Add([]byte(name))
		f.Add([]byte(strings.ToLower(name)))
		f.Add([]byte(name + "\r"))
	}
	f.Add([]byte("x-something-ELSE"))
	f.Fuzz(func(t *testing.T, name []byte) {
		if got, want := CanonicalName(name), textproto.CanonicalMIMEHeaderKey(string(name)); got != want {
			t.Fatalf("%q is %q, want %q", name, got, want)
		}
	})
}
