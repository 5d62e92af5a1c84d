package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// backend is a server of package net's for one connection.
func backend(t *testing.T, serve func(c *net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		serve(c.(*net.TCPConn))
	}()
	t.Cleanup(func() {
		ln.Close()
		rig.Await(t, done)
	})
	return ln.Addr().String()
}

// A copy that is cancelled while its destination does not read loses nothing: what is not written can still be read.
func TestCopyCancelled(t *testing.T) {
	for _, inLine := range []bool{false, true} { // behind another task that writes
		t.Run(fmt.Sprint(inLine), func(t *testing.T) {
			want := pattern(much)
			var head, before int64
			var rest []byte
			ended := make(chan struct{})
			v := serve(t, func(t *task.Task, dst *stream.Stream) error {
				defer close(ended)
				src, end, err := fed(t)
				if err != nil {
					return err
				}
				defer end()
				var other *rondo.Future[int]
				if inLine {
					other = task.Spawn(t, func(t *task.Task) (int, error) {
						n, err := dst.Write(t, make([]byte, much))
						before = int64(n)
						return n, err
					})
					if err := blocked(t, dst); err != nil {
						return err
					}
				}
				src.DataReceived(nil, want)
				f := task.Spawn(t, func(t *task.Task) (_ int, err error) {
					head, err = stream.Copy(t, dst, src)
					return 0, err
				})
				if err := blocked(t, dst); err != nil {
					return err
				}
				src.DataReceived(nil, []byte("more"))
				f.Cancel(errTest)
				if _, err := task.Await(t, f); err != errTest { //nolint:errorlint // the reason itself
					return fmt.Errorf("Copy: %d, %w", head, err)
				}
				if other != nil {
					other.Cancel(errTest)
					_, _ = task.Await(t, other)
				}
				rest = make([]byte, src.Buffered())
				_, err = src.Read(t, rest)
				return err
			})
			rig.Await(t, ended)
			got, err := io.ReadAll(v.peer)
			if err != nil || int64(len(got)) != before+head || (head == 0) != inLine {
				t.Errorf("read %d bytes, %v; the copy says %d and the other %d", len(got), err, head, before)
			}
			if !bytes.Equal(append(got[before:], rest...), append(want, "more"...)) {
				t.Error("what has come and what is left are not what there was")
			}
			v.check(t)
		})
	}
}

// A copy counts exactly, waits for a slow reader, and does not pass the end on. When the destination is lost the copy says so.
func TestCopy(t *testing.T) {
	want := pattern(much)
	addr := backend(t, func(c *net.TCPConn) { _, _ = c.Write(want) })
	handle(t, func(peer *net.TCPConn) { rig.ExpectEnd(t, peer, string(want)+"and more") },
		func(t *task.Task, s *stream.Stream) error {
			from, err := stream.Dial(t, "tcp", addr)
			if err != nil {
				return err
			}
			defer from.Close()
			if n, err := stream.Copy(t, s, from); n != int64(len(want)) || err != nil {
				return fmt.Errorf("Copy: %d, %w", n, err)
			}
			_, err = s.Write(t, []byte("and more"))
			return err
		})
	run1(t, func(t *task.Task, src *stream.Stream) error {
		dst, end, err := fed(t)
		if err != nil {
			return err
		}
		end()
		src.DataReceived(nil, []byte("x"))
		if n, err := stream.Copy(t, dst, src); n != 0 || err == nil || src.Buffered() != 1 {
			return fmt.Errorf("to a stream that has ended: %d, %w", n, err)
		}
		return nil
	})
}

// Relay is a proxy: a request with an end, and then the answer with one.
func TestRelay(t *testing.T) {
	addr := backend(t, func(c *net.TCPConn) {
		request, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		_, _ = c.Write(append([]byte("you said "), request...))
	})
	var there, back int64
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		up, err := stream.Dial(t, "tcp", addr)
		if err != nil {
			return err
		}
		defer up.Close()
		there, back, err = stream.Relay(t, s, up)
		return err
	})
	rig.Send(t, v.peer, "hello")
	if err := v.peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rig.ExpectEnd(t, v.peer, "you said hello")
	v.check(t)
	if there != 5 || back != 14 {
		t.Errorf("%d bytes there and %d back", there, back)
	}
}

// When one direction of a relay fails the other is given up.
func TestRelayFails(t *testing.T) {
	addr := backend(t, func(c *net.TCPConn) {
		_, _ = io.ReadFull(c, make([]byte, 5))
		_ = c.SetLinger(0)
	})
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		up, err := stream.Dial(t, "tcp", addr)
		if err != nil {
			return err
		}
		defer up.Close()
		if n, _, err := stream.Relay(t, s, up); n != 5 || err == nil || errors.Is(err, io.EOF) {
			return fmt.Errorf("Relay: %d, %w", n, err)
		}
		return nil
	})
	rig.Send(t, v.peer, "hello")
	v.check(t)
}
