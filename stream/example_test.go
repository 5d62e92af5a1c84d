package stream_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// An echo server and its client, both tasks.
func Example() {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	ln, err := e.Listen("tcp", "127.0.0.1:0", stream.Handle(func(t *task.Task, s *stream.Stream) error {
		_, err := stream.Copy(t, s, s)
		return err
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := task.Go(e.Loop(), func(t *task.Task) (string, error) {
		s, err := stream.Dial(t, "tcp", ln.Addr().String())
		if err != nil {
			return "", err
		}
		defer s.Close()
		if _, err := s.Write(t, []byte("hello, world")); err != nil {
			return "", err
		}
		if err := s.CloseWrite(); err != nil {
			return "", err
		}
		all, err := io.ReadAll(s.IO(t))
		return string(all), err
	}).Wait(context.Background())
	fmt.Println(answer, err)
	// Output: hello, world <nil>
}

// A server that answers lines.
func ExampleStream_ReadLine() {
	shout := func(t *task.Task, s *stream.Stream) error {
		for {
			line, err := s.ReadLine(t, 1024)
			if err != nil {
				return err // io.EOF is the usual end
			}
			if _, err := fmt.Fprintf(s.IO(t), "%s!\n", strings.ToUpper(string(line))); err != nil {
				return err
			}
		}
	}
	ask(shout, "good\nmorning\n")
	// Output:
	// GOOD!
	// MORNING!
}

// A proxy: what comes from either side goes to the other.
func ExampleRelay() {
	backend, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer backend.Close()
	go func() {
		c, err := backend.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		request, _ := io.ReadAll(c)
		fmt.Fprintf(c, "%d bytes came\n", len(request))
	}()

	ask(func(t *task.Task, s *stream.Stream) error {
		up, err := stream.Dial(t, "tcp", backend.Addr().String())
		if err != nil {
			return err
		}
		defer up.Close()
		_, _, err = stream.Relay(t, s, up)
		return err
	}, "hello")
	// Output: 5 bytes came
}

// ask has h serve one client, which says something, and prints what it answers.
func ask(h stream.Handler, something string) {
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	ln, err := e.Listen("tcp", "127.0.0.1:0", stream.Handle(h))
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
