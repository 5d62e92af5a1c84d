package wire

import (
	"bytes"
	"encoding/binary"
)

// section is a section of fields (RFC 9112, section 5), and what of them matters to the message itself.
type section struct {
	most                    int // fields
	hosts, codings, lengths int // how many there are
	host, coding, length    []byte
	expect                  []byte
	close, keepAlive        bool
	upgrades                bool // Connection says so
	upgrade                 bool // there is an Upgrade field
}

// parse appends the fields that begin at p[at] to fields. End is behind the empty line; 0 if that is not there yet.
func (s *section) parse(fields []Field, p []byte, at int) (_ []Field, end int, err *Error) {
	for {
		if at >= len(p) {
			return fields, 0, nil
		}
		switch c := p[at]; c {
		case '\n':
			return fields, at + 1, nil
		case '\r':
			if at+1 == len(p) {
				return fields, 0, nil
			}
			if p[at+1] == '\n' {
				return fields, at + 2, nil
			}
		case ' ', '\t':
			if _, next := cutLine(p, at); next == 0 {
				return fields, 0, nil
			}
			return fields, 0, bad("a field line begins with whitespace: lines must not be folded", nil)
		}
		line, next := cutLine(p, at)
		if next == 0 {
			return fields, 0, nil
		}
		if len(fields) >= s.most {
			return fields, 0, refused(431, "the head has too many fields", nil)
		}
		f, err := parseField(line)
		if err != nil {
			return fields, 0, err
		}
		fields = append(fields, f)
		s.note(f)
		at = next
	}
}

func parseField(line []byte) (f Field, err *Error) {
	i := 0
	for i < len(line) && isToken[line[i]] {
		i++
	}
	switch {
	case i < len(line) && line[i] == ':' && i > 0:
	case i < len(line) && (line[i] == ' ' || line[i] == '\t'):
		return f, bad("there is whitespace in or behind a field's name", line)
	default:
		return f, bad("a field line does not begin with a name and a colon", line)
	}
	f.Name = line[:i]
	v := line[i+1:]
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	if !validValue(v) {
		return f, bad("a field's value has a control character", line)
	}
	f.Value = v
	return f, nil
}

// validValue reports whether there is no control character but tabs (RFC 9110, section 5.5). It looks at eight bytes at a time.
func validValue(p []byte) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for len(p) >= 8 {
		x := binary.LittleEndian.Uint64(p)
		low := (x - 0x20*ones) &^ x & highs // a byte is below 0x20, perhaps only one after such a byte
		del := x ^ 0x7f*ones
		if low|(del-ones)&^del&highs != 0 && !validBytes(p[:8]) {
			return false
		}
		p = p[8:]
	}
	return validBytes(p)
}

func validBytes(p []byte) bool {
	for _, c := range p {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// note keeps what matters to the message.
func (s *section) note(f Field) {
	switch len(f.Name) {
	case len("host"):
		if equalFold(f.Name, "host") {
			s.host = f.Value
			s.hosts++
		}
	case len("expect"):
		if equalFold(f.Name, "expect") {
			s.expect = f.Value
		}
	case len("upgrade"):
		s.upgrade = s.upgrade || equalFold(f.Name, "upgrade")
	case len("connection"):
		if equalFold(f.Name, "connection") {
			s.connection(f.Value)
		}
	case len("content-length"):
		if equalFold(f.Name, "content-length") {
			s.length = f.Value
			s.lengths++
		}
	case len("transfer-encoding"):
		if equalFold(f.Name, "transfer-encoding") {
			s.coding = f.Value
			s.codings++
		}
	}
}

// connection is a list of what holds for this connection (RFC 9110, section 7.6.1).
func (s *section) connection(list []byte) {
	for len(list) > 0 {
		item := list
		if i := bytes.IndexByte(list, ','); i >= 0 {
			item, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		item = bytes.Trim(item, " \t")
		switch len(item) {
		case len("close"):
			s.close = s.close || equalFold(item, "close")
		case len("upgrade"):
			s.upgrades = s.upgrades || equalFold(item, "upgrade")
		case len("keep-alive"):
			s.keepAlive = s.keepAlive || equalFold(item, "keep-alive")
		}
	}
}

// equalFold reports whether p is word, which is lower case, in whatever case.
func equalFold(p []byte, word string) bool {
	if len(p) != len(word) {
		return false
	}
	for i, c := range p {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != word[i] {
			return false
		}
	}
	return true
}
