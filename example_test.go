package rondo_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
)

// shout is a protocol that answers each line in capitals.
type shout struct{}

func (shout) ConnectionMade(*rondo.Conn)        {}
func (shout) ConnectionLost(*rondo.Conn, error) {}

func (shout) DataReceived(c *rondo.Conn, p []byte) int {
	end := strings.LastIndexByte(string(p), '\n') + 1 // what is behind it comes again, with more
	_, _ = io.WriteString(c, strings.ToUpper(string(p[:end])))
	return end
}

// printer is a protocol that says what it is told.
type printer struct{ done chan struct{} }

func (p printer) ConnectionMade(c *rondo.Conn) { _, _ = io.WriteString(c, "hello\n") }

func (p printer) DataReceived(c *rondo.Conn, data []byte) int {
	if data[len(data)-1] != '\n' {
		return 0
	}
	fmt.Printf("received %q\n", data)
	_ = c.Close()
	return len(data)
}

func (p printer) ConnectionLost(_ *rondo.Conn, err error) {
	fmt.Println("lost:", err)
	close(p.done)
}

// A server and a client of it, in one engine.
func Example() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()

	ln, err := engine.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return shout{} })
	if err != nil {
		fmt.Println(err)
		return
	}
	client := printer{make(chan struct{})}
	engine.Dial(context.Background(), "tcp", ln.Addr().String(), client)
	<-client.done
	// Output:
	// received "HELLO\n"
	// lost: <nil>
}

// Shutdown lets what is under way finish, for as long as it is given.
func ExampleEngine_Shutdown() {
	engine, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = engine.Run(func(context.Context) { fmt.Println("blocking work is done") })

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println("shutdown:", engine.Shutdown(ctx))
	// Output:
	// blocking work is done
	// shutdown: <nil>
}

// The future of a dial has the connection, or says why there is none.
func ExampleEngine_Dial() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	ln, err := engine.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return shout{} })
	if err != nil {
		fmt.Println(err)
		return
	}
	client := printer{make(chan struct{})}
	future := engine.Dial(context.Background(), "tcp", ln.Addr().String(), client)

	// On the future's loop one would say future.OnDone; any other goroutine can wait.
	conn, err := future.Wait(context.Background())
	fmt.Println("connected:", conn != nil, err)
	<-client.done
	// Unordered output:
	// connected: true <nil>
	// received "HELLO\n"
	// lost: <nil>
}

// An unknown network cannot be dialed.
func ExampleFuture_Wait() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	_, err = engine.Dial(context.Background(), "pigeon", "roof:1", shout{}).Wait(context.Background())
	fmt.Println(err)
	// Output: dial pigeon roof:1: unknown network pigeon
}

// A Handle lets any goroutine speak on a connection.
func ExampleHandle() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	handles := make(chan rondo.Handle, 1)
	ln, err := engine.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol { return greeter(handles) })
	if err != nil {
		fmt.Println(err)
		return
	}
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer peer.Close()

	h := <-handles // from here on, this goroutine is not the connection's loop
	fmt.Fprintln(h, "hello from elsewhere")
	_ = h.Close()

	heard, err := io.ReadAll(peer)
	fmt.Printf("%q %v\n", heard, err)
	// Output: "hello from elsewhere\n" <nil>
}

// greeter gives the handles of its connections away.
type greeter chan rondo.Handle

func (g greeter) ConnectionMade(c *rondo.Conn)           { g <- c.Handle() }
func (greeter) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }
func (greeter) ConnectionLost(_ *rondo.Conn, _ error)    {}

// What blocks runs elsewhere, and its result comes back to the loop.
func ExampleRun() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	loop := engine.Loop()
	done := make(chan struct{})
	loop.Post(func() {
		future := rondo.Run(loop, func(context.Context) (int, error) {
			return 6 * 7, nil // or ask a database
		})
		future.OnDone(func(answer int, err error) {
			fmt.Println(answer, err)
			close(done)
		})
	})
	<-done
	// Output: 42 <nil>
}

// A timer belongs to its loop, as the code that it calls does.
func ExampleLoop_Every() {
	engine, err := rondo.New(rondo.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close()
	loop := engine.Loop()
	done := make(chan struct{})
	loop.Post(func() {
		ticks := 0
		var timer rondo.Timer
		timer = loop.Every(time.Millisecond, func() {
			ticks++
			fmt.Println("tick", ticks)
			if ticks == 3 {
				timer.Stop()
				close(done)
			}
		})
	})
	<-done
	// Output:
	// tick 1
	// tick 2
	// tick 3
}
