package poetry

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
)

// A Transform makes another poem of a poem.
type Transform struct {
	Name string // as in a request; no dot in it
	What string // what it does, in a few words
	Of   func(poem string) string
}

// Transforms are those that a [TransformServer] knows, in the order of their names.
func Transforms() []Transform {
	return []Transform{
		{"backwards", "the last line first", func(poem string) string {
			lines := strings.SplitAfter(poem, "\n")
			if last := len(lines) - 1; lines[last] == "" {
				lines = lines[:last]
			} else {
				lines[last] += "\n"
			}
			slices.Reverse(lines)
			return strings.Join(lines, "")
		}},
		{"cummingsify", "all letters small, as E. E. Cummings has them", strings.ToLower},
		{"rot13", "each letter of A to Z the 13th after it", func(poem string) string {
			return strings.Map(func(r rune) rune {
				switch {
				case r >= 'a' && r <= 'z':
					return 'a' + (r-'a'+13)%26
				case r >= 'A' && r <= 'Z':
					return 'A' + (r-'A'+13)%26
				}
				return r
			}, poem)
		}},
		{"shout", "all letters capital", strings.ToUpper},
		{"whisper", "no letters at all, as they are seen from afar", func(poem string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsLetter(r) {
					return '.'
				}
				return r
			}, poem)
		}},
	}
}

// MaxTransformed is the most bytes that a poem in a request may have. With what is around it that is what an engine keeps for a protocol by default (rondo.Config.MaxReadBuffer).
const MaxTransformed = 1_000_000

// maxName is the most bytes that the name of a transform may have in a request.
const maxName = 100

// A RequestError says what is wrong with a request for a transform. The connection is closed for it.
type RequestError struct{ Reason string }

func (e *RequestError) Error() string { return "a request for a transform: " + e.Reason }

// Answer is the answer to a request: the name of a transform, a dot, and the poem. The error is a *RequestError.
func Answer(request string) (string, error) {
	name, poem, ok := strings.Cut(request, ".")
	if !ok || len(name) > maxName {
		return "", &RequestError{"it has no dot behind the name of a transform"}
	}
	if len(poem) > MaxTransformed {
		return "", &RequestError{fmt.Sprintf("its poem has %d bytes, and %d are the most", len(poem), MaxTransformed)}
	}
	for _, t := range Transforms() {
		if t.Name == name {
			return t.Of(poem), nil
		}
	}
	return "", &RequestError{fmt.Sprintf("there is no transform %q", name)}
}

// TransformServer makes the server's side of each connection: what [rondo.Engine.Listen] takes. A request is a netstring of the form transform.poem, and so is the answer: the poem as it is then. Requests are answered in their
// order, any number on one connection; one with a longer poem than [MaxTransformed], and one that cannot be answered, close it. Refused is told why, also of a request that the client's end has cut off, on the connection's loop; it may be nil.
func TransformServer(refused func(peer net.Addr, err error)) func() rondo.Protocol {
	requests := frame.Netstrings(MaxTransformed + maxName + 1)
	return framed.Handle(requests, func() framed.Handler { return &transformer{refused: refused} })
}

type transformer struct {
	refused func(peer net.Addr, err error)
	peer    net.Addr
}

// ConnectionMade implements framed.Handler, as those below do.
func (t *transformer) ConnectionMade(c *framed.Conn) {
	t.peer = c.RemoteAddr()
}

func (t *transformer) FrameReceived(c *framed.Conn, request []byte) {
	answer, err := Answer(string(request))
	if err != nil {
		t.refuse(err)
		_ = c.Close()
		return
	}
	var p bytes.Buffer
	fmt.Fprintf(&p, "%d:%s,", len(answer), answer) // the poem may be longer now than a request may be
	_, _ = c.Write(p.Bytes())                      // an error ends the connection, or it has ended
}

func (t *transformer) refuse(err error) {
	if t.refused != nil {
		t.refused(t.peer, err)
	}
}

// FrameRefused implements framed.Refuser.
func (t *transformer) FrameRefused(_ *framed.Conn, err error) { t.refuse(err) }

// PauseWriting and ResumeWriting have a client that does not read its answers wait.
func (t *transformer) PauseWriting(c *framed.Conn)  { c.PauseReading() }
func (t *transformer) ResumeWriting(c *framed.Conn) { c.ResumeReading() }

func (t *transformer) ConnectionLost(_ *framed.Conn, err error) {
	if err == io.ErrUnexpectedEOF { //nolint:errorlint // documented to be bare
		t.refuse(&RequestError{"it was cut off: the client has ended before it was whole"})
	}
}
