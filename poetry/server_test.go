package poetry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo/secure"
)

// servers are what every test of servers runs through. Each serves until the test ends.
var servers = map[string]func(*testing.T, Options) Address{
	"blocking": serve,
	"async":    serveAsync,
}

func eachServer(t *testing.T, test func(t *testing.T, serve func(*testing.T, Options) Address)) {
	for name, serve := range servers {
		t.Run(name, func(t *testing.T) { test(t, serve) })
	}
}

// atOnce is a poem served without waiting.
func atOnce(text string) Options {
	o := shortPoem(text)
	o.Delay, o.Sleep = 0, nil
	return o
}

func TestServerSendsPiecesOfBytes(t *testing.T) {
	poem, _ := Lookup("sowol") // three bytes to a character
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		var out lockedBuffer
		o := atOnce(poem.Text)
		o.NumBytes, o.Out = 100, &out
		r := new(Client).FetchBlocking(t.Context(), []Address{serve(t, o)})
		if f := r.Tasks[0]; f.Err != nil || string(f.Poem) != poem.Text {
			t.Errorf("got %d bytes, %v", f.Bytes, f.Err)
		}
	})
}

func TestClientThatLeavesEndsOnlyItsOwnPoem(t *testing.T) {
	text := strings.Repeat("Go and catch a falling star. ", 40000) // more than the kernel takes on without a reader
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		o := atOnce(text)
		o.NumBytes = 100000
		address := serve(t, o)
		gone, err := net.Dial("tcp", address.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		r := new(Client).FetchBlocking(t.Context(), []Address{address})
		if f := r.Tasks[0]; f.Err != nil || string(f.Poem) != text {
			t.Errorf("the next client got %d bytes, %v", f.Bytes, f.Err)
		}
	})
}

// TestHalfClosedClient: netcat whose input has ended says so, and still wants its poem.
func TestHalfClosedClient(t *testing.T) {
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		conn, err := net.Dial("tcp", serve(t, atOnce("Sweetest love, I do not go")).String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if poem, err := io.ReadAll(conn); err != nil || string(poem) != "Sweetest love, I do not go" {
			t.Errorf("got %q, %v", poem, err)
		}
	})
}

// TestTalkativeClient: what a client says costs it nothing of its poem, and does not keep the server for ever.
func TestTalkativeClient(t *testing.T) {
	text := strings.Repeat("Go and catch a falling star. ", 2000)
	server, _, err := secure.SelfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, encrypted := range []bool{false, true} {
		eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
			o := atOnce(text)
			out := newLineWaiter()
			o.NumBytes, o.Out = len(text), out
			if encrypted {
				o.TLS = server
			}
			address := serve(t, o)
			raw := dial(t, address)
			conn := raw
			if encrypted {
				conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
			}
			defer conn.Close()
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			out.await(t, "Sending")
			for range 1000 { // while the poem comes, and its end
				if _, err := conn.Write([]byte("and more")); err != nil {
					t.Fatal(err)
				}
			}
			if poem, err := io.ReadAll(conn); err != nil || string(poem) != text {
				t.Errorf("got %d bytes, %v", len(poem), err)
			}
			next := dial(t, address)
			if encrypted {
				next = tls.Client(next, &tls.Config{InsecureSkipVerify: true})
			}
			expect(t, next, text[:10]) // though the first has not left
		})
	}
}

func TestPoemThatIsGoneEndsOnlyThatClient(t *testing.T) {
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		var reads atomic.Int64
		out := newLineWaiter()
		o := atOnce("")
		o.Out = out
		o.Source.Read = func() ([]byte, error) {
			if reads.Add(1) == 2 { // the first is the check at the start
				return nil, os.ErrNotExist
			}
			return []byte("back again"), nil
		}
		address := serve(t, o)
		r := new(Client).FetchBlocking(t.Context(), []Address{address, address})
		if err := r.Tasks[0].Err; !errors.Is(err, ErrReset) {
			t.Errorf("the first client fails with %v", err)
		}
		if got := string(r.Tasks[1].Poem); got != "back again" {
			t.Errorf("got %q", got)
		}
		out.await(t, "No poetry for 127.0.0.1:")
	})
}

func TestFileIsServedAsItIsNow(t *testing.T) {
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		path := filepath.Join(t.TempDir(), "poem.txt")
		o := atOnce("")
		o.Source = FileSource(path)
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("first")
		address := serve(t, o)
		for _, text := range []string{"first", "secon"} { // of one length, and perhaps of one time of modification
			write(text)
			if f := new(Client).FetchBlocking(t.Context(), []Address{address}).Tasks[0]; string(f.Poem) != text {
				t.Errorf("got %q, want %q", f.Poem, text)
			}
		}
	})
}

func TestHTTPServer(t *testing.T) {
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		o := atOnce("Death, be not proud")
		o.HTTP = true
		address := serve(t, o)
		resp, err := http.Get("http://" + address.String() + "/any/path")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "Death, be not proud" || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %q, %v", resp.Status, body, err)
		}
		// In pieces, and without an end: a client that leaves in the middle of its request.
		conn, err := net.Dial("tcp", address.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for _, piece := range []string{"GET / HT", "TP/1.0\r\n"} {
			if _, err := io.WriteString(conn, piece); err != nil {
				t.Fatal(err)
			}
		}
		_ = conn.(*net.TCPConn).CloseWrite()
		if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 {
			t.Errorf("half a request is answered with %q, %v", answer, err)
		}
	})
}

func TestTLSServer(t *testing.T) {
	server, roots, err := secure.SelfSigned(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13}}
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		o := atOnce("No man is an island")
		o.TLS = server
		c := Client{Dial: dialer.DialContext}
		r := c.FetchBlocking(t.Context(), []Address{serve(t, o)})
		if f := r.Tasks[0]; f.Err != nil || string(f.Poem) != "No man is an island" {
			t.Errorf("got %q, %v", f.Poem, f.Err)
		}
		o.ResetAfter = AfterBytes(0)
		r = c.FetchBlocking(t.Context(), []Address{serve(t, o)})
		if f := r.Tasks[0]; !errors.Is(f.Err, ErrReset) {
			t.Errorf("got %q, %v", f.Poem, f.Err)
		}
	})
}

// TestServerIsUnkind: it stalls until the client leaves, and it resets.
func TestServerIsUnkind(t *testing.T) {
	eachServer(t, func(t *testing.T, serve func(*testing.T, Options) Address) {
		stall, reset := atOnce("0123456789abcdefghij"), atOnce("0123456789abcdefghij")
		stall.StallAfter, reset.ResetAfter = AfterBytes(12), AfterBytes(0)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got := 0
		c := Client{OnEvent: func(e Event) {
			if e.Kind == EventPiece {
				if got += e.Bytes; got == 12 {
					cancel() // it has stalled, or is about to
				}
			}
		}}
		if f := c.FetchBlocking(ctx, []Address{serve(t, stall)}).Tasks[0]; f.Bytes != 12 || !errors.Is(f.Err, ErrCancelled) {
			t.Errorf("stalled after %d bytes: %v", f.Bytes, f.Err)
		}
		if f := new(Client).FetchBlocking(t.Context(), []Address{serve(t, reset)}).Tasks[0]; !errors.Is(f.Err, ErrReset) {
			t.Errorf("reset after %d bytes: %v", f.Bytes, f.Err)
		}
	})
}
