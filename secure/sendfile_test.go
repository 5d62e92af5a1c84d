package secure_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// A file goes through TLS in its place, however small the water marks, and the end follows it in good order: neither is it sent in the clear, nor before it is asked for.
func TestSendFile(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcde"), 300_000)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, limits := range map[string][3]int{"default": {16 << 10, 64 << 10, 16 << 20}, "small": {500, 1000, 1500}} {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, tls.VersionTLS13)
			handler := stream.Handle(func(t *task.Task, s *stream.Stream) error {
				f, err := os.Open(path)
				if err != nil {
					return err
				}
				defer f.Close()
				c := s.Conn()
				c.SetWriteLimits(limits[0], limits[1], limits[2])
				told := 0
				for range 2 {
					_, _ = c.Write([]byte("<"))
					if _, err := c.SendFile(f, 5, -1, func(n int64, err error) {
						if told++; n != int64(len(data)-5) || err != nil {
							panic(fmt.Sprint("done was told ", n, err))
						}
					}); err != nil {
						return err
					}
					_, _ = c.Write([]byte(">"))
				}
				n, err := s.SendFile(t, f, 0, 100)
				if n != 100 || err != nil || told != 2 {
					return fmt.Errorf("SendFile: %d, %w; %d were told before", n, err, told)
				}
				return nil
			})
			ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Server(secure.Config{TLS: server}, handler))
			if err != nil {
				t.Fatal(err)
			}
			c, err := tls.Dial("tcp", ln.Addr().String(), client)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			want := bytes.Join([][]byte{[]byte("<"), data[5:], []byte("><"), data[5:], []byte(">"), data[:100]}, nil)
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes came (%v), want %d and these", len(got), err, len(want))
			}
		})
	}
}

// A peer that does not read is not encrypted for: what is kept stays small. Behind the file, CloseWrite still says close_notify.
func TestSendFileSlowReader(t *testing.T) {
	const size = 32 << 20
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	server, client := configs(t, tls.VersionTLS13)
	conns := make(chan *rondo.Conn, 1)
	e := engine(t)
	ln, err := e.Listen("tcp", "127.0.0.1:0", secure.Server(secure.Config{TLS: server}, stream.Handle(func(t *task.Task, s *stream.Stream) error {
		conns <- s.Conn()
		n, err := s.SendFile(t, f, 0, -1)
		if n != size || err != nil {
			return fmt.Errorf("SendFile: %d, %w", n, err)
		}
		return nil
	})))
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn := rig.Await(t, conns)
	if _, err := io.ReadFull(c, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		rig.On(t, conn.Loop(), func() {
			if n := conn.Buffered(); n > 200<<10 {
				t.Errorf("%d bytes are kept", n)
			}
		})
	}
	if n, err := io.Copy(io.Discard, c); n != size-1000 || err != nil {
		t.Errorf("%d bytes came (%v)", n, err)
	}
}
