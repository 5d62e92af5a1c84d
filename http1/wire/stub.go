package wire

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

type Limits struct{ Head, Fields int }
type Field struct{ Name, Value []byte }
type Framing struct {
	Length  int64
	Chunked bool
}
type Request struct {
	Method, Target         []byte
	Minor                  int
	Fields                 []Field
	Host                   []byte
	Body                   Framing
	Close, Expect, Upgrade bool
}
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return e.Reason }

func (r *Request) Parse(p []byte, lim *Limits) (int, error) {
	all := len(p)
	*r = Request{Fields: r.Fields[:0]}
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		return 0, nil
	}
	line := bytes.TrimRight(p[:i], "\r")
	p = p[i+1:]
	parts := bytes.SplitN(line, []byte(" "), 3)
	if len(parts) != 3 {
		return 0, &Error{400, "bad request line"}
	}
	r.Method, r.Target = parts[0], parts[1]
	if string(parts[2]) == "HTTP/1.1" {
		r.Minor = 1
	}
	r.Close = r.Minor == 0
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			return 0, nil
		}
		line := bytes.TrimRight(p[:i], "\r")
		p = p[i+1:]
		if len(line) == 0 {
			return all - len(p), nil
		}
		c := bytes.IndexByte(line, ':')
		if c <= 0 {
			return 0, &Error{400, "bad field"}
		}
		v := bytes.TrimSpace(line[c+1:])
		r.Fields = append(r.Fields, Field{line[:c], v})
		switch strings.ToLower(string(line[:c])) {
		case "host":
			r.Host = v
		case "content-length":
			n, err := strconv.ParseInt(string(v), 10, 64)
			if err != nil {
				return 0, &Error{400, "bad length"}
			}
			r.Body.Length = n
		case "transfer-encoding":
			r.Body.Chunked = true
		case "connection":
			switch strings.ToLower(string(v)) {
			case "close":
				r.Close = true
			case "keep-alive":
				r.Close = false
			case "upgrade":
				r.Upgrade = true
			}
		case "expect":
			r.Expect = true
		}
	}
}

type Chunks struct {
	left  int64
	state int
	trail []Field
}

func (d *Chunks) Next(p []byte) ([]byte, int, error) {
	switch d.state {
	case 0, 3:
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			return nil, 0, nil
		}
		line := bytes.TrimRight(p[:i], "\r")
		if d.state == 3 {
			if len(line) == 0 {
				d.state = 4
				return nil, i + 1, nil
			}
			k, v, _ := bytes.Cut(bytes.Clone(line), []byte(":"))
			d.trail = append(d.trail, Field{k, bytes.TrimSpace(v)})
			return nil, i + 1, nil
		}
		n, err := strconv.ParseInt(strings.Split(string(line), ";")[0], 16, 64)
		if err != nil {
			return nil, 0, &Error{400, "bad chunk"}
		}
		d.left = n
		d.state = 1
		if n == 0 {
			d.state = 3
		}
		return nil, i + 1, nil
	case 1:
		n := min(int64(len(p)), d.left)
		d.left -= n
		if d.left == 0 {
			d.state = 2
		}
		return p[:n], int(n), nil
	case 2:
		if len(p) < 2 {
			return nil, 0, nil
		}
		d.state = 0
		return nil, 2, nil
	}
	return nil, 0, nil
}
func (d *Chunks) Done() bool        { return d.state == 4 }
func (d *Chunks) Trailers() []Field { return d.trail }

func AppendStatusLine(dst []byte, minor, status int) []byte {
	dst = append(dst, "HTTP/1."...)
	dst = append(dst, byte('0'+minor), ' ')
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(dst, ' ')
	dst = append(dst, http.StatusText(status)...)
	return append(dst, "\r\n"...)
}

func AppendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...)
}
func AppendChunk(dst, p []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(p)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, p...)
	return append(dst, "\r\n"...)
}
func AppendLastChunk(dst []byte, t ...Field) []byte {
	dst = append(dst, "0\r\n"...)
	for _, f := range t {
		dst = AppendField(dst, string(f.Name), string(f.Value))
	}
	return append(dst, "\r\n"...)
}
func CanonicalName(p []byte) string { return textproto.CanonicalMIMEHeaderKey(string(p)) }
func ValidName(s string) bool       { return s != "" && !strings.ContainsAny(s, " \r\n:") }
