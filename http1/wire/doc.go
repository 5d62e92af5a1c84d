// Package wire is HTTP/1.1's messages (RFC 9112) as bytes: parsers and writers without any I/O, which allocate nothing for an ordinary message.
//
// Parsers are strict where two that read a message differently could be played off against each other (request smuggling): what is not allowed is refused, not
// mended. They are incremental: a part of a message is told from a wrong one, and looking at a message again when more of it has come costs no more than the bytes that came.
package wire

import "strconv"

// Error says what is wrong with a message.
type Error struct {
	Status int    // what a server answers with
	Reason string // a sentence, without its full stop
}

func (e *Error) Error() string { return e.Reason }

// bad is an Error of a message that is no HTTP. What is the offending text; nil if there is none.
func bad(reason string, what []byte) *Error { return refused(400, reason, what) }

func refused(status int, reason string, what []byte) *Error {
	if what != nil {
		const most = 40
		cut := ""
		if len(what) > most {
			what, cut = what[:most], "..."
		}
		reason += ": " + strconv.Quote(string(what)) + cut
	}
	return &Error{status, reason}
}

// Field is one field line of a head. Both are slices of what was parsed, Value without the whitespace around it.
type Field struct{ Name, Value []byte }

// Framing says how the body that follows a head ends (RFC 9112, section 6). The zero Framing is a message without a body.
type Framing struct {
	Length  int64 // in bytes; -1 for a response that ends with its connection
	Chunked bool
}

// Limits bound what is parsed.
type Limits struct {
	Head   int // bytes of a head, from its first line to the empty line inclusive; 0 means 1 MiB
	Fields int // field lines; 0 means 1,000: more than any browser or proxy sends, and few enough to look through
}

func (l *Limits) head() int {
	if l == nil || l.Head == 0 {
		return 1 << 20
	}
	return l.Head
}

func (l *Limits) fields() int {
	if l == nil || l.Fields == 0 {
		return 1000
	}
	return l.Fields
}
