// Package knock tells knock-knock jokes: a protocol of lines for a server and a client, the example of many an introduction to Twisted.
//
//	client: Knock knock
//	server: Who's there?
//	client: Disappearing client
//	server: Disappearing client who?
//
// and the client leaves. Lines end in CRLF (a line feed alone is understood too), and have at most [MaxLine] bytes: a piece of a line is not a line, however the network cuts it.
package knock

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
)

// MaxLine is how many bytes a line may have, without its end. A longer one ends the connection.
const MaxLine = 1024

// What is said.
const (
	Knock = "Knock knock"
	Who   = "Who's there?"
)

// Line is something that was said.
type Line struct {
	Peer   net.Addr // who the conversation is with
	Client bool     // the client has said it, not the server
	Text   string
}

// Server makes the server's side of each connection: what [rondo.Engine.Listen] takes. Whatever is no knock it takes for a name. An empty line is answered by nothing. Said is told of every line, and
// lost how a connection has ended, as rondo.Protocol's ConnectionLost is; both on the connection's loop, and either may be nil.
func Server(said func(Line), lost func(peer net.Addr, err error)) func() rondo.Protocol {
	return framed.Handle(frame.LinesCRLF(MaxLine), func() framed.Handler { return &server{talk{said: said}, lost} })
}

// talk tells what is said.
type talk struct {
	said func(Line)
	peer net.Addr
}

func (t *talk) tell(client bool, text string) {
	if t.said != nil {
		t.said(Line{t.peer, client, text})
	}
}

type server struct {
	talk
	lost func(peer net.Addr, err error)
}

// ConnectionMade implements framed.Handler, as those below do.
func (s *server) ConnectionMade(c *framed.Conn) { s.peer = c.RemoteAddr() }

func (s *server) FrameReceived(c *framed.Conn, line []byte) {
	if len(line) == 0 {
		return
	}
	said := string(line)
	s.tell(true, said)
	answer := Who
	if said != Knock {
		answer = said + " who?"
	}
	s.tell(false, answer)
	_, _ = c.Write([]byte(answer + "\r\n")) // an error ends the connection, or it has ended
}

// PauseWriting and ResumeWriting have a client that does not listen wait.
func (s *server) PauseWriting(c *framed.Conn)  { c.PauseReading() }
func (s *server) ResumeWriting(c *framed.Conn) { c.ResumeReading() }

func (s *server) ConnectionLost(_ *framed.Conn, err error) {
	if s.lost != nil {
		s.lost(s.peer, err)
	}
}

// AnswerError is what a client's joke ends with when the server does not play along.
type AnswerError struct{ Got, Want string }

func (e *AnswerError) Error() string {
	return fmt.Sprintf("knock: the server said %q in place of %q", e.Got, e.Want)
}

// ErrNoAnswer is what it ends with when the server leaves before it has answered.
var ErrNoAnswer = errors.New("knock: the server left before it had answered")

// Client is the client's side of one connection, for [rondo.Engine.Dial]: it knocks, says that name, hears who that is, and leaves. Said is told of every line, and done how it went, once: nil, an *AnswerError, ErrNoAnswer, or
// why the connection was lost; both on the loop. Said may be nil.
func Client(name string, said func(Line), done func(error)) rondo.Protocol {
	return framed.New(frame.LinesCRLF(MaxLine+len(" who?")), &client{talk: talk{said: said}, name: name, done: done})
}

type client struct {
	talk
	name     string
	done     func(error)
	answered int
	err      error
}

// ConnectionMade implements framed.Handler, as those below do.
func (c *client) ConnectionMade(conn *framed.Conn) {
	c.peer = conn.RemoteAddr()
	c.say(conn, Knock)
}

func (c *client) say(conn *framed.Conn, line string) {
	c.tell(true, line)
	_ = conn.SendFrame([]byte(line)) // likewise
}

func (c *client) FrameReceived(conn *framed.Conn, line []byte) {
	got := string(line)
	c.tell(false, got)
	want := Who
	if c.answered > 0 {
		want = c.name + " who?"
	}
	switch {
	case got != want:
		c.err = &AnswerError{Got: got, Want: want}
		_ = conn.Close()
	case c.answered > 0:
		c.answered++
		_ = conn.Close() // that was it
	default:
		c.answered++
		c.say(conn, c.name)
	}
}

func (c *client) ConnectionLost(_ *framed.Conn, err error) {
	switch {
	case c.err != nil:
		err = c.err
	case c.answered == 2:
		err = nil
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrNoAnswer
	}
	c.done(err)
}
