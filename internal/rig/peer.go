package rig

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// Dial connects a raw peer, a plain net.Conn, which is closed with the test.
func Dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// Send writes to a raw peer.
func Send(t testing.TB, w io.Writer, data string) {
	t.Helper()
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
}

// Expect reads from a raw peer what must come next.
func Expect(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %s, want %s (%v)", Short(got[:n]), Short([]byte(want)), err)
	}
}

// ExpectEnd reads from a raw peer what must come last.
func ExpectEnd(t testing.TB, r io.Reader, want string) {
	t.Helper()
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Fatalf("read %s, want %s (%v)", Short(got), Short([]byte(want)), err)
	}
}

// Rest reads from a raw peer to the end of its stream.
func Rest(t testing.TB, r io.Reader) []byte {
	t.Helper()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Short is how much of data a failure shows.
func Short(data []byte) string {
	if len(data) > 64 {
		return fmt.Sprintf("%q... (%d bytes)", data[:64], len(data))
	}
	return fmt.Sprintf("%q", data)
}
