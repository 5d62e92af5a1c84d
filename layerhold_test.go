package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// What is written, sent and closed while the layer is held back goes through it when it is released, in its order, small and large; what the layer itself says goes out before.
func TestHoldLayer(t *testing.T) {
	data := bytes.Repeat([]byte{1, 2, 3, 4}, 50_000)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, end := range map[string]func(c *rondo.Conn){
		"close":           func(c *rondo.Conn) { _ = c.Close() },
		"close write":     func(c *rondo.Conn) { _ = c.CloseWrite() },
		"close lingering": func(c *rondo.Conn) { _ = c.CloseLingering(0, 0) },
		"both":            func(c *rondo.Conn) { _ = c.CloseWrite(); _ = c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan *rondo.Conn, 1)
			p := &layered{made: func(c *rondo.Conn, _ *turning) {
				c.HoldLayer()
				for _, p := range [][]byte{{5, 6}, data} { // the second would go straight to the layer
					if n, err := c.Write(p); n != len(p) || err != nil {
						t.Errorf("Write: %d, %v", n, err)
					}
				}
				if _, err := c.SendFile(f, 0, -1, nil); err != nil {
					t.Error(err)
				}
				_, _ = c.Write([]byte{7})
				if n := c.Buffered(); n != 3+len(data) {
					t.Errorf("%d bytes are buffered", n)
				}
				end(c)
				if _, err := c.Write([]byte{8}); !errors.Is(err, rondo.ErrClosed) {
					t.Errorf("Write after the end: %v", err)
				}
				_, _ = c.WriteBelow([]byte("hello"))
				conns <- c
			}}
			raw := dialLayered(t, p)
			c := rig.Await(t, conns)
			rig.Expect(t, raw, "hello")
			rig.On(t, c.Loop(), c.ReleaseLayer)
			got, err := io.ReadAll(io.LimitReader(raw, int64(3+2*len(data)+1)))
			if want := append(turn(slices.Concat([]byte{5, 6}, data, data, []byte{7})), 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes came, want %d and these: %v", len(got), len(want), err)
			}
			_, _ = raw.Write([]byte{0})
			if err := rig.Await(t, p.lost); name != "close write" && err != nil {
				t.Errorf("the reason is %v", err)
			}
		})
	}
}

// A layer that fails ends the connection behind what it says itself, and nothing of what was held goes out. Close without anything held ends it at once, and so do Abort and a lifetime.
func TestHoldLayerEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("a secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, tt := range map[string]struct {
		end    func(c *rondo.Conn)
		writes bool
		want   string // on the wire; "reset" for that
		reason error
		file   error
	}{
		"failure":        {func(c *rondo.Conn) { _, _ = c.WriteBelow([]byte("alert")); c.CloseBelow() }, true, "alert", nil, rondo.ErrClosed},
		"late failure":   {func(c *rondo.Conn) { _ = c.Close(); _, _ = c.WriteBelow([]byte("alert")); c.CloseBelow() }, true, "alert", nil, rondo.ErrClosed},
		"early failure":  {func(c *rondo.Conn) { c.CloseBelow() }, false, "", nil, nil},
		"nothing held":   {func(c *rondo.Conn) { _ = c.Close() }, false, "", nil, nil},
		"abort":          {func(c *rondo.Conn) { _ = c.Close(); c.Abort() }, true, "reset", rondo.ErrAborted, rondo.ErrAborted},
		"lifetime":       {func(c *rondo.Conn) { c.SetLifetime(time.Millisecond) }, true, "reset", rondo.ErrLifetime, rondo.ErrLifetime},
		"early lifetime": {func(c *rondo.Conn) { c.SetLifetime(time.Millisecond) }, false, "", rondo.ErrLifetime, nil},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			p := &layered{made: func(c *rondo.Conn, _ *turning) {
				c.HoldLayer()
				if tt.writes {
					_, _ = c.Write([]byte("a secret"))
					if _, err := c.SendFile(f, 0, -1, func(_ int64, err error) { done <- err }); err != nil {
						t.Error(err)
					}
				}
				tt.end(c)
			}}
			raw := dialLayered(t, p)
			got, err := io.ReadAll(raw)
			if tt.want == "reset" {
				if err == nil || len(got) > 0 {
					t.Errorf("%q came, and %v, want a reset", got, err)
				}
			} else if string(got) != tt.want || err != nil {
				t.Errorf("%q came, and %v, want %q", got, err, tt.want)
			}
			if err := rig.Await(t, p.lost); !errors.Is(err, tt.reason) {
				t.Errorf("the reason is %v", err)
			}
			if tt.writes {
				if err := rig.Await(t, done); !errors.Is(err, tt.file) {
					t.Errorf("done was told %v", err)
				}
			}
		})
	}
}
