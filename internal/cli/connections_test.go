package cli

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A connection is held by a script.
type connection struct {
	net.Conn
	lines *bufio.Reader
}

func cmdHold(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "hold NAME ADDRESS")
	network, address := "tcp", args[1]
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", ts.MkAbs(path)
	}
	c, err := net.DialTimeout(network, address, patience)
	ts.Check(err)
	ts.Defer(func() { _ = c.Close() })
	ts.Value("connections").(map[string]*connection)[args[0]] = &connection{c, bufio.NewReader(c)}
}

func held(ts *testscript.TestScript, name string) *connection {
	c := ts.Value("connections").(map[string]*connection)[name]
	if c == nil {
		ts.Fatalf("no connection %s is held", name)
	}
	return c
}

func cmdSay(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "say NAME TEXT")
	c := held(ts, args[0])
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	if _, err := c.Write([]byte(args[1] + "\n")); err != nil {
		ts.Fatalf("%v", err)
	}
	if got, err := c.lines.ReadString('\n'); err != nil || got != args[1]+"\n" {
		ts.Fatalf("got %q, %v", got, err)
	}
}

// cmdEnd ends the outgoing direction behind the text.
func cmdEnd(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "end NAME TEXT")
	c := held(ts, args[0])
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	if _, err := c.Write([]byte(args[1])); err != nil {
		ts.Fatalf("%v", err)
	}
	ts.Check(c.Conn.(interface{ CloseWrite() error }).CloseWrite())
	if got, err := io.ReadAll(c.lines); err != nil || string(got) != args[1] {
		ts.Fatalf("got %q, %v", got, err)
	}
}

func cmdDrop(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "drop NAME")
	ts.Check(held(ts, args[0]).Close())
}

// cmdFlood writes until the peer takes no more, for want of anybody who reads what it sends back.
func cmdFlood(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "flood NAME")
	c := held(ts, args[0])
	for {
		ts.Check(c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)))
		if _, err := c.Write(make([]byte, 64<<10)); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil {
			ts.Fatalf("%v", err)
		}
	}
}

// cmdHeap writes so many bytes, and expects their echo.
func cmdHeap(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "heap NAME BYTES")
	c := held(ts, args[0])
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, n))
		sent <- err
	}()
	_, err = io.CopyN(io.Discard, c.lines, int64(n))
	ts.Check(err)
	ts.Check(<-sent)
}

// cmdGarbage says what is no TLS, nor anything else, and waits for the end.
func cmdGarbage(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "garbage NAME")
	c := held(ts, args[0])
	ts.Check(c.SetDeadline(time.Now().Add(patience)))
	_, err := c.Write([]byte("no such thing\r\n\r\n"))
	ts.Check(err)
	if _, err := io.Copy(io.Discard, c.lines); errors.Is(err, os.ErrDeadlineExceeded) {
		ts.Fatalf("it was not ended")
	}
}

// cmdLie makes connections, one after the other, that claim to be what they are not.
func cmdLie(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "lie N ADDRESS")
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for range n {
		c, err := net.DialTimeout("tcp", args[1], patience)
		if errors.Is(err, syscall.ECONNRESET) { // already
			continue
		}
		ts.Check(err)
		ts.Check(c.SetDeadline(time.Now().Add(patience)))
		_, _ = c.Write([]byte("PROXY lies\r\n")) // it may be reset already
		_, err = io.Copy(io.Discard, c)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			ts.Fatalf("it was believed")
		}
		ts.Check(c.Close())
	}
}
