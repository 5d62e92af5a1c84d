package secure_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/secure"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var background = context.Background()

// engine is one whose reports a test must ask for.
func engine(t testing.TB) *rig.Engine { return rig.New(t, rondo.Config{Loops: 1}) }

// configs are a server's and a client's, of one version of TLS.
func configs(t testing.TB, version uint16) (server, client *tls.Config) {
	cert, pool := rig.Certificate(t)
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version},
		&tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: version, MaxVersion: version}
}

func echoHandler(t *task.Task, s *stream.Stream) error {
	for {
		p, err := s.Next(t, 64<<10)
		if err != nil {
			return err
		}
		if _, err := s.Write(t, p); err != nil {
			return err
		}
	}
}

var versions = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}

// The stock crypto/tls talks to a server, in messages of many sizes, and both ways are closed in good order.
func TestServer(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			ln, err := engine(t).Listen("tcp", "127.0.0.1:0", secure.Config{TLS: server}.Server(stream.Handle(echoHandler)))
			if err != nil {
				t.Fatal(err)
			}
			c, err := tls.Dial("tcp", ln.Addr().String(), client)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			talk(t, c)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
				t.Errorf("at the end: %d bytes, %v", len(rest), err)
			}
		})
	}
}

// talk sends messages of many sizes, and reads them back.
func talk(t *testing.T, c io.ReadWriter) {
	t.Helper()
	for _, size := range []int{1, 100, 5000, 16384, 16385, 100_000, 1 << 20} {
		want := bytes.Repeat([]byte{byte(size), 2, 3, 4}, (size+3)/4)[:size]
		failed := make(chan error, 1)
		go func() {
			_, err := c.Write(want)
			failed <- err
		}()
		got := make([]byte, size)
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if err := <-failed; err != nil {
			t.Fatalf("writing %d bytes: %v", size, err)
		}
	}
}

// A client talks to the stock crypto/tls.
func TestClient(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			server, client := configs(t, version)
			ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						_, _ = io.Copy(c, c)
						_ = c.Close()
					}()
				}
			}()
			e := engine(t)
			s := stream.New()
			dial := secure.Config{TLS: client}.Dial(background, e.Engine, "tcp", ln.Addr().String(), s)
			if _, err := dial.Wait(background); err != nil {
				t.Fatal(err)
			}
			want := bytes.Repeat([]byte("hello"), 50_000)
			_, err = task.Go(dial.Loop(), func(t *task.Task) (struct{}, error) {
				defer s.Close()
				writing := task.Spawn(t, func(t *task.Task) (struct{}, error) {
					_, err := s.Write(t, want)
					return struct{}{}, errors.Join(err, s.CloseWrite())
				})
				got := make([]byte, len(want))
				if _, err := s.ReadFull(t, got); err != nil {
					return struct{}{}, err
				}
				if !bytes.Equal(got, want) {
					return struct{}{}, errors.New("other bytes came back")
				}
				if _, err := s.Next(t, 1); !errors.Is(err, io.EOF) {
					return struct{}{}, errors.New("no end")
				}
				return task.Await(t, writing)
			}).Wait(background)
			if err != nil {
				t.Error(err)
			}
		})
	}
}
