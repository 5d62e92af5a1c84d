package framed_test

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/framed"
)

// greeter greets whom each line names.
type greeter struct{}

func (greeter) ConnectionMade(*framed.Conn)        {}
func (greeter) ConnectionLost(*framed.Conn, error) {}
func (greeter) FrameReceived(c *framed.Conn, name []byte) {
	_ = c.SendFrame(append([]byte("hello, "), name...))
}

func ExampleHandle() {
	ask(framed.Handle(frame.Lines(100), func() framed.Handler { return greeter{} }), "Ada\nGrace\n")
	// Output:
	// hello, Ada
	// hello, Grace
}

// store keeps one value: "set 5" with the value behind it, as it is, and "get".
type store struct {
	value []byte
}

func (*store) ConnectionMade(*framed.Conn)        {}
func (*store) ConnectionLost(*framed.Conn, error) {}

func (s *store) FrameReceived(c *framed.Conn, line []byte) {
	command, rest, _ := strings.Cut(string(line), " ")
	switch n, err := strconv.ParseInt(rest, 10, 32); {
	case command == "set" && err == nil && n > 0 && n <= 1000:
		s.value = s.value[:0]
		c.SetRaw(n)
	case command == "get":
		fmt.Fprintf(c, "value %d\n%s\n", len(s.value), s.value)
	default:
		_ = c.SendFrame([]byte("what?"))
	}
}

func (s *store) RawReceived(c *framed.Conn, p []byte) int {
	s.value = append(s.value, p...)
	if c.Raw() == int64(len(p)) {
		_ = c.SendFrame([]byte("kept"))
	}
	return len(p)
}

// Lines, with values between them that may hold any bytes.
func ExampleConn_SetRaw() {
	ask(framed.Handle(frame.Lines(100), func() framed.Handler { return &store{} }), "set 7\none\ntwoget\nset -1\n")
	// Output:
	// kept
	// value 7
	// one
	// two
	// what?
}

// ask has a client say something to a server, and prints what it answers.
func ask(serve func() rondo.Protocol, something string) {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	ln, err := e.Listen("tcp", "127.0.0.1:0", serve)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	_, _ = io.WriteString(c, something)
	_ = c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Print(string(answer))
}
