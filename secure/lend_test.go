package secure_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/secure"
)

// An idle connection keeps no buffer, however large the records were that came before.
func TestIdleKeepsNoBuffer(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			handles := make(chan rondo.Handle, 1)
			ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return &handing{handles: handles} }))
			if err != nil {
				t.Fatal(err)
			}
			c, err := tls.Dial("tcp", ln.Addr().String(), client)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			talk(t, c)
			kept := make(chan int)
			(<-handles).Do(func(c *rondo.Conn) { kept <- secure.Kept(c) })
			if n := <-kept; n != 0 {
				t.Errorf("it keeps %d bytes", n)
			}
		})
	}
}

// handing is an echo that hands out its connection.
type handing struct{ handles chan rondo.Handle }

func (p *handing) ConnectionMade(c *rondo.Conn) { p.handles <- c.Handle() }
func (p *handing) DataReceived(c *rondo.Conn, data []byte) int {
	_, _ = c.Write(data)
	return len(data)
}
func (*handing) ConnectionLost(*rondo.Conn, error) {}

// With a crypto/tls whose buffers are not found all works as well, but that they are kept.
func TestBuffersThatAreNotFound(t *testing.T) {
	t.Cleanup(secure.KeepBuffers())
	t.Run("", func(t *testing.T) {
		TestServer(t)
		TestClient(t)
		TestEndings(t)
		TestDataThenEnd(t)
		TestReadsOfAnySize(t)
	})
}

// A protocol that leaves bytes, needs many, pauses and resumes, reads records in pieces: all of them come, whatever is kept where.
func TestReadsOfAnySize(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			e := engine(t)
			ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(func() rondo.Protocol { return &fussy{} }))
			if err != nil {
				t.Fatal(err)
			}
			c, err := tls.Dial("tcp", ln.Addr().String(), client)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			want := make([]byte, 3_000_000)
			for i := range want {
				want[i] = byte(i >> 3 * i)
			}
			whole := make(chan struct{})
			sent := make(chan error, 1)
			go func() {
				for rest, size := want, 1; len(rest) > 0; size = (size*7 + 1) % 40_000 {
					n := min(size, len(rest))
					if _, err := c.Write(rest[:n]); err != nil {
						sent <- err
						return
					}
					rest = rest[n:]
				}
				for { // what the protocol has left comes again with new bytes
					select {
					case <-whole:
						sent <- nil
						return
					default:
						if _, err := c.Write(make([]byte, 1000)); err != nil {
							sent <- err
							return
						}
					}
				}
			}()
			got := make([]byte, len(want))
			_, err = io.ReadFull(c, got)
			close(whole)
			go func() { _, _ = io.Copy(io.Discard, c) }()
			if err := errors.Join(err, <-sent); err != nil || !bytes.Equal(got, want) {
				t.Errorf("equal %t; %v", bytes.Equal(got, want), err)
			}
		})
	}
}

// fussy is an echo that takes what it gets in odd pieces.
type fussy struct{ calls int }

func (*fussy) ConnectionMade(*rondo.Conn) {}

func (p *fussy) DataReceived(c *rondo.Conn, data []byte) int {
	p.calls++
	n := len(data)
	switch p.calls % 4 {
	case 0:
		n = n/2 + 1
	case 1:
		c.PauseReading()
		c.Loop().Defer(c.ResumeReading)
		n /= 3
	case 2:
		n = min(n, 100)
	}
	_, _ = c.Write(data[:n])
	if p.calls%5 == 0 && n < len(data) {
		c.Need(min(len(data)-n+1000, 20_000))
	}
	return n
}

func (p *fussy) EOFReceived(c *rondo.Conn)       { _ = c.Close() }
func (*fussy) ConnectionLost(*rondo.Conn, error) {}
